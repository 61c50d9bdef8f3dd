"""Checks which agents were given or offered interactions, by the rules of docs/distribution.md.

Reads histories as JSON Lines from stdin: {"history": N} begins one, {"config": {...}} says what is in force from there
on, {"volumeFull": true or false} whether the engine's volume is full, {"event": {...}} is an event of the engine.
Follows the events, decides each choice by the rules and compares it with what the event says. What becomes of an offer
or a transfer, and what a supervisor decides, must be allowed by the rules. That something should have happened is
checked only for whom RingAll asks while its offer runs, for who let three offers pass, for what waited too long, for
transfers that should have ended, and for interactions whose agent is gone and hands them over, or is no member;
otherwise the events do not say what was still due.

The first difference is described on stderr, and the exit status is 1. Without a difference, stdout gets one JSON
object: how many choices were checked per strategy (given or offered), how many of these had several candidates, how
many went to the previous agent without asking the strategy, how many interactions timed out in the queue, how many
transfers began, and how often a supervisor gave an interaction to somebody.
"""

import json
import sys
from collections import Counter, defaultdict

import strategy_offers as offers
import strategy_transfers as transfers
import strategy_waits as waits
from strategy_rules import (
    Agent,
    COMPARED_BY,
    Clock,
    Difference,
    GAMMA,
    GONE,
    MASK,
    NEVER,
    choose,
    date_in_zone,
    describe,
    id_order,
    in_nanoseconds,
    instant,
    mix,
    names,
    shown_time,
)


