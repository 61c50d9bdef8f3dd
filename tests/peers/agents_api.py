"""Schemathesis on the agents' API of a running engine, from the engine's own OpenAPI document.

Usage: agents_api.py URL USER SEED SECONDS, with the user's token as standard input. Exits with 1 when an answer is not as the document
says; its output has the request then. Its last line says how often each operation was answered with which status, in JSON.

What is generated names interactions and customers that do not exist, and gets no further. So most requests are made to speak of
what the engine has now; which ones, and how, follows from what was generated.
"""

import json
import sys
import zlib
from collections import Counter

import requests
import schemathesis
from schemathesis.cli import schemathesis as command

URL, USER, SEED, SECONDS = sys.argv[1:]
TOKEN = sys.stdin.readline().strip()
CHANNEL = "support"
SUPERVISOR = "eva"

# It never ends: an answer would never be complete. What it says has tests of its own.
EXCLUDED = "/v1/channels/{channel}/stream"

CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
]

session = requests.Session()
session.headers["Authorization"] = f"Bearer {TOKEN}"
answers = Counter()


class Chance:
    """Numbers that follow from what was generated, so that a case that is repeated is the same."""

    def __init__(self, case):
        self.text = repr((case.operation.label, case.path_parameters, case.query, case.body, case.headers))
        self.asked = 0

    def below(self, most):
        self.asked += 1
        return zlib.crc32(f"{self.asked} {self.text}".encode(errors="replace")) % most

    def one(self, of):
        return of[self.below(len(of))]


def interactions(state):
    path = f"{URL}/v1/channels/{CHANNEL}/interactions"
    return session.get(path, params={"limit": 50, "order": "newest", "state": state}, timeout=60).json()["items"]


def asked(interaction):
    """The offer that the user may accept, or None."""
    offer, transfer = interaction.get("offer", {}), interaction.get("transfer", {})
    if USER in offer.get("to", []):
        return offer["id"]
    return transfer.get("offer") if transfer.get("to") == {"agent": USER} else None


# What the user may do it to, by the last part of the path.
SUITABLE = {
    "accept": lambda interaction: asked(interaction) is not None,
    "decline": lambda interaction: asked(interaction) is not None,
    "cancel-transfer": lambda interaction: "transfer" in interaction and interaction.get("owner") == USER,
    "reply": lambda interaction: interaction.get("owner") == USER,
    "finish": lambda interaction: interaction.get("owner") == USER,
    "transfer": lambda interaction: interaction.get("owner") == USER and "transfer" not in interaction,
}


def interaction_for(case, chance):
    there = interactions("Active") + interactions("Queued")
    suitable = SUITABLE.get(case.operation.path.rsplit("/", 1)[-1], lambda interaction: True)
    found = [interaction for interaction in there if suitable(interaction)]
    return chance.one(found or there or interactions("Closed") or [None])


def message_for(case, chance):
    """A message of an open interaction, with that; one that the user may have sent once more, if that is asked."""
    resend = case.operation.path.endswith("/resend")
    there = interactions("Active") + ([] if resend else interactions("Queued"))
    if resend and USER != SUPERVISOR:
        there = [interaction for interaction in there if interaction.get("owner") == USER]
    begin = chance.below(len(there)) if there else 0
    for interaction in there[begin:] + there[:begin]:
        path = f"{URL}/v1/channels/{CHANNEL}/interactions/{interaction['id']}"
        answer = session.get(path, timeout=60)
        # It may be gone by now.
        messages = answer.json()["messages"] if answer.ok else []
        found = [message for message in messages if not resend or message.get("status") == "Unknown"]
        if found:
            return interaction, chance.one(found)
    return None, None


def body_for(body, interaction, chance):
    body = dict(body)
    if "epoch" in body:
        body["epoch"] = interaction["epoch"]
    if "offer" in body:
        body["offer"] = asked(interaction) or body["offer"]
    if "to" in body and chance.below(3):
        body["to"] = {"agent": chance.one(["ana", "bo", "eva"])}
    if "number" in body:
        body["number"] = f"+1555987{1000 + chance.below(9000)}"
    if "text" in body and chance.below(4):
        body["text"] = f"Hello {body['text']}"
    if "disposition" in body and chance.below(3):
        body["disposition"] = chance.one(["done", None])
    # Whoever is not present is given nothing.
    if "present" in body and chance.below(4):
        body["present"] = True
    return body


@schemathesis.hook
def before_call(context, case, kwargs):
    chance = Chance(case)
    parameters = case.path_parameters
    if not chance.below(10):
        return
    if "channel" in parameters:
        parameters["channel"] = CHANNEL
    if "number" in parameters:
        parameters["number"] = f"+1555987{chance.below(40):04}"
    has_body = isinstance(case.body, dict)
    if not has_body and "id" not in parameters:
        return
    if "/messages/{id}" in case.operation.path:
        interaction, named = message_for(case, chance)
    else:
        interaction = named = interaction_for(case, chance)
    if interaction is None:
        return
    if "id" in parameters:
        parameters["id"] = named["id"]
    if has_body and chance.below(8):
        case.body = body_for(case.body, interaction, chance)
    if "Idempotency-Key" in (case.headers or {}) and chance.below(8):
        case.headers["Idempotency-Key"] = f"{chance.below(2**32):08x}"


@schemathesis.hook
def after_call(context, case, response):
    answers[f"{case.operation.label} {response.status_code}"] += 1


def main():
    arguments = [
        "run", f"{URL}/openapi.json", "--seed", SEED, "--max-time", SECONDS, "--checks", ",".join(CHECKS),
        "--header", f"Authorization: Bearer {TOKEN}", "--exclude-path", EXCLUDED, "--no-color",
        "--generation-database", "none", "--no-shrink", "--continue-on-failure", "--request-timeout", "60", "--warnings", "off",
    ]
    # Its end is the process's; what was answered is said before.
    try:
        command(arguments)
    finally:
        print(json.dumps(answers))


if __name__ == "__main__":
    main()
