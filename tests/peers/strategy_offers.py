"""What becomes of offers: who is asked, who may still answer, when an offer ends, who rests, and who let too many pass.

The functions check what the events of a history say of its offers, and remember it there.
"""

from strategy_rules import (
    Difference,
    MISSED,
    OFFLINE,
    OVER_AT_ONCE,
    Offer,
    Rest,
    SECOND,
    names,
)


def is_previous(event):
    """Whether the event says that the previous agent came first."""
    return event.get("previous") or False


def offered(history, event, at):
    interaction = history.known(event)
    check_offer(history, event, at)
    history.chosen(event["users"][0], event.get("position"))
    history.offers_made[interaction] += 1
    timeout = round(event["timeoutSeconds"] * SECOND)
    history.offers[interaction] = Offer(
        number=event["offer"],
        rings_all=event.get("position") is None and not is_previous(event),
        timeout=timeout,
        end=history.clock.time(at) + timeout,
        asked=set(event["users"]),
        may_accept=set(event["users"]),
    )


def extended(history, event, at):
    offer = chosen_offer(history, event)
    check_extension(history, event, offer, at)
    for user in event["users"]:
        check_asked_later(history, event["interaction"], offer, user)
        offer.asked.add(user)
        offer.may_accept.add(user)


def accepted(history, event, at):
    for key in ("position", "previous"):
        if event.get(key) is not None:
            raise Difference(f"who accepted an offer has no {key}")
    history.check_enabled()
    check_may_accept(history, event["interaction"], running(history, event), event["user"], at)
    history.agents[event["user"]].begin_count_anew()


def declined(history, event, at):
    offer = chosen_offer(history, event)
    check_may_accept(history, event["interaction"], offer, event["user"], at)
    history.agents[event["user"]].begin_count_anew()
    offer.not_taken.add(event["user"])
    over_for(history, event["interaction"], offer, [event["user"]], at)


def withdrawn(history, event, at):
    offer = chosen_offer(history, event)
    for user in event["users"]:
        check_withdrawal(history, event["reason"], offer, user, at)
    if event["reason"] == "TimedOut":
        let_pass(history, offer, set(event["users"]), history.clock.time(at))
    over_for(history, event["interaction"], offer, event["users"], at)


def let_pass(history, offer, users, now):
    offer.not_taken.update(users)
    for user in users:
        agent = history.agents[user]
        agent.let_pass(offer.end - offer.timeout, now)
        if agent.let_too_many_pass():
            history.to_be_away.add(user)


def over_for(history, interaction, offer, users, at):
    offer.may_accept.difference_update(users)
    if not offer.may_accept:
        del history.offers[interaction]
        history.asked_until[interaction] = history.clock.time(at)
        end = history.clock.time(at) + offer.timeout
        history.rests.setdefault(interaction, {}).update({user: Rest(end) for user in offer.not_taken})


def rested(history, event, at):
    interaction = history.known(event)
    for user in event["users"]:
        if not is_resting(history, interaction, user):
            raise Difference(f"{user} does not rest about interaction {interaction}")
        rest = history.rests[interaction][user]
        too_early = rest.end - history.clock.time(at)
        if too_early > 0:
            raise Difference(f"{user} rests for another {too_early / SECOND} s about interaction {interaction}")
        rest.over = True


def is_resting(history, interaction, user):
    rest = history.rests.get(interaction, {}).get(user)
    return rest is not None and not rest.over


def running(history, event):
    """The offer of the event's interaction, which must be the one of the event."""
    interaction = history.known(event)
    offer = history.offers.get(interaction)
    if offer is None or offer.number != event["offer"]:
        runs = f"offer {offer.number}" if offer else "no offer"
        raise Difference(f"{runs} of interaction {interaction} runs, the event says {event['offer']}")
    return offer


def chosen_offer(history, event):
    """The same, but an offer to whom a strategy chose: that of who is asked by name ends only with the transfer."""
    offer = running(history, event)
    transfer = history.transfers.get(event["interaction"])
    if transfer and transfer.to is not None:
        raise Difference(f"it is handed over to {transfer.to} by name, and the offer ends only with that")
    return offer


def check_offer(history, event, at):
    if not history.asks:
        raise Difference("with mode Assign nobody is asked")
    if event["timeoutSeconds"] != history.config["offerTimeoutSeconds"]:
        raise Difference(f"{history.config['offerTimeoutSeconds']} s are configured for offers")
    check_number(history, event)
    if not event["users"]:
        raise Difference("nobody is asked")
    check_volume(history)
    if history.strategy == "RingAll":
        check_asked_before(history, history.queue(), event["users"], at)
    history.check_choice(event, event["users"], at)


def check_number(history, event):
    number = history.offers_made[event["interaction"]] + 1
    if event["offer"] != number:
        raise Difference(f"it is offer {number} of interaction {event['interaction']}")


def check_volume(history):
    if history.volume_full:
        raise Difference("the volume is full, nobody is asked about anything more")


