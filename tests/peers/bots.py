"""Runs conversations with bots by the rules of docs/bots.md and docs/reference/bot.md.

Reads JSON Lines from stdin, one conversation a line: its number as "conversation", the spec of the "bot", the variables
that are always there as "given", what the customer does at each wait as "inputs" ({"text": "..."} or
{"timedOut": true}), what comes of each call of a service as "answers" ({"body": "..."} or {"failure": "TimedOut"}), and
as "isOpen" whether the campaign is within its hours in each turn. A turn is what the bot does between two waits, for
the customer or for a service; the first begins the conversation. Inputs and answers that are left over when the bot
has ended are ignored. A call that cannot be made takes no answer.
Writes one JSON line for each: the "conversation", its "turns", and how it came to its "end", which is null when the
inputs or answers ran out while the bot waits. A turn has the "texts" that are sent, the steps "taken" with their
outcomes, what the bot has to "wait" for then, or null, and the "request" where that is a service.
"""

import json
import re
import sys

from bot_calls import request_of, result_of
from bot_texts import Variables, cut, cut_to_parts, is_blank, trimmed

ATTEMPTS = 3
IDLE_SECONDS = 600
PRIORITY = 0

# A bot that takes so many steps in one turn runs in a circle, of which the rules say nothing.
MAX_STEPS = 100_000

SMALLEST, LARGEST = -(2**63), 2**63 - 1


class Conversation:
    def __init__(self, bot, given, is_open):
        self.bot = bot
        self.names = [step["name"] for step in bot["steps"]]
        self.steps = dict(zip(self.names, bot["steps"]))
        self.is_open = is_open
        self.variables = Variables(given)
        self.turns = []
        self.end = None

    def run(self, inputs, answers):
        inputs, answers = iter(inputs), iter(answers)
        self.begin_turn()
        self.carry_out(self.bot.get("startAt") or self.names[0])
        while self.end is None:
            waits = self.turn["wait"]
            given = self.result(answers) if "calls" in waits else next(inputs, None)
            if given is None:
                break
            self.begin_turn()
            self.carry_out(self.go_on(waits, given))

    def result(self, answers):
        """What comes of the turn's call, or None where no answer is left."""
        request = self.turn["request"]
        return request if "failure" in request else next(answers, None)

    def go_on(self, waits, given):
        if "calls" in waits:
            return self.take_up(self.steps[waits["calls"]], given)
        return self.hear(self.steps[waits["step"]], waits["attempt"], given)

    @property
    def turn(self):
        return self.turns[-1]

    def begin_turn(self):
        self.turns.append({"texts": [], "taken": [], "wait": None})

    def carry_out(self, name):
        """Takes steps until one waits or ends the bot."""
        while name is not None:
            if len(self.turn["taken"]) > MAX_STEPS:
                raise ValueError(f"the bot took {MAX_STEPS} steps without waiting, and is at {name}")
            step = self.steps[name]
            name = HANDLERS[kind(step)](self, step)

    def take(self, step, outcome, **more):
        self.turn["taken"].append({"step": step["name"], "outcome": outcome, **more})

    def below(self, step):
        """The step that follows where the step itself names the next one or none."""
        return step.get("next") or self.names[self.names.index(step["name"]) + 1]

    def send(self, text):
        """Whether there was something to send."""
        text = cut_to_parts(cut(text))
        if is_blank(text):
            return False
        self.turn["texts"].append(text)
        return True

    def say(self, step):
        sent = self.send(self.variables.fill(step["say"]["text"]))
        self.take(step, "Said" if sent else "Blank")
        return self.below(step)

    def ask(self, step):
        self.send(self.variables.fill(step["ask"]["text"]))
        self.take(step, "Asked")
        self.wait(step, 1)

    def ask_again(self, step, attempt):
        texts = [step["ask"].get("invalidText"), step["ask"]["text"]]
        filled = [self.variables.fill(text) for text in texts if text is not None]
        self.send("\n".join(text for text in filled if not is_blank(text)))
        self.take(step, "Invalid")
        self.wait(step, attempt)

    def wait(self, step, attempt):
        seconds = step["ask"].get("timeoutSeconds") or self.bot.get("idleSeconds") or IDLE_SECONDS
        self.turn["wait"] = {"step": step["name"], "attempt": attempt, "seconds": seconds}

    def hear(self, step, attempt, given):
        """What the question leads to: a step, or None where the bot waits again or has ended."""
        if given.get("timedOut"):
            return self.time_out(step)
        value = accepted(step["ask"], trimmed(given["text"]))
        if value is not None:
            self.variables.set(step["ask"]["into"], value)
            return self.unless_too_many(step, "Answered")
        if attempt < (step["ask"].get("attempts") or ATTEMPTS):
            return self.ask_again(step, attempt + 1)
        self.take(step, "NoAnswer")
        return step["ask"].get("onInvalid") or self.fail("NoAnswer")

    def time_out(self, step):
        self.take(step, "TimedOut")
        if step["ask"].get("onTimeout"):
            return step["ask"]["onTimeout"]
        self.send(self.variables.fill(self.bot.get("idleMessage") or ""))
        return self.fail("TimedOut")

    def branch(self, step):
        for case in step["branch"]["cases"]:
            if all(self.holds(condition) for condition in case["when"]):
                self.take(step, "Case", case=case["name"])
                return case["next"]
        self.take(step, "Otherwise")
        return step["branch"]["otherwise"]

    def holds(self, condition):
        text = self.variables.get(condition["variable"])
        compared = {name: condition[name] for name in COMPARISONS if condition.get(name) is not None}
        if text is None:
            return compared == {"present": False}
        return all(COMPARISONS[name](text, operand) for name, operand in compared.items())

    def set(self, step):
        for value in step["set"]["values"]:
            self.variables.set(value["variable"], self.variables.fill(value["value"]))
        return self.unless_too_many(step, "Set")

    def unless_too_many(self, step, outcome):
        """A step that sets too much has no outcome, but ends the bot."""
        if self.variables.are_too_many():
            return self.fail("TooManyVariables")
        self.take(step, outcome)
        return self.below(step)

    def in_hours(self, step):
        is_open = self.is_open[len(self.turns) - 1]
        self.take(step, "Open" if is_open else "Closed")
        return step["inHours"]["open" if is_open else "closed"]

    def call(self, step):
        self.turn["wait"] = {"calls": step["name"]}
        self.turn["request"] = request_of(step["http"], self.variables)

    def take_up(self, step, answer):
        """The step that the call leads to, or None where the answer ends the bot."""
        result = result_of(step["http"], answer)
        if "failure" in result:
            self.take(step, "CallFailed", failure=result["failure"])
            return step["http"]["onError"]
        if step["http"].get("into") is not None:
            self.variables.set(step["http"]["into"], result["value"])
        return self.unless_too_many(step, "Called")

    def hand_off(self, step):
        self.take(step, "HandedOff")
        priority = step["handOff"].get("priority") or PRIORITY
        self.end = {"reason": "HandedOff", "priority": priority, "note": self.note(step["handOff"])}

    def finish(self, step):
        self.take(step, "Finished")
        self.end = {"reason": "Finished", "note": self.note(step["finish"])}

    def note(self, settings):
        note = self.variables.fill(settings.get("note") or "")
        return None if is_blank(note) else note

    def fail(self, reason):
        self.end = {"reason": reason}