class History:
    def __init__(self, number, checked):
        self.number = number
        self.checked = checked
        self.config = {
            "enabled": False, "strategy": "none", "offerTimeoutSeconds": None, "zoneOffsetSeconds": 0, "members": []
        }
        self.clock = Clock()
        self.agents = defaultdict(Agent)
        self.seen = set()
        self.arrived = {}
        self.customers = {}
        # Also in the channel's own time, which later disabling does not change.
        self.arrived_on_clock = {}
        # Of each customer: who had their last interaction with an agent when it was closed, and when, on the clock.
        self.last_agents = {}
        # Who comes first for an interaction that no agent had yet.
        self.previous = {}
        # Since when each interaction waits, in the channel's own time. What is handed over does not wait.
        self.waits_since = {}
        # When the last offer of an interaction that waits ended in vain, in the channel's own time.
        self.asked_until = {}
        self.timed_out = set()
        # An edit cannot make anything time out before the event that follows it, whose time is the first one known.
        self.limit_lowered = False
        self.limit_since = 0
        # When the engine started last, in the channel's own time.
        self.started = 0
        # Of all in the queue: whether they come first, as they had an agent before or are handed over.
        self.had_agent = {}
        self.owners = {}
        self.transfers = {}
        # The type and interaction of the event that must be the next one, in the same instant.
        self.must_follow = None
        self.offers = {}
        self.offers_made = Counter()
        self.rests = {}
        self.last_finish_on = None
        self.finished_then = Counter()
        self.seed = 0
        self.turn = None
        self.volume_full = False
        self.last_at = NEVER
        # Whether what is in force has not changed since the last event.
        self.settled = False
        # Who let three offers pass in this instant, and was not set to not present yet.
        self.to_be_away = set()

    @property
    def strategy(self):
        return self.config["strategy"]

    @property
    def asks(self):
        return self.config["offerTimeoutSeconds"] is not None

    @property
    def max_wait(self):
        """In nanoseconds, or None."""
        return in_nanoseconds(self.config.get("maxQueueSeconds"))

    @property
    def members(self):
        return {member["user"]: member for member in self.config["members"]}

    @property
    def supervisors(self):
        return self.config.get("supervisors") or []

    def apply(self, event):
        at = instant(event["at"])
        if at > self.last_at:
            self.end_instant()
        self.last_at = at
        transfers.check_followed(self, event)
        now = self.clock.time(at)
        if event["type"] == "EngineStarted":
            # What became due while the engine did not run is done only now.
            self.started = now
        waits.check_waits(self, now)
        transfers.check_due(self, now)
        handler = HANDLERS.get(event["type"])
        if handler:
            handler(self, event, at)
        self.settled = True

    def configure(self, config):
        if config["strategy"] not in COMPARED_BY:
            raise Difference(f"the rules have no strategy {config['strategy']}")
        self.check_left_out()
        before, self.config = self.max_wait, config
        if self.max_wait is not None and (before is None or self.max_wait < before):
            self.limit_lowered = True
        self.settled = False

    def set_volume_full(self, full):
        self.volume_full = full
        self.settled = False

    def end_instant(self):
        """Checks what must have happened by now: the next event comes later, or there is none."""
        offers.check_all_away(self)
        transfers.check_nothing_follows(self)
        self.check_left_out()

    def check_left_out(self):
        offers.check_nobody_left_out(self)
        transfers.check_at_once(self)

    def today(self, at):
        return date_in_zone(at, self.config["zoneOffsetSeconds"])

    def has(self, user):
        """How many they have or are asked about."""
        owned = sum(owner == user for owner in self.owners.values())
        return owned + sum(user in offer.may_accept for offer in self.offers.values())

    def engine_started(self, event, at):
        for agent in self.agents.values():
            agent.online = False
            agent.offline_since = self.clock.time(at)
        self.seed = mix(int(event.get("idsFrom") or 0) + GAMMA)

    def see(self, user, at):
        """Who was never seen before is offline from now on, not since the engine began."""
        if user not in self.seen:
            self.seen.add(user)
            self.agents[user].offline_since = self.clock.time(at)

    def agent_online(self, event, at):
        self.see(event["user"], at)
        self.agents[event["user"]].online = True

    def agent_offline(self, event, at):
        agent = self.agents[event["user"]]
        if agent.online:
            agent.online = False
            agent.offline_since = self.clock.time(at)

    def disabled(self, event, at):
        self.clock.stop(at)

    def enabled(self, event, at):
        self.clock.go_on(at)

    def presence_set(self, event, at):
        self.see(event["user"], at)
        agent = self.agents[event["user"]]
        if event.get("missed") is not None:
            offers.check_missed(event, agent)
            self.to_be_away.discard(event["user"])
        agent.present = event["present"]
        agent.begin_count_anew()

    def opened(self, event, at):
        self.arrived[event["interaction"]] = at
        self.arrived_on_clock[event["interaction"]] = self.clock.time(at)
        self.customers[event["interaction"]] = event["customer"]

    def queued(self, event, at):
        interaction = self.known(event)
        previous = self.previous_agent(interaction)
        self.check_previous(event, previous)
        self.wait(interaction, at, had_agent=False)
        if previous is not None:
            self.previous[interaction] = previous

    def requeued(self, event, at):
        interaction = self.known(event)
        transfers.check_lost(self, interaction, self.clock.time(at))
        # Once an agent has had it, no agent comes first.
        self.check_previous(event, None)
        self.wait(interaction, at, had_agent=True)

    def wait(self, interaction, at, had_agent):
        self.forget(interaction)
        self.had_agent[interaction] = had_agent
        self.waits_since[interaction] = self.clock.time(at)

    def previous_agent(self, interaction):
        """The agent who had the customer's last interaction, if the text that begins this one came soon enough."""
        within = in_nanoseconds(self.config.get("sessionReopenSeconds"))
        last = self.last_agents.get(self.customers[interaction])
        if within is None or last is None:
            return None
        agent, closed = last
        return agent if self.arrived_on_clock[interaction] - closed <= within else None

    def forget(self, interaction):
        """Forgets who had it, that it waited and whom it was offered to, but not its offers' number or its time-out."""
        self.leave_queue(interaction)
        for of_interactions in (self.owners, self.transfers):
            of_interactions.pop(interaction, None)

    def leave_queue(self, interaction):
        waiting = (self.had_agent, self.waits_since, self.asked_until, self.previous, self.offers, self.rests)
        for of_interactions in waiting:
            of_interactions.pop(interaction, None)

    def assigned(self, event, at):
        interaction = self.known(event)
        self.check_from(event)
        if event.get("by") is not None:
            transfers.given(self, event)
        elif event.get("offer") is not None:
            offers.accepted(self, event, at)
        elif self.is_choice(event):
            self.check_assignment(event, at)
            self.chosen(event["user"], event.get("position"))
        else:
            self.check_begun(event)
        self.forget(interaction)
        self.see(event["user"], at)
        self.owners[interaction] = event["user"]
        self.agents[event["user"]].last_given = at

    def is_choice(self, event):
        """Whether it says so, or the interaction was in the queue."""
        says_so = event.get("position") is not None or offers.is_previous(event)
        return says_so or event["interaction"] in self.had_agent

    def chosen(self, user, position):
        # Without a position it is nobody's turn and no chance is used up: RingAll, or the previous agent.
        if position is not None:
            self.seed = (self.seed + GAMMA) & MASK
            self.turn = (position, user.encode())

    def closed(self, event, at):
        interaction = self.known(event)
        transfers.check_closed(self, event)
        if event.get("completedOn") is not None:
            self.finished(event, at)
        if interaction in self.owners:
            self.last_agents[self.customers[interaction]] = (self.owners[interaction], self.clock.time(at))
        for of_interactions in (self.arrived, self.arrived_on_clock, self.customers):
            del of_interactions[interaction]
        self.timed_out.discard(interaction)
        self.forget(interaction)

    def finished(self, event, at):
        owner = self.owners.get(event["interaction"])
        if event["owner"] != owner:
            raise Difference(f"{owner or 'nobody'} has it, the event says that {event['owner']} finished it")
        if event["completedOn"] != self.today(at):
            raise Difference(f"it was finished on {self.today(at)} in the zone, the event says {event['completedOn']}")
        self.agents[event["owner"]].last_finished = at
        if self.last_finish_on != event["completedOn"]:
            self.last_finish_on = event["completedOn"]
            self.finished_then.clear()
        self.finished_then[event["owner"]] += 1

    def finished_today(self, user, at):
        return self.finished_then[user] if self.last_finish_on == self.today(at) else 0

    def known(self, event):
        if event["interaction"] not in self.arrived:
            raise Difference(f"interaction {event['interaction']} was not opened, or is closed")
        return event["interaction"]

    def check_assignment(self, event, at):
        if self.asks:
            raise Difference("with mode Ask nobody is given an interaction that waits, they are asked")
        if self.strategy == "RingAll":
            raise Difference("RingAll chooses nobody with mode Assign")
        self.check_choice(event, [event["user"]], at)

    def check_from(self, event):
        owner = self.owners.get(event["interaction"])
        if event.get("from") != owner:
            raise Difference(f"{owner or 'nobody'} had it, the event says {event.get('from') or 'nobody'}")

    def check_begun(self, event):
        """Without a choice, an answer and a supervisor only an agent who writes first is given it."""
        if event["interaction"] in self.owners:
            raise Difference(f"{self.owners[event['interaction']]} has interaction {event['interaction']}")
        if event["user"] not in self.members:
            raise Difference(f"{event['user']} is no member, and starts nothing")

    def check_previous(self, event, previous):
        if event.get("previousAgent") != previous:
            raise Difference(
                f"{previous or 'nobody'} comes first as the previous agent, "
                f"the event says {event.get('previousAgent') or 'nobody'}"
            )

    def check_choice(self, event, users, at):
        self.check_enabled()
        self.check_interaction(event)
        waits.check_before_choice(self, event["interaction"], self.clock.time(at))
        several = self.check_agents(event, users, at)
        self.checked["previous" if offers.is_previous(event) else self.strategy] += 1
        self.checked["withSeveral"] += several

    def is_enabled(self):
        return self.config["enabled"] and self.clock.stopped_at is None

    def check_enabled(self):
        if not self.is_enabled():
            raise Difference("the channel is disabled, nothing is given or offered, accepted or handed over")

    def check_interaction(self, event):
        interaction = event["interaction"]
        queue = self.queue()
        waiting = "\n".join(f"  {self.describe_waiting(other)}" for other in queue) or "  none waits"
        if interaction not in self.had_agent or interaction in self.offers:
            raise Difference(f"interaction {interaction} does not wait, or agents are asked about it\n{waiting}")
        for earlier in queue[: queue.index(interaction)]:
            if self.may_have(earlier):
                raise Difference(f"interaction {earlier} comes first, the event says {interaction}\n{waiting}")

    def queue(self):
        """All that wait or are handed over to the queue, also those that agents are asked about."""
        return sorted(self.had_agent, key=self.queue_order)

    def queue_order(self, interaction):
        return not self.had_agent[interaction], self.arrived[interaction], id_order(interaction)

    def describe_waiting(self, interaction):
        before = "had an agent" if self.had_agent[interaction] else "had no agent"
        described = f"{interaction}: {before}, arrived {self.arrived[interaction]}"
        if interaction in self.transfers:
            described += f", handed over by {self.transfers[interaction].user}"
        if interaction in self.previous:
            described += f", previous agent {self.previous[interaction]}"
        if interaction in self.offers:
            return f"{described}, is offered to {names(self.offers[interaction].may_accept)}"
        return described + self.describe_rests(interaction)

    def describe_rests(self, interaction):
        rests = sorted(self.rests.get(interaction, {}).items(), key=lambda rest: (rest[1].end, rest[0]))
        return "".join(f", {user} {self.describe_rest(rest)}" for user, rest in rests)

    def describe_rest(self, rest):
        return f"{'rested' if rest.over else 'rests'} until {shown_time(rest.end)} in the channel's own time"

    def check_agents(self, event, users, at):
        """Whether there were several candidates."""
        ordered = self.candidates(event["interaction"], at)
        random = mix(self.seed + GAMMA)
        # The previous agent is the only candidate, whom every strategy would choose.
        choice = choose(self.strategy, ordered, random)
        previous = self.comes_first(event["interaction"]) is not None
        position = None if previous else self.position_of(choice)
        by_rules = (sorted(candidate["user"] for candidate in choice), position, previous)
        by_event = (sorted(users), event.get("position"), offers.is_previous(event))
        if by_rules != by_event:
            raise Difference(
                f"the rules choose {described_choice(*by_rules)}, the event says {described_choice(*by_event)}; "
                f"interaction {self.describe_waiting(event['interaction'])}; candidates in order:\n"
                f"{describe(self.strategy, ordered, random)}"
            )
        return len(ordered) > 1

    def position_of(self, choice):
        return choice[0]["position"] if choice and self.strategy != "RingAll" else None

    def candidates(self, interaction, at):
        keys = COMPARED_BY[self.strategy]
        candidates = [self.candidate(member, at) for member in self.may_have(interaction)]
        return sorted(candidates, key=lambda candidate: [candidate[key] for key in keys])

    def may_have(self, interaction):
        """The members whom an interaction in the queue may be given or offered to."""
        if interaction in self.offers or self.transfer_over(interaction, self.clock.time(self.last_at)):
            return []
        first = self.comes_first(interaction)
        if first is not None:
            return [first]
        members = [member for member in self.config["members"] if not self.hands_over(member["user"], interaction)]
        available = [member for member in members if self.is_available(member)]
        rests = self.rests.get(interaction, {})
        not_asked = [member for member in available if member["user"] not in rests]
        return not_asked or self.rested_first(available, rests)

    def comes_first(self, interaction):
        """The member who is the previous agent, while they are available and were not asked about it in vain."""
        member = self.members.get(self.previous.get(interaction))
        if member is None or member["user"] in self.rests.get(interaction, {}):
            return None
        return member if self.is_available(member) else None

    def rested_first(self, available, rests):
        rested = [member for member in available if rests[member["user"]].over]
        first = min((rests[member["user"]].end for member in rested), default=None)
        return [member for member in rested if rests[member["user"]].end == first]

    def is_available(self, member):
        agent = self.agents[member["user"]]
        has_room = self.has(member["user"]) < member["maxInteractions"]
        # Who let too many pass is asked about nothing, also before the event that sets them to not present.
        takes_interactions = agent.present and not agent.let_too_many_pass()
        return member["receive"] and agent.online and takes_interactions and has_room

    def hands_over(self, user, interaction):
        transfer = self.transfers.get(interaction)
        return transfer is not None and transfer.user == user

    def transfer_over(self, interaction, now):
        """Why the interaction's transfer is over by now, whoever is asked."""
        transfer = self.transfers.get(interaction)
        if transfer is None:
            return []
        return [*(["TimedOut"] if now >= transfer.end else []), *self.reasons_gone(transfer.user, now)]

    def reasons_gone(self, user, now):
        """Why who has an interaction loses it by now."""
        holds = {
            "OwnerOffline": self.agents[user].is_offline_for(GONE, now),
            "OwnerRemoved": self.is_removed(user),
        }
        return [reason for reason in holds if holds[reason]]

    def is_removed(self, user):
        return user not in self.members and user not in self.supervisors

    def candidate(self, member, at):
        agent = self.agents[member["user"]]
        place = (member["position"], member["user"].encode())
        return {
            "user": member["user"],
            "penalty": member["penalty"],
            "lastFinished": agent.last_finished,
            "lastGiven": agent.last_given,
            "finishedToday": self.finished_today(member["user"], at),
            "has": self.has(member["user"]),
            "round": 1 if self.turn is None or place > self.turn else 2,
            "position": place[0],
            "name": place[1],
        }