def check_may_accept(history, interaction, offer, user, at):
    check_asked(offer, user)
    transfer_over = history.transfer_over(interaction, history.clock.time(at))
    reasons = {reason for reason in (*reasons_over(history, offer, user, at), *transfer_over) if reason in OVER_AT_ONCE}
    if reasons:
        raise Difference(f"the offer is over for {user}: {names(reasons)}")


def check_withdrawal(history, reason, offer, user, at):
    check_asked(offer, user)
    reasons = reasons_over(history, offer, user, at)
    if reason not in reasons:
        raise Difference(f"the offer may be withdrawn from {user} for {' or '.join(reasons) or 'no reason'}")


def check_asked(offer, user):
    if user not in offer.may_accept:
        raise Difference(f"{user} is not among those who may still accept the offer: {names(offer.may_accept)}")


def reasons_over(history, offer, user, at):
    """Why the offer is over by now for the user, without their declining."""
    agent = history.agents[user]
    now = history.clock.time(at)
    holds = {
        "TimedOut": now >= offer.end,
        "AgentOffline": agent.is_offline_for(OFFLINE, now),
        "AgentNotPresent": not agent.present,
        "AgentRemoved": user not in history.members,
    }
    return [reason for reason in holds if holds[reason]]


def check_extension(history, event, offer, at):
    history.check_enabled()
    check_volume(history)
    # Also one that another strategy made before RingAll was configured stays as it is, or of the previous agent.
    if not (history.asks and history.strategy == "RingAll" and offer.rings_all):
        raise Difference("only RingAll asks others while an offer runs")
    if not still_asks(history, event["interaction"], offer, at):
        raise Difference("the time of the offer is over, or its transfer")
    queue = history.queue()
    check_asked_before(history, queue[: queue.index(event["interaction"])], event["users"], at)


def still_asks(history, interaction, offer, at):
    now = history.clock.time(at)
    return now < offer.end and not history.transfer_over(interaction, now)


def check_asked_before(history, interactions, users, at):
    """RingAll asks about its running offers before anything else is offered, in the order of the queue."""
    for interaction in interactions:
        first = left_out(history, interaction, at).intersection(users)
        if first:
            raise Difference(f"{names(first)} must be asked before about interaction {interaction}")


def check_asked_later(history, interaction, offer, user):
    obstacle = obstacle_to_ring(history, interaction, offer, user)
    if obstacle:
        raise Difference(f"{user} {obstacle}")


def obstacle_to_ring(history, interaction, offer, user):
    """Why RingAll does not ask the user while the offer runs, or None."""
    if user in offer.may_accept:
        return "was asked already in this offer"
    if user in offer.not_taken:
        return "declined this offer, or let its time pass"
    if is_resting(history, interaction, user):
        return f"rests about interaction {interaction}"
    if history.hands_over(user, interaction):
        return "hands it over"
    member = history.members.get(user)
    if member is None or not history.is_available(member):
        return "is not available"
    highest = highest_penalty(history, offer)
    if highest is None or member["penalty"] > highest:
        return f"has penalty {member['penalty']}, the highest of those asked is {highest}"
    return None


def highest_penalty(history, offer):
    """Of those who were asked and are still members, as they are now. Who went counts as not asked."""
    who = offer.may_accept | offer.not_taken
    asked = [member["penalty"] for user, member in history.members.items() if user in who]
    return max(asked, default=None)


def left_out(history, interaction, at):
    """Whom RingAll must still ask about the interaction while its offer runs."""
    offer = history.offers.get(interaction)
    if offer is None or not offer.rings_all or not still_asks(history, interaction, offer, at):
        return set()
    return {user for user in history.members if obstacle_to_ring(history, interaction, offer, user) is None}


def check_nobody_left_out(history):
    # Otherwise the engine could not ask, or what it asks about now comes with the next event.
    certain = history.settled and history.is_enabled() and not history.volume_full
    if not (certain and history.asks and history.strategy == "RingAll"):
        return
    for interaction in history.queue():
        users = left_out(history, interaction, history.last_at)
        if users:
            raise Difference(
                f"at {history.last_at} this was left out: {names(users)} must be asked about interaction "
                f"{history.describe_waiting(interaction)}"
            )


def check_missed(event, agent):
    if event["present"]:
        raise Difference("who let offers pass is set to not present")
    if event["missed"] < MISSED:
        raise Difference(f"only who let {MISSED} offers pass is set to not present")
    if event["missed"] != agent.missed:
        raise Difference(f"{event['user']} let {agent.missed} offers pass, the event says {event['missed']}")


def check_all_away(history):
    if history.to_be_away:
        who = names(history.to_be_away)
        raise Difference(f"at {history.last_at} this was left out: {who} let {MISSED} offers pass")


HANDLERS = {
    "InteractionOffered": offered,
    "OfferExtended": extended,
    "OfferDeclined": declined,
    "OfferWithdrawn": withdrawn,
    "OfferRested": rested,
}
