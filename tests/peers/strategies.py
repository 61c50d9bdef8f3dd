"""Checks which agents the strategies chose, by the rules of docs/distribution.md.

Reads histories as JSON Lines from stdin: {"history": N} begins one, {"config": {...}} says what is in force from there
on, {"event": {...}} is an event of the engine. Follows the events, decides each choice by the rules and compares it
with what the event says. The first difference is described on stderr, and the exit status is 1. Without a difference,
stdout gets one JSON object: how many choices were checked per strategy, and how many had several candidates.
"""

import json
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

GAMMA = 0x9E3779B97F4A7C15
MASK = 2**64 - 1
WEIGHT = 10**12

# Sorts before every instant.
NEVER = ""

# What candidates are compared by, in this order. For strategies by chance it is the order of their places.
COMPARED_BY = {
    "LeastRecent": ("penalty", "lastFinished", "lastGiven", "position", "name"),
    "FewestInteractions": ("penalty", "finishedToday", "has", "lastGiven", "position", "name"),
    "Linear": ("penalty", "position", "name"),
    "RoundRobin": ("round", "position", "name"),
    "Random": ("penalty", "position", "name"),
    "WeightedRandom": ("penalty", "position", "name"),
}


class Difference(Exception):
    """The events say something else than the rules."""


@dataclass
class Agent:
    online: bool = False
    present: bool = False
    last_finished: str = NEVER
    last_given: str = NEVER
    finished_on: Counter = field(default_factory=Counter)


def instant(text):
    """A time in UTC as text of fixed width, so that texts compare as the times do, to the nanosecond."""
    if not text.endswith("Z"):
        raise ValueError(f"not a time in UTC: {text}")
    seconds, _, fraction = text[:-1].partition(".")
    return f"{seconds}.{fraction:0<9}"


def date_in_zone(at, offset_seconds):
    # The fraction cannot change the date, as the offset is in whole seconds.
    seconds = datetime.fromisoformat(at.partition(".")[0])
    return (seconds + timedelta(seconds=offset_seconds)).date().isoformat()


def id_order(interaction):
    """Orders numbers as numbers, also when they are written as text."""
    text = str(interaction)
    return len(text), text


def mix(z):
    z &= MASK
    z ^= z >> 30
    z = z * 0xBF58476D1CE4E5B9 & MASK
    z ^= z >> 27
    z = z * 0x94D049BB133111EB & MASK
    return z ^ z >> 31


def at_place(place, ordered, weights):
    for candidate, weight in zip(ordered, weights):
        if place < weight:
            return candidate
        place -= weight
    raise AssertionError("the place is beyond the last candidate")


def draw(random, ordered, weights):
    place = random * sum(weights) >> 64
    return at_place(place, ordered, weights)


