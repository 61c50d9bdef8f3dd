"""What becomes of transfers, what supervisors decide, and who loses an interaction because they are gone.

The functions check what the events of a history say of it, and remember the transfers there.
"""

from math import inf

import strategy_offers as offers
from strategy_rules import Difference, GONE, OFFLINE, Offer, SECOND, Transfer, shown_time

# What follows in the same instant on a transfer that ended for this.
FOLLOWS = {
    "OwnerOffline": "InteractionRequeued",
    "OwnerRemoved": "InteractionRequeued",
    "Assigned": "InteractionAssigned",
    "Closed": "InteractionClosed",
}
# A transfer may end for these at any time.
SOMEBODY_DECIDES = ("Canceled", "Assigned", "Closed")


def started(history, event, at):
    interaction = history.known(event)
    check_start(history, event)
    now = history.clock.time(at)
    limit = event.get("timeoutSeconds")
    end = inf if limit is None else now + round(limit * SECOND)
    to = event.get("to")
    history.transfers[interaction] = Transfer(user=event["user"], to=to, end=end)
    if to is None:
        history.had_agent[interaction] = True
    else:
        history.offers_made[interaction] += 1
        history.offers[interaction] = Offer(
            number=event["offer"], rings_all=False, timeout=end - now, end=end, asked={to}, may_accept={to}
        )
    history.checked["transfers"] += 1


def check_start(history, event):
    interaction, user, to = event["interaction"], event["user"], event.get("to")
    owner = history.owners.get(interaction)
    if user != owner:
        raise Difference(f"{owner or 'nobody'} has interaction {interaction}, so {user} does not hand it over")
    if interaction in history.transfers:
        raise Difference(f"interaction {interaction} is handed over already")
    history.check_enabled()
    if history.volume_full:
        raise Difference("the volume is full, nothing is handed over")
    limit = history.config.get("maxTransferSeconds") or None
    if event.get("timeoutSeconds") != limit:
        raise Difference(f"{limit or 'no'} s are configured for transfers")
    if to is None:
        if event.get("offer") is not None:
            raise Difference("what is handed over to the queue is offered to nobody yet")
        return
    if to == user:
        raise Difference("nobody hands over to themselves")
    check_can_have(history, to)
    if history.agents[to].let_too_many_pass():
        raise Difference(f"{to} let too many offers pass, and is asked about nothing")
    offers.check_number(history, event)


def check_can_have(history, user):
    """Whom somebody names need no free slot."""
    member, agent = history.members.get(user), history.agents[user]
    for holds, obstacle in (
        (member is not None, "is no member"),
        (member is not None and member["receive"], "receives nothing"),
        (agent.online, "is offline"),
        (agent.present, "is not present"),
    ):
        if not holds:
            raise Difference(f"{user} {obstacle}, so nobody can name them")


def ended(history, event, at):
    interaction = history.known(event)
    transfer = history.transfers.get(interaction)
    if transfer is None:
        raise Difference(f"interaction {interaction} is not handed over")
    if event.get("to") != transfer.to:
        raise Difference(f"it is handed over to {transfer.described_to()}, the event says {event.get('to')}")
    check_end(history, event, transfer, at)
    if event["reason"] == "Declined":
        history.agents[transfer.to].begin_count_anew()
    del history.transfers[interaction]
    history.leave_queue(interaction)
    if event["reason"] in FOLLOWS:
        history.must_follow = (FOLLOWS[event["reason"]], interaction)


def check_end(history, event, transfer, at):
    interaction, reason = event["interaction"], event["reason"]
    reasons = reasons_over(history, interaction, transfer, at)
    if reason in SOMEBODY_DECIDES or reason in reasons:
        return
    if reason == "Declined" and transfer.to is not None:
        offers.check_may_accept(history, interaction, history.offers[interaction], transfer.to, at)
        return
    raise Difference(
        f"without anybody's word the transfer to {transfer.described_to()} may end for "
        f"{' or '.join(reasons) or 'no reason'}, the event says {reason}"
    )