def described_choice(users, position, previous):
    return f"{names(users)} with position {position}" + (" as the previous agent" if previous else "")


HANDLERS = {
    "EngineStarted": History.engine_started,
    "AgentOnline": History.agent_online,
    "AgentOffline": History.agent_offline,
    "Disabled": History.disabled,
    "Enabled": History.enabled,
    "AgentPresenceSet": History.presence_set,
    "InteractionOpened": History.opened,
    "InteractionQueued": History.queued,
    "InteractionAssigned": History.assigned,
    "InteractionRequeued": History.requeued,
    "InteractionClosed": History.closed,
    **offers.HANDLERS,
    **transfers.HANDLERS,
    **waits.HANDLERS,
}

ALSO_CHECKED = ("withSeveral", "previous", "timedOut", "transfers", "assigned")


def follow(line, history, checked):
    """The history that goes on after the line."""
    if "history" in line:
        history.end_instant()
        return History(line["history"], checked)
    if "config" in line:
        history.configure(line["config"])
    elif "volumeFull" in line:
        history.set_volume_full(line["volumeFull"])
    else:
        history.apply(line["event"])
    return history


def main():
    checked = Counter(dict.fromkeys([*COMPARED_BY, *ALSO_CHECKED], 0))
    history = History("none", checked)
    number, text = 0, ""
    try:
        for number, text in enumerate(sys.stdin, start=1):
            history = follow(json.loads(text), history, checked)
        history.end_instant()
    except Difference as difference:
        where = f"history {history.number}, line {number}, strategy {history.strategy}"
        print(f"{where}: {difference}\nline {number}: {text.strip()}", file=sys.stderr)
        return 1
    print(json.dumps(checked))
    return 0


if __name__ == "__main__":
    sys.exit(main())