def choose(strategy, ordered, random):
    """The one that the strategy chooses among candidates in the order of COMPARED_BY."""
    if strategy == "Random":
        lowest = [c for c in ordered if c["penalty"] == ordered[0]["penalty"]]
        return draw(random, lowest, [1] * len(lowest))
    if strategy == "WeightedRandom":
        return draw(random, ordered, [WEIGHT // (1 + c["penalty"]) for c in ordered])
    return ordered[0]


def describe(strategy, ordered, random):
    lines = [f"  {describe_candidate(strategy, candidate)}" for candidate in ordered] or ["  nobody is available"]
    if strategy in ("Random", "WeightedRandom"):
        lines.append(f"  random number: {random}")
    return "\n".join(lines)


def describe_candidate(strategy, candidate):
    keys = [key for key in COMPARED_BY[strategy] if key != "name"]
    return candidate["user"] + ": " + ", ".join(f"{key} {shown(candidate[key])}" for key in keys)


def shown(value):
    return "never" if value == NEVER else value


class History:
    def __init__(self, number, checked):
        self.number = number
        self.checked = checked
        self.config = {"enabled": False, "strategy": "none", "zoneOffsetSeconds": 0, "members": []}
        self.agents = defaultdict(Agent)
        self.arrived = {}
        self.had_agent = {}
        self.owners = {}
        self.seed = 0
        self.turn = None

    @property
    def strategy(self):
        return self.config["strategy"]

    def apply(self, event):
        handler = HANDLERS.get(event["type"])
        if handler:
            handler(self, event, instant(event["at"]))

    def today(self, at):
        return date_in_zone(at, self.config["zoneOffsetSeconds"])

    def has(self, user):
        return sum(owner == user for owner in self.owners.values())

    def engine_started(self, event, at):
        for agent in self.agents.values():
            agent.online = False
        self.seed = mix(int(event.get("idsFrom") or 0) + GAMMA)

    def agent_online(self, event, at):
        self.agents[event["user"]].online = True

    def agent_offline(self, event, at):
        self.agents[event["user"]].online = False

    def presence_set(self, event, at):
        self.agents[event["user"]].present = event["present"]

    def opened(self, event, at):
        self.arrived[event["interaction"]] = at

    def queued(self, event, at):
        self.wait(event, had_agent=False)

    def requeued(self, event, at):
        self.wait(event, had_agent=True)

    def wait(self, event, had_agent):
        interaction = self.known(event)
        self.owners.pop(interaction, None)
        self.had_agent[interaction] = had_agent

    def assigned(self, event, at):
        interaction = self.known(event)
        if event.get("position") is not None:
            self.check_choice(event, at)
            self.seed = (self.seed + GAMMA) & MASK
            self.turn = (event["position"], event["user"].encode())
        self.had_agent.pop(interaction, None)
        self.owners[interaction] = event["user"]
        self.agents[event["user"]].last_given = at

    def closed(self, event, at):
        interaction = self.known(event)
        del self.arrived[interaction]
        self.had_agent.pop(interaction, None)
        self.owners.pop(interaction, None)
        if event.get("completedOn") is not None:
            self.finished(event, at)

    def finished(self, event, at):
        if event["completedOn"] != self.today(at):
            raise Difference(f"it was finished on {self.today(at)} in the zone, the event says {event['completedOn']}")
        agent = self.agents[event["owner"]]
        agent.last_finished = at
        agent.finished_on[event["completedOn"]] += 1

    def known(self, event):
        if event["interaction"] not in self.arrived:
            raise Difference(f"interaction {event['interaction']} was not opened, or is closed")
        return event["interaction"]

    def check_choice(self, event, at):
        self.check_enabled()
        self.check_interaction(event)
        several = self.check_agent(event, at)
        self.checked[self.strategy] += 1
        self.checked["withSeveral"] += several

    def check_enabled(self):
        if not self.config["enabled"]:
            raise Difference("the channel is disabled, the rules give nothing to anybody")

    def check_interaction(self, event):
        queue = sorted(self.had_agent, key=self.queue_order)
        if not queue or queue[0] != event["interaction"]:
            waiting = "\n".join(f"  {self.describe_waiting(interaction)}" for interaction in queue)
            first = f"interaction {queue[0]} is the first" if queue else "none waits"
            raise Difference(f"{first} in the queue, the event says {event['interaction']}\n{waiting}".rstrip())

    def queue_order(self, interaction):
        return not self.had_agent[interaction], self.arrived[interaction], id_order(interaction)

    def describe_waiting(self, interaction):
        before = "had an agent" if self.had_agent[interaction] else "had no agent"
        return f"{interaction}: {before}, arrived {self.arrived[interaction]}"

    def check_agent(self, event, at):
        """Whether there were several candidates."""
        ordered = self.candidates(at)
        random = mix(self.seed + GAMMA)
        choice = choose(self.strategy, ordered, random) if ordered else {"user": "nobody", "position": "none"}
        by_rules = (choice["user"], choice["position"])
        by_event = (event["user"], event["position"])
        if by_rules != by_event:
            raise Difference(
                f"the rules choose {by_rules[0]} with position {by_rules[1]}, "
                f"the event says {by_event[0]} with position {by_event[1]}; candidates in order:\n"
                f"{describe(self.strategy, ordered, random)}"
            )
        return len(ordered) > 1

    def candidates(self, at):
        keys = COMPARED_BY[self.strategy]
        available = [self.candidate(member, at) for member in self.config["members"] if self.is_available(member)]
        return sorted(available, key=lambda candidate: [candidate[key] for key in keys])

    def is_available(self, member):
        agent = self.agents[member["user"]]
        has_room = self.has(member["user"]) < member["maxInteractions"]
        return member["receive"] and agent.online and agent.present and has_room

    def candidate(self, member, at):
        agent = self.agents[member["user"]]
        place = (member["position"], member["user"].encode())
        return {
            "user": member["user"],
            "penalty": member["penalty"],
            "lastFinished": agent.last_finished,
            "lastGiven": agent.last_given,
            "finishedToday": agent.finished_on[self.today(at)],
            "has": self.has(member["user"]),
            "round": 1 if self.turn is None or place > self.turn else 2,
            "position": place[0],
            "name": place[1],
        }


HANDLERS = {
    "EngineStarted": History.engine_started,
    "AgentOnline": History.agent_online,
    "AgentOffline": History.agent_offline,
    "AgentPresenceSet": History.presence_set,
    "InteractionOpened": History.opened,
    "InteractionQueued": History.queued,
    "InteractionAssigned": History.assigned,
    "InteractionRequeued": History.requeued,
    "InteractionClosed": History.closed,
}


def follow(line, history, checked):
    """The history that goes on after the line."""
    if "history" in line:
        return History(line["history"], checked)
    if "config" in line:
        if line["config"]["strategy"] not in COMPARED_BY:
            raise Difference(f"the rules have no strategy {line['config']['strategy']}")
        history.config = line["config"]
    else:
        history.apply(line["event"])
    return history


def main():
    checked = Counter(dict.fromkeys([*COMPARED_BY, "withSeveral"], 0))
    history = History("none", checked)
    for number, text in enumerate(sys.stdin, start=1):
        try:
            history = follow(json.loads(text), history, checked)
        except Difference as difference:
            where = f"history {history.number}, line {number}, strategy {history.strategy}"
            print(f"{where}: {difference}\nline {number}: {text.strip()}", file=sys.stderr)
            return 1
    print(json.dumps(checked))
    return 0


if __name__ == "__main__":
    sys.exit(main())
