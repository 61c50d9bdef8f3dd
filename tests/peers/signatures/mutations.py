"""Calls of webhooks, mutations of them, and how to print them with a verdict on each.

A case is what arrives at a server: method, public URL, path below it, query, headers and body. The verdict is the provider's own SDK's; an exception of
the SDK is a refusal.
"""

import copy
import json
import sys

PUBLIC_URL = "https://sms.example.com/desk"


class Call:
    def __init__(self, name, headers, body="", query=None, hook="inbound", method="POST", public_url=PUBLIC_URL):
        self.name, self.method, self.public_url, self.hook = name, method, public_url, hook
        self.query, self.headers, self.body = query, dict(headers), body

    def url(self):
        return f"{self.public_url}/hooks/{self.hook}" + ("" if self.query is None else "?" + self.query)

    def but(self, name, **changes):
        call = copy.deepcopy(self)
        call.name = f"{self.name}: {name}"
        for key, value in changes.items():
            setattr(call, key, value)
        return call


def texts(text):
    """Small changes of a text, each with a name."""
    yield "empty", ""
    yield "the last character gone", text[:-1]
    yield "the first character gone", text[1:]
    yield "a character more", text + "A"
    yield "in small letters", text.lower()
    yield "in capitals", text.upper()
    yield "twice", text + text
    for at in range(0, len(text), max(1, len(text) // 8)):
        yield f"another character at {at}", text[:at] + ("B" if text[at] != "B" else "C") + text[at + 1 :]


def mutations(call):
    """Calls that differ a little from one that was signed."""
    for header, value in call.headers.items():
        rest = {name: other for name, other in call.headers.items() if name != header}
        yield call.but(f"without {header}", headers=rest)
        yield call.but(f"{header} in capitals", headers={**rest, header.upper(): value})
        for name, text in texts(value):
            if text != value:
                yield call.but(f"{header}: {name}", headers={**rest, header: text})
    for name, text in texts(call.body):
        if text != call.body:
            yield call.but(f"body: {name}", body=text)
    yield call.but("body: a line feed more", body=call.body + "\n")
    yield call.but("body: a blank before it", body=" " + call.body)
    yield call.but("query: a parameter more", query="x=1" if call.query is None else call.query + "&x=1")
    yield call.but("query: empty", query="")
    if call.query:
        yield call.but("query: gone", query=None)
        for name, text in texts(call.query):
            if text != call.query:
                yield call.but(f"query: {name}", query=text)
    yield call.but("the other webhook", hook="status" if call.hook == "inbound" else "inbound")


def show(calls, verdict):
    """Prints the calls, their mutations, and what `verdict` says of each."""
    shown = []
    for signed in calls:
        for call in [signed, *mutations(signed)]:
            try:
                believed = bool(verdict(call))
            except Exception:  # An SDK refuses in many ways.
                believed = False
            shown.append(
                {
                    "name": call.name,
                    "method": call.method,
                    "publicUrl": call.public_url,
                    "path": f"/hooks/{call.hook}" + ("" if call.query is None else "?" + call.query),
                    "headers": list(call.headers.items()),
                    "body": call.body,
                    "verdict": believed,
                }
            )
    json.dump(shown, sys.stdout)