HANDLERS = {
    "say": Conversation.say,
    "ask": Conversation.ask,
    "branch": Conversation.branch,
    "set": Conversation.set,
    "inHours": Conversation.in_hours,
    "http": Conversation.call,
    "handOff": Conversation.hand_off,
    "finish": Conversation.finish,
}


def kind(step):
    return next(name for name in HANDLERS if step.get(name) is not None)


def accepted(question, answer):
    """What the variable gets, or None where the answer is not accepted."""
    if not answer:
        return None
    if question.get("answers") is not None:
        return listed(question["answers"], answer)
    if question.get("matches") is not None and not expression(question["matches"]).fullmatch(answer):
        return None
    return answer


def listed(answers, answer):
    for listed_answer in answers:
        value = listed_answer["value"]
        texts = [value, *(listed_answer.get("synonyms") or [])]
        if answer.lower() in [trimmed(text).lower() for text in texts]:
            return value
    return None


def expression(pattern):
    """The expression with `$` meaning the very end, as in RE2, and never a line break before it."""
    # Escapes and character classes are passed over: `$` is a character there.
    skipped = r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]"
    return re.compile(re.sub(rf"({skipped})|\$", lambda part: part[1] or r"\Z", pattern, flags=re.DOTALL))


def whole_number(text):
    """The number that the text is, or None."""
    written = re.fullmatch("([+-]?)0*([0-9]{1,19})", trimmed(text))
    number = int(written[1] + written[2]) if written else None
    return number if number is not None and SMALLEST <= number <= LARGEST else None


def is_below(text, limit):
    number = whole_number(text)
    return number is not None and number < limit


def is_above(text, limit):
    number = whole_number(text)
    return number is not None and number > limit


COMPARISONS = {
    "equals": lambda text, other: text == other,
    "oneOf": lambda text, others: text in others,
    "matches": lambda text, pattern: expression(pattern).search(text) is not None,
    "present": lambda text, wanted: (text != "") == wanted,
    "lessThan": is_below,
    "greaterThan": is_above,
}


def main():
    for line in sys.stdin.buffer:
        given = json.loads(line)
        conversation = Conversation(given["bot"], given["given"], given["isOpen"])
        conversation.run(given["inputs"], given.get("answers") or [])
        print(json.dumps({
            "conversation": given["conversation"], "turns": conversation.turns, "end": conversation.end
        }))
    return 0


if __name__ == "__main__":
    sys.exit(main())
