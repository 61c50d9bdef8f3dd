"""The service level by the rules of docs/concepts.md, computed in SQL from a store's event table alone.

Reads JSON Lines from stdin, one day a line: the "store", the "goals" in force by the hash of their configuration
({"targetSeconds": ..., "windowSeconds": ..., "answeredBy": ...}), and "checks", each of them the number of the last event that
counts ("last") and the instant ("now"). Writes one JSON line for each day: "levels", one for each check, with the numbers under
their names in the API; "asterisk", what Asterisk's app_queue would say at the last check, with whether ours "reduces" to it there;
and how many samples of each "kinds" there are. Fails when the samples that the events tell are not those of the rules.
"""

import calendar
import json
import sqlite3
import sys
import time
from fractions import Fraction

SECOND = 10**9

# An event a row, in order. A customer may be answered, when an interaction enters the queue, if their sender can receive texts
# and they have not opted out.
EVENTS = """
CREATE TABLE happened AS
SELECT event.first + each.key AS n, nanos(each.value ->> 'at') AS at, each.value ->> 'type' AS type,
       each.value ->> 'interaction' AS interaction, each.value ->> 'customer' AS customer, each.value AS body
FROM store.event, json_each(event.body) AS each ORDER BY n;
CREATE UNIQUE INDEX happened_by_n ON happened (n);
CREATE INDEX happened_by_type ON happened (type, n);
CREATE INDEX happened_by_interaction ON happened (interaction, n);

CREATE TABLE goal AS
SELECT n, goals.value ->> 'targetSeconds' AS target, goals.value ->> 'windowSeconds' AS window,
       goals.value ->> 'answeredBy' AS answered_by
FROM happened JOIN json_each(:goals) AS goals ON goals.key = body ->> 'hash' WHERE happened.type = 'ConfigApplied';

CREATE TABLE conversation AS
SELECT interaction, customer, n AS opened,
       (SELECT min(n) FROM happened AS h WHERE h.interaction = o.interaction AND type = 'InteractionClosed') AS closed
FROM happened AS o WHERE type = 'InteractionOpened';
CREATE INDEX conversation_by_customer ON conversation (customer, opened);

-- The clock starts once, if nobody has had the interaction before and the customer may be answered.
CREATE TABLE entered AS
SELECT interaction, customer, n, at, measured FROM (
    SELECT q.interaction, c.customer, q.n, q.at, q.body ->> 'measured' AS measured,
           row_number() OVER (PARTITION BY q.interaction ORDER BY q.n) AS nth,
           EXISTS (SELECT 1 FROM happened AS h WHERE h.interaction = q.interaction AND h.n < q.n
                   AND type = 'InteractionAssigned') AS had_agent,
           (SELECT body ->> 'canReceive' FROM happened AS h WHERE type = 'CustomerAdded' AND h.customer = c.customer) AS reachable,
           coalesce((SELECT type FROM happened AS h WHERE type IN ('OptedOut', 'OptedIn') AND h.customer = c.customer AND h.n < q.n
                     ORDER BY h.n DESC LIMIT 1), 'OptedIn') = 'OptedOut' AS opted_out
    FROM happened AS q JOIN conversation AS c USING (interaction) WHERE q.type = 'InteractionQueued')
WHERE nth = 1 AND NOT had_agent AND reachable AND NOT opted_out;

-- What ends a wait.
CREATE TABLE ending AS
SELECT interaction, n, at, 'Answered' AS result FROM happened
WHERE type = 'OutboundCommitted' AND body ->> '$.purpose.kind' = 'Reply'
UNION ALL
SELECT interaction, n, at, 'Answered' FROM happened AS h
WHERE type = 'InteractionAssigned'
  AND (SELECT answered_by FROM goal WHERE goal.n < h.n ORDER BY goal.n DESC LIMIT 1) = 'Accept'
UNION ALL
SELECT c.interaction, h.n, h.at, 'Abandoned' FROM happened AS h JOIN conversation AS c ON c.customer = h.customer
WHERE h.type = 'OptedOut' AND c.opened < h.n AND (c.closed IS NULL OR c.closed > h.n)
UNION ALL
SELECT interaction, n, at, 'NoReply' FROM happened
WHERE type = 'BotStarted' AND body ->> 'finished' IS NOT NULL
UNION ALL
SELECT interaction, n, at, CASE body ->> 'reason' WHEN 'Finished' THEN 'NoReply' WHEN 'BySupervisor' THEN 'NoReply' ELSE 'Unanswered' END
FROM happened WHERE type = 'InteractionClosed';

-- One for each interaction: the first end after the clock started, with the target of then.
CREATE TABLE sample AS
SELECT interaction, n, at, result, waited, target, waited <= target * 1000000000 AS in_target FROM (
    SELECT entered.interaction, ending.n, ending.at, ending.result, ending.at - entered.at AS waited,
           row_number() OVER (PARTITION BY entered.interaction ORDER BY ending.n) AS nth,
           (SELECT target FROM goal WHERE goal.n < ending.n ORDER BY goal.n DESC LIMIT 1) AS target
    FROM entered JOIN ending ON ending.interaction = entered.interaction AND ending.n > entered.n)
WHERE nth = 1;
"""

