"""Checks which agents were given or offered interactions, by the rules of docs/distribution.md.

Reads histories as JSON Lines from stdin: {"history": N} begins one, {"config": {...}} says what is in force from there
on, {"volumeFull": true or false} whether the engine's volume is full, {"event": {...}} is an event of the engine.
Follows the events, decides each choice by the rules and compares it with what the event says. What becomes of an offer
must be allowed by the rules. That something should have happened is checked only for whom RingAll asks while its offer
runs, for who let three offers pass, and for what waited too long; otherwise the events do not say what was still due.
The first difference is described on stderr, and the exit status is 1. Without a difference, stdout gets one JSON
object: how many choices were checked per strategy (given or offered), how many of these had several candidates, how
many went to the previous agent without asking the strategy, and how many interactions timed out in the queue.
"""

import json
import sys
from collections import Counter, defaultdict

from strategy_rules import (
    Agent,
    COMPARED_BY,
    Clock,
    Difference,
    GAMMA,
    MASK,
    MISSED,
    NEVER,
    OFFLINE,
    OVER_AT_ONCE,
    Offer,
    Rest,
    SECOND,
    choose,
    date_in_zone,
    describe,
    id_order,
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
        self.arrived = {}
        self.customers = {}
        # Also in the channel's own time, which later disabling does not change.
        self.arrived_on_clock = {}
        # Of each customer: who had their last interaction with an agent when it was closed, and when, on the clock.
        self.last_agents = {}
        # Who comes first for an interaction that no agent had yet.
        self.previous = {}
        # Since when each interaction waits, in the channel's own time.
        self.waits_since = {}
        # When the last offer of an interaction that waits ended in vain, in the channel's own time.
        self.asked_until = {}
        self.timed_out = set()
        # An edit cannot make anything time out before the event that follows it, whose time is the first one known.
        self.limit_lowered = False
        self.limit_since = 0
        self.had_agent = {}
        self.owners = {}
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

    def apply(self, event):
        at = instant(event["at"])
        if at > self.last_at:
            self.end_instant()
        self.last_at = at
        self.check_waits(self.clock.time(at))
        handler = HANDLERS.get(event["type"])
        if handler:
            handler(self, event, at)
        self.settled = True

    def configure(self, config):
        if config["strategy"] not in COMPARED_BY:
            raise Difference(f"the rules have no strategy {config['strategy']}")
        self.check_nobody_left_out()
        before, self.config = self.max_wait, config
        if self.max_wait is not None and (before is None or self.max_wait < before):
            self.limit_lowered = True
        self.settled = False

    def set_volume_full(self, full):
        self.volume_full = full
        self.settled = False

    def end_instant(self):
        """Checks what must have happened by now: the next event comes later, or there is none."""
        if self.to_be_away:
            raise Difference(f"at {self.last_at} this was left out: {names(self.to_be_away)} let {MISSED} offers pass")
        self.check_nobody_left_out()

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

    def agent_online(self, event, at):
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
        agent = self.agents[event["user"]]
        if event.get("missed") is not None:
            self.check_missed(event, agent)
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
        waiting = (self.had_agent, self.waits_since, self.asked_until, self.previous, self.offers, self.rests)
        for of_interactions in (self.owners, *waiting):
            of_interactions.pop(interaction, None)

    def assigned(self, event, at):
        interaction = self.known(event)
        if event.get("offer") is not None:
            self.check_acceptance(event, at)
            self.agents[event["user"]].begin_count_anew()
        elif self.is_choice(event):
            self.check_assignment(event, at)
            self.chosen(event["user"], event.get("position"))
        self.forget(interaction)
        self.owners[interaction] = event["user"]
        self.agents[event["user"]].last_given = at

    def is_choice(self, event):
        """Whether it says so, or the interaction waited and no supervisor gave it to somebody."""
        says_so = event.get("position") is not None or is_previous(event)
        return says_so or (event["interaction"] in self.had_agent and event.get("by") is None)

    def chosen(self, user, position):
        # Without a position it is nobody's turn and no chance is used up: RingAll, or the previous agent.
        if position is not None:
            self.seed = (self.seed + GAMMA) & MASK
            self.turn = (position, user.encode())

    def offered(self, event, at):
        interaction = self.known(event)
        self.check_offer(event, at)
        self.chosen(event["users"][0], event.get("position"))
        self.offers_made[interaction] += 1
        timeout = round(event["timeoutSeconds"] * SECOND)
        self.offers[interaction] = Offer(
            number=event["offer"],
            rings_all=event.get("position") is None and not is_previous(event),
            timeout=timeout,
            end=self.clock.time(at) + timeout,
            asked=set(event["users"]),
            may_accept=set(event["users"]),
        )

    def extended(self, event, at):
        offer = self.running(event)
        self.check_extension(event, offer, at)
        for user in event["users"]:
            self.check_asked_later(event["interaction"], offer, user)
            offer.asked.add(user)
            offer.may_accept.add(user)

    def declined(self, event, at):
        offer = self.running(event)
        self.check_may_accept(offer, event["user"], at)
        self.agents[event["user"]].begin_count_anew()
        offer.not_taken.add(event["user"])
        self.over_for(event["interaction"], offer, [event["user"]], at)

    def withdrawn(self, event, at):
        offer = self.running(event)
        for user in event["users"]:
            self.check_withdrawal(event["reason"], offer, user, at)
        if event["reason"] == "TimedOut":
            self.let_pass(offer, set(event["users"]), self.clock.time(at))
        self.over_for(event["interaction"], offer, event["users"], at)

    def let_pass(self, offer, users, now):
        offer.not_taken.update(users)
        for user in users:
            agent = self.agents[user]
            agent.let_pass(offer.end - offer.timeout, now)
            if agent.missed >= MISSED:
                self.to_be_away.add(user)

    def over_for(self, interaction, offer, users, at):
        offer.may_accept.difference_update(users)
        if not offer.may_accept:
            del self.offers[interaction]
            self.asked_until[interaction] = self.clock.time(at)
            end = self.clock.time(at) + offer.timeout
            self.rests.setdefault(interaction, {}).update({user: Rest(end) for user in offer.not_taken})

    def rested(self, event, at):
        interaction = self.known(event)
        for user in event["users"]:
            if not self.is_resting(interaction, user):
                raise Difference(f"{user} does not rest about interaction {interaction}")
            rest = self.rests[interaction][user]
            too_early = rest.end - self.clock.time(at)
            if too_early > 0:
                raise Difference(f"{user} rests for another {too_early / SECOND} s about interaction {interaction}")
            rest.over = True

    def is_resting(self, interaction, user):
        rest = self.rests.get(interaction, {}).get(user)
        return rest is not None and not rest.over

    def queue_timed_out(self, event, at):
        interaction = self.known(event)
        self.check_time_out(interaction, self.clock.time(at))
        self.timed_out.add(interaction)
        self.checked["timedOut"] += 1

    def closed(self, event, at):
        interaction = self.known(event)
        if interaction in self.owners:
            self.last_agents[self.customers[interaction]] = (self.owners[interaction], self.clock.time(at))
        for of_interactions in (self.arrived, self.arrived_on_clock, self.customers):
            del of_interactions[interaction]
        self.timed_out.discard(interaction)
        self.forget(interaction)
        if event.get("completedOn") is not None:
            self.finished(event, at)

    def finished(self, event, at):
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

    def running(self, event):
        """The offer of the event's interaction, which must be the one of the event."""
        interaction = self.known(event)
        offer = self.offers.get(interaction)
        if offer is None or offer.number != event["offer"]:
            runs = f"offer {offer.number}" if offer else "no offer"
            raise Difference(f"{runs} of interaction {interaction} runs, the event says {event['offer']}")
        return offer

    def check_assignment(self, event, at):
        if self.asks:
            raise Difference("with mode Ask nobody is given an interaction that waits, they are asked")
        if self.strategy == "RingAll":
            raise Difference("RingAll chooses nobody with mode Assign")
        self.check_choice(event, [event["user"]], at)

    def check_offer(self, event, at):
        if not self.asks:
            raise Difference("with mode Assign nobody is asked")
        if event["timeoutSeconds"] != self.config["offerTimeoutSeconds"]:
            raise Difference(f"{self.config['offerTimeoutSeconds']} s are configured for offers")
        number = self.offers_made[event["interaction"]] + 1
        if event["offer"] != number:
            raise Difference(f"it is offer {number} of interaction {event['interaction']}")
        if not event["users"]:
            raise Difference("nobody is asked")
        self.check_volume()
        if self.strategy == "RingAll":
            self.check_asked_before(self.queue(), event["users"], at)
        self.check_choice(event, event["users"], at)

    def check_previous(self, event, previous):
        if event.get("previousAgent") != previous:
            raise Difference(
                f"{previous or 'nobody'} comes first as the previous agent, "
                f"the event says {event.get('previousAgent') or 'nobody'}"
            )

    def check_waits(self, now):
        """Checks that nothing should have timed out before now, and did not."""
        if self.limit_lowered:
            self.limit_lowered, self.limit_since = False, now
        for interaction in self.queue():
            due = self.due(interaction)
            if due is None or interaction in self.offers:
                continue
            due = max(due, self.asked_until.get(interaction, due))
            if due < now:
                raise Difference(
                    f"interaction {self.describe_waiting(interaction)} should have timed out at {shown_time(due)} "
                    f"in the channel's own time, it is {shown_time(now)}"
                )

    def due(self, interaction):
        """When it times out unless agents are asked about it then, or None. Not before an edit that makes it so."""
        if self.max_wait is None or interaction in self.timed_out:
            return None
        return max(self.waits_since[interaction] + self.max_wait, self.limit_since)

    def check_time_out(self, interaction, now):
        if interaction not in self.had_agent:
            raise Difference(f"interaction {interaction} does not wait, so it does not time out")
        if interaction in self.offers:
            raise Difference(f"agents are asked: interaction {self.describe_waiting(interaction)}")
        if self.max_wait is None:
            raise Difference("interactions may wait as long as they like")
        if interaction in self.timed_out:
            raise Difference(f"interaction {interaction} timed out already")
        too_early = self.waits_since[interaction] + self.max_wait - now
        if too_early > 0:
            raise Difference(f"interaction {interaction} times out only in {too_early / SECOND} s")

    def check_timed_out_before(self, interaction, now):
        """What was due while agents were asked times out when that ends, before anybody else is chosen for it."""
        due = self.due(interaction)
        if due is not None and due < now:
            raise Difference(
                f"interaction {interaction} should have timed out when its offer ended, "
                f"as it was due at {shown_time(due)} in the channel's own time"
            )

    def check_acceptance(self, event, at):
        if event.get("position") is not None:
            raise Difference("who accepted an offer has no position")
        self.check_enabled()
        self.check_may_accept(self.running(event), event["user"], at)

    def check_may_accept(self, offer, user, at):
        self.check_asked(offer, user)
        reasons = [reason for reason in self.reasons(offer, user, at) if reason in OVER_AT_ONCE]
        if reasons:
            raise Difference(f"the offer is over for {user}: {', '.join(reasons)}")

    def check_withdrawal(self, reason, offer, user, at):
        self.check_asked(offer, user)
        reasons = self.reasons(offer, user, at)
        if reason not in reasons:
            raise Difference(f"the offer may be withdrawn from {user} for {' or '.join(reasons) or 'no reason'}")

    def check_asked(self, offer, user):
        if user not in offer.may_accept:
            raise Difference(f"{user} is not among those who may still accept the offer: {names(offer.may_accept)}")

    def reasons(self, offer, user, at):
        """Why the offer is over by now for the user, without their declining."""
        agent = self.agents[user]
        now = self.clock.time(at)
        holds = {
            "TimedOut": now >= offer.end,
            "AgentOffline": not agent.online and now - agent.offline_since >= OFFLINE,
            "AgentNotPresent": not agent.present,
            "AgentRemoved": user not in self.members,
        }
        return [reason for reason in holds if holds[reason]]

    def check_extension(self, event, offer, at):
        self.check_enabled()
        self.check_volume()
        # Also one that another strategy made before RingAll was configured stays as it is, or of the previous agent.
        if not (self.asks and self.strategy == "RingAll" and offer.rings_all):
            raise Difference("only RingAll asks others while an offer runs")
        if self.clock.time(at) >= offer.end:
            raise Difference("the time of the offer is over")
        queue = self.queue()
        self.check_asked_before(queue[: queue.index(event["interaction"])], event["users"], at)

    def check_asked_before(self, interactions, users, at):
        """RingAll asks about its running offers before anything else is offered, in the order of the queue."""
        for interaction in interactions:
            first = self.left_out(interaction, at).intersection(users)
            if first:
                raise Difference(f"{names(first)} must be asked before about interaction {interaction}")

    def check_asked_later(self, interaction, offer, user):
        obstacle = self.obstacle(interaction, offer, user)
        if obstacle:
            raise Difference(f"{user} {obstacle}")

    def obstacle(self, interaction, offer, user):
        """Why RingAll does not ask the user while the offer runs, or None."""
        if user in offer.may_accept:
            return "was asked already in this offer"
        if user in offer.not_taken:
            return "declined this offer, or let its time pass"
        if self.is_resting(interaction, user):
            return f"rests about interaction {interaction}"
        member = self.members.get(user)
        if member is None or not self.is_available(member):
            return "is not available"
        highest = self.highest_penalty(offer)
        if highest is None or member["penalty"] > highest:
            return f"has penalty {member['penalty']}, the highest of those asked is {highest}"
        return None

    def left_out(self, interaction, at):
        """Whom RingAll must still ask about the interaction while its offer runs."""
        offer = self.offers.get(interaction)
        if offer is None or not offer.rings_all or self.clock.time(at) >= offer.end:
            return set()
        return {user for user in self.members if self.obstacle(interaction, offer, user) is None}

    def check_nobody_left_out(self):
        # Otherwise the engine could not ask, or what it asks about now comes with the next event.
        certain = self.settled and self.is_enabled() and not self.volume_full
        if not (certain and self.asks and self.strategy == "RingAll"):
            return
        for interaction in self.queue():
            users = self.left_out(interaction, self.last_at)
            if users:
                raise Difference(
                    f"at {self.last_at} this was left out: {names(users)} must be asked about interaction "
                    f"{self.describe_waiting(interaction)}"
                )

    def check_missed(self, event, agent):
        if event["present"]:
            raise Difference("who let offers pass is set to not present")
        if event["missed"] < MISSED:
            raise Difference(f"only who let {MISSED} offers pass is set to not present")
        if event["missed"] != agent.missed:
            raise Difference(f"{event['user']} let {agent.missed} offers pass, the event says {event['missed']}")

    def highest_penalty(self, offer):
        """Of those who were asked and are still members, as they are now. Who went counts as not asked."""
        who = offer.may_accept | offer.not_taken
        asked = [member["penalty"] for user, member in self.members.items() if user in who]
        return max(asked, default=None)

    def check_choice(self, event, users, at):
        self.check_enabled()
        self.check_interaction(event)
        self.check_timed_out_before(event["interaction"], self.clock.time(at))
        several = self.check_agents(event, users, at)
        self.checked["previous" if is_previous(event) else self.strategy] += 1
        self.checked["withSeveral"] += several

    def is_enabled(self):
        return self.config["enabled"] and self.clock.stopped_at is None

    def check_volume(self):
        if self.volume_full:
            raise Difference("the volume is full, nobody is asked about anything more")

    def check_enabled(self):
        if not self.is_enabled():
            raise Difference("the channel is disabled, nobody is given or offered anything and nothing can be accepted")

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
        """All that wait, also those that agents are asked about."""
        return sorted(self.had_agent, key=self.queue_order)

    def queue_order(self, interaction):
        return not self.had_agent[interaction], self.arrived[interaction], id_order(interaction)

    def describe_waiting(self, interaction):
        before = "had an agent" if self.had_agent[interaction] else "had no agent"
        described = f"{interaction}: {before}, arrived {self.arrived[interaction]}"
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
        by_event = (sorted(users), event.get("position"), is_previous(event))
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
        """The members whom an interaction that waits may be given or offered to."""
        if interaction in self.offers:
            return []
        first = self.comes_first(interaction)
        if first is not None:
            return [first]
        available = [member for member in self.config["members"] if self.is_available(member)]
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
        takes_interactions = agent.present and agent.missed < MISSED
        return member["receive"] and agent.online and takes_interactions and has_room

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


def in_nanoseconds(seconds):
    return None if seconds is None else seconds * SECOND


def is_previous(event):
    """Whether the event says that the previous agent came first."""
    return event.get("previous") or False


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
    "InteractionOffered": History.offered,
    "OfferExtended": History.extended,
    "OfferDeclined": History.declined,
    "OfferWithdrawn": History.withdrawn,
    "OfferRested": History.rested,
    "InteractionRequeued": History.requeued,
    "QueueTimedOut": History.queue_timed_out,
    "InteractionClosed": History.closed,
}


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
    checked = Counter(dict.fromkeys([*COMPARED_BY, "withSeveral", "previous", "timedOut"], 0))
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
