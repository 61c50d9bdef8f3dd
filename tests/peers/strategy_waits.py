"""What has waited for too long in the queue: the functions check when the events of a history say so, and when not."""

from strategy_rules import Difference, SECOND, shown_time


def timed_out(history, event, at):
    interaction = history.known(event)
    check_time_out(history, interaction, history.clock.time(at))
    history.timed_out.add(interaction)
    history.checked["timedOut"] += 1


def check_waits(history, now):
    """Checks that nothing should have timed out before now, and did not."""
    if history.limit_lowered:
        history.limit_lowered, history.limit_since = False, now
    for interaction in history.queue():
        due = due_for(history, interaction)
        if due is None or interaction in history.offers:
            continue
        due = max(due, history.asked_until.get(interaction, due))
        if due < now:
            raise Difference(
                f"interaction {history.describe_waiting(interaction)} should have timed out at {shown_time(due)} "
                f"in the channel's own time, it is {shown_time(now)}"
            )


def due_for(history, interaction):
    """When it times out unless agents are asked then, or None. Not before an edit makes it so, or the last start."""
    if history.max_wait is None or interaction in history.timed_out or interaction not in history.waits_since:
        return None
    return max(history.waits_since[interaction] + history.max_wait, history.limit_since, history.started)


def check_time_out(history, interaction, now):
    if interaction not in history.waits_since:
        raise Difference(f"interaction {interaction} does not wait, so it does not time out")
    if interaction in history.offers:
        raise Difference(f"agents are asked: interaction {history.describe_waiting(interaction)}")
    if history.max_wait is None:
        raise Difference("interactions may wait as long as they like")
    if interaction in history.timed_out:
        raise Difference(f"interaction {interaction} timed out already")
    too_early = history.waits_since[interaction] + history.max_wait - now
    if too_early > 0:
        raise Difference(f"interaction {interaction} times out only in {too_early / SECOND} s")


def check_before_choice(history, interaction, now):
    """What was due while agents were asked times out when that ends, before anybody else is chosen for it."""
    due = due_for(history, interaction)
    if due is not None and due < now:
        raise Difference(
            f"interaction {interaction} should have timed out when its offer ended, "
            f"as it was due at {shown_time(due)} in the channel's own time"
        )


HANDLERS = {"QueueTimedOut": timed_out}