LEVEL = """
WITH goal_now AS (SELECT * FROM goal WHERE n <= :last ORDER BY n DESC LIMIT 1),
     counted AS (SELECT sample.* FROM sample, goal_now
                 WHERE sample.n <= :last AND :now - sample.at < goal_now.window * 1000000000)
SELECT count(*) FILTER (WHERE result = 'Answered') AS answered,
       count(*) FILTER (WHERE result = 'Answered' AND in_target) AS answeredInTarget,
       count(*) FILTER (WHERE result = 'Abandoned') AS abandoned,
       count(*) FILTER (WHERE result = 'Abandoned' AND in_target) AS abandonedInTarget,
       count(*) FILTER (WHERE result = 'Unanswered') AS unanswered,
       count(*) FILTER (WHERE result = 'NoReply') AS noReply,
       count(*) FILTER (WHERE result = 'NoReply' AND in_target) AS noReplyInTarget,
       (SELECT count(*) FROM entered, goal_now WHERE entered.n <= :last AND :now - entered.at > goal_now.target * 1000000000
        AND NOT EXISTS (SELECT 1 FROM sample AS s WHERE s.interaction = entered.interaction AND s.n <= :last)) AS waitingBeyondTarget
FROM counted
"""

# A sample is told beside the event that ends the wait, before or after it.
TOLD = """
SELECT interaction, at, body ->> 'result' AS result, body ->> 'waitedMillis' AS millis, body ->> 'targetSeconds' AS target,
       body ->> 'inTarget' AS in_target
FROM happened WHERE type = 'ServiceLevelSampled' ORDER BY interaction
"""
RECKONED = "SELECT interaction, at, result, waited / 1000000 AS millis, target, in_target FROM sample ORDER BY interaction"


class Difference(Exception):
    pass