def reasons_over(history, interaction, transfer, at):
    """Why the transfer must have ended by now, without anybody's word."""
    reasons = history.transfer_over(interaction, history.clock.time(at))
    if transfer.to is None:
        return reasons
    of_offer = offers.reasons_over(history, history.offers[interaction], transfer.to, at)
    if "OwnerRemoved" in reasons:
        # When both are removed at once it goes to the queue, and one event says so.
        of_offer = [reason for reason in of_offer if reason != "AgentRemoved"]
    return list(dict.fromkeys([*reasons, *of_offer]))


def check_followed(history, event):
    if history.must_follow and (event["type"], event.get("interaction")) != history.must_follow:
        raise Difference(f"{described_following(history)} must follow at once")
    history.must_follow = None


def check_nothing_follows(history):
    if history.must_follow:
        raise Difference(f"at {history.last_at} this was left out: {described_following(history)} must follow at once")


def described_following(history):
    event, interaction = history.must_follow
    return f"{event} of interaction {interaction}, whose transfer has ended for it,"


def check_no_transfer(history, interaction):
    if interaction in history.transfers:
        raise Difference(f"the transfer of interaction {interaction} must end just before")


def check_due(history, now):
    """Checks that no transfer should have ended before now and did not, and nobody should have lost an interaction."""
    for interaction, transfer in history.transfers.items():
        due = transfer.end
        if transfer.to is not None:
            due = min(due, history.agents[transfer.to].is_offline_until(OFFLINE))
        check_not_before(history, due, now, f"the transfer of interaction {interaction} should have ended")
    for interaction, owner in history.owners.items():
        if interaction in history.transfers or owner not in history.members:
            due = history.agents[owner].is_offline_until(GONE)
            check_not_before(history, due, now, f"{owner} should have lost interaction {interaction}")


def check_not_before(history, due, now, what):
    due = max(due, history.started)
    if due < now:
        raise Difference(f"{what} at {shown_time(due)} in the channel's own time, it is {shown_time(now)}")


def check_at_once(history):
    """Checks what must have been done in the instant of the last event, whatever the time."""
    if not history.settled:
        return
    for interaction, transfer in history.transfers.items():
        left = transfer.to is not None and not (history.agents[transfer.to].present and transfer.to in history.members)
        if left:
            raise Difference(
                f"at {history.last_at} this was left out: the transfer of interaction {interaction} ends, "
                f"as {transfer.to} is not present or no member"
            )
    for interaction, owner in history.owners.items():
        if history.is_removed(owner):
            raise Difference(f"at {history.last_at} this was left out: {owner} is removed and loses {interaction}")


def check_lost(history, interaction, now):
    """Checks that who has the interaction may lose it to the queue."""
    check_no_transfer(history, interaction)
    owner = history.owners.get(interaction)
    if owner is None:
        raise Difference(f"nobody has interaction {interaction}")
    # Of members it is not checked here that they are gone.
    if owner not in history.members and not history.reasons_gone(owner, now):
        raise Difference(f"{owner} keeps interaction {interaction}, they are a supervisor and not gone")


def given(history, event):
    """Checks that a supervisor may give the interaction to the user."""
    interaction, user, by = event["interaction"], event["user"], event["by"]
    check_supervisor(history, by)
    for key in ("position", "offer", "previous"):
        if event.get(key) is not None:
            raise Difference(f"what a supervisor gives has no {key}")
    check_no_transfer(history, interaction)
    if interaction not in history.owners and interaction not in history.had_agent:
        raise Difference(f"interaction {interaction} neither waits nor has an agent")
    if user == history.owners.get(interaction):
        raise Difference(f"{user} has interaction {interaction} already")
    if user != by:
        check_can_have(history, user)
    elif not history.agents[user].online:
        raise Difference(f"{user} has no stream, so they cannot take it over")
    history.checked["assigned"] += 1


def check_closed(history, event):
    interaction, by = history.known(event), event.get("by")
    check_no_transfer(history, interaction)
    if (event.get("reason") == "BySupervisor") != (by is not None):
        raise Difference("it is closed by a supervisor exactly when the reason is BySupervisor")
    if by is not None:
        check_supervisor(history, by)
        if event.get("completedOn") is not None:
            raise Difference("what a supervisor closes was not finished by anybody")


def check_supervisor(history, user):
    if user not in history.supervisors:
        raise Difference(f"{user} is no supervisor")


HANDLERS = {
    "TransferStarted": started,
    "TransferEnded": ended,
}
