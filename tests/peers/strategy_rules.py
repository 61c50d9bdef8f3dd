"""What the rules of docs/distribution.md compare, draw and remember: the parts that know no events."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf

GAMMA = 0x9E3779B97F4A7C15
MASK = 2**64 - 1
WEIGHT = 10**12

SECOND = 10**9
# So long may agents be offline before an offer ends for them.
OFFLINE = 30 * SECOND
# So long may who has an interaction be offline before they lose it.
GONE = 300 * SECOND
# The event that ends an offer or a transfer for another reason may follow in the same instant after an answer.
OVER_AT_ONCE = ("TimedOut", "AgentOffline", "OwnerOffline")
# Who lets so many offers pass in a row is set to not present.
MISSED = 3
EPOCH = datetime(1970, 1, 1)

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
    "RingAll": ("penalty", "position", "name"),
}


class Difference(Exception):
    """The events say something else than the rules."""


@dataclass
class Agent:
    online: bool = False
    # In the channel's own time. Of who was never seen it is not known.
    offline_since: float = inf
    present: bool = False
    last_finished: str = NEVER
    last_given: str = NEVER
    # How many offers they let pass in a row, and when the last that counts ended, in the channel's own time.
    missed: int = 0
    missed_at: int = 0

    def is_offline_for(self, span, now):
        return now >= self.is_offline_until(span)

    def is_offline_until(self, span):
        """When they will have been offline for the span if they do not come back, in the channel's own time."""
        return inf if self.online else self.offline_since + span

    def let_too_many_pass(self):
        """Whether they let so many offers pass that they are asked about nothing."""
        return self.missed >= MISSED

    def begin_count_anew(self):
        self.missed, self.missed_at = 0, 0

    def let_pass(self, made, now):
        if self.online and (self.missed == 0 or made >= self.missed_at):
            self.missed, self.missed_at = self.missed + 1, now


@dataclass
class Offer:
    """An offer that runs. Its times are in the channel's own time."""

    number: int
    rings_all: bool
    timeout: float
    end: float
    asked: set
    may_accept: set
    # Who declined it or let its time pass: they rest when it ends in vain.
    not_taken: set = field(default_factory=set)


@dataclass
class Transfer:
    """A transfer that runs: to an agent by name, whose offer runs with it, or to the queue."""

    user: str
    to: str | None
    # In the channel's own time.
    end: float

    def described_to(self):
        return self.to or "the queue"


@dataclass
class Rest:
    """The rest of an agent who did not take an interaction that waits, with its end in the channel's own time."""

    end: int
    over: bool = False


class Clock:
    """The channel's own time in nanoseconds: it stands still while the channel is disabled."""

    def __init__(self):
        self.stopped_at = None
        self.stood_still = 0

    def time(self, at):
        return (nanoseconds(at) if self.stopped_at is None else self.stopped_at) - self.stood_still

    def stop(self, at):
        if self.stopped_at is None:
            self.stopped_at = nanoseconds(at)

    def go_on(self, at):
        if self.stopped_at is not None:
            self.stood_still += nanoseconds(at) - self.stopped_at
            self.stopped_at = None


def instant(text):
    """A time in UTC as text of fixed width, so that texts compare as the times do, to the nanosecond."""
    if not text.endswith("Z"):
        raise ValueError(f"not a time in UTC: {text}")
    seconds, _, fraction = text[:-1].partition(".")
    return f"{seconds}.{fraction:0<9}"


def nanoseconds(at):
    seconds, _, fraction = at.partition(".")
    return (datetime.fromisoformat(seconds) - EPOCH) // timedelta(seconds=1) * SECOND + int(fraction)


def shown_time(time):
    seconds, fraction = divmod(time, SECOND)
    return f"{(EPOCH + timedelta(seconds=seconds)).isoformat()}.{fraction:09}"


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
    """Those whom the strategy chooses among candidates in the order of COMPARED_BY: one, but for RingAll."""
    if not ordered:
        return []
    lowest = [c for c in ordered if c["penalty"] == ordered[0]["penalty"]]
    if strategy == "RingAll":
        return lowest
    if strategy == "Random":
        return [draw(random, lowest, [1] * len(lowest))]
    if strategy == "WeightedRandom":
        return [draw(random, ordered, [WEIGHT // (1 + c["penalty"]) for c in ordered])]
    return ordered[:1]


def describe(strategy, ordered, random):
    lines = [f"  {describe_candidate(strategy, candidate)}" for candidate in ordered] or ["  nobody may have it"]
    if strategy in ("Random", "WeightedRandom"):
        lines.append(f"  random number: {random}")
    return "\n".join(lines)


def describe_candidate(strategy, candidate):
    keys = [key for key in COMPARED_BY[strategy] if key != "name"]
    return candidate["user"] + ": " + ", ".join(f"{key} {shown(candidate[key])}" for key in keys)


def shown(value):
    return "never" if value == NEVER else value


def in_nanoseconds(seconds):
    return None if seconds is None else seconds * SECOND


def names(users):
    return ", ".join(sorted(users)) or "nobody"