def nanos(text):
    """Nanoseconds since 1970 of a time in UTC with up to nine digits of a second."""
    seconds, _, rest = text.removesuffix("Z").partition(".")
    return calendar.timegm(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S")) * SECOND + int(rest.ljust(9, "0"))


def percent(part, whole):
    return part * 100 // whole if whole else None


def level(sql, check):
    row = dict(sql.execute(LEVEL, {"last": check["last"], "now": nanos(check["now"])}).fetchone())
    missed = row["unanswered"] + row["noReply"] - row["noReplyInTarget"]
    row["percent"] = percent(row["answeredInTarget"], row["answered"] + missed)
    in_target = row["answeredInTarget"] + row["abandonedInTarget"]
    row["percentWithAbandoned"] = percent(in_target, row["answered"] + missed + row["abandoned"])
    return row


def check_samples(sql):
    told, reckoned = ([tuple(row) for row in sql.execute(query)] for query in (TOLD, RECKONED))
    if told != reckoned:
        raise Difference(f"told: {sorted(set(told) - set(reckoned))}; by the rules: {sorted(set(reckoned) - set(told))}")
    measured = {row["interaction"] for row in sql.execute("SELECT interaction FROM happened WHERE body ->> 'measured'")}
    if measured != {row["interaction"] for row in sql.execute("SELECT interaction FROM entered")}:
        raise Difference("others are measured than those who may be answered")


def asterisk(sql, target):
    """ServicelevelPerf and ServicelevelPerf2 of app_queue: an interaction that may be answered is a call, an agent who has it
    answers, its end is the hang-up, and times are whole seconds. A call counts when it is over; who was not answered is abandoned."""
    calls, answers = {}, {}
    completed = completed_in_level = abandoned = abandoned_in_level = 0
    called = {row["interaction"]: row["n"] for row in sql.execute("SELECT interaction, n FROM entered")}
    for row in sql.execute("SELECT n, at, type, interaction FROM happened WHERE interaction IS NOT NULL ORDER BY n"):
        call, now = row["interaction"], row["at"] // SECOND
        if row["type"] == "InteractionQueued" and called.get(call) == row["n"]:
            calls[call] = now
        elif row["type"] == "InteractionAssigned" and call in calls:
            answers.setdefault(call, now)
        elif row["type"] == "InteractionClosed" and call in calls:
            in_level = answers.get(call, now) - calls.pop(call) <= target
            if call in answers:
                completed, completed_in_level = completed + 1, completed_in_level + in_level
            else:
                abandoned, abandoned_in_level = abandoned + 1, abandoned_in_level + in_level
    perf = Fraction(100 * completed_in_level, completed) if completed else 0
    over = completed + abandoned
    perf2 = Fraction(100 * (completed_in_level + abandoned_in_level), over) if over else 0
    return {"perf": int(perf), "perf2": int(perf2), "inProgress": len(calls)}


def reduces(sql, check, said, phone):
    """Whether one goal was in force all day, an agent who has an interaction has answered it, nobody was missed, none is in
    progress, and all of the day is in the window: then the formulas are the same."""
    goals = sql.execute("SELECT DISTINCT target, window, answered_by FROM goal").fetchall()
    missed = said["unanswered"] + said["noReply"] - said["noReplyInTarget"]
    first = sql.execute("SELECT min(at) FROM happened").fetchone()[0]
    return (
        len(goals) == 1
        and goals[0]["answered_by"] == "Accept"
        and nanos(check["now"]) - first < goals[0]["window"] * SECOND
        and missed == said["noReply"] == phone["inProgress"] == 0
        and said["answered"] + said["abandoned"] > 0
    )


def judge(day):
    sql = sqlite3.connect(":memory:")
    sql.row_factory = sqlite3.Row
    sql.create_function("nanos", 1, nanos, deterministic=True)
    sql.execute("ATTACH ? AS store", (day["store"],))
    for statement in EVENTS.split(";"):
        sql.execute(statement, {"goals": json.dumps(day["goals"])} if ":goals" in statement else {})
    check_samples(sql)
    levels = [level(sql, check) for check in day["checks"]]
    phone = asterisk(sql, sql.execute("SELECT target FROM goal LIMIT 1").fetchone()["target"])
    phone["reduces"] = reduces(sql, day["checks"][-1], levels[-1], phone)
    kinds = sql.execute("SELECT result || iif(in_target, 'InTarget', 'Late') AS kind, count(*) AS count FROM sample GROUP BY 1")
    return {"levels": levels, "asterisk": phone, "kinds": {row["kind"]: row["count"] for row in kinds}}


def main():
    for number, line in enumerate(sys.stdin):
        try:
            print(json.dumps(judge(json.loads(line))))
        except Difference as difference:
            print(f"day {number}: {difference}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
