"""Calls of services by bots, by docs/bots.md: what is asked, and what comes of the answer."""

import json
import re
from urllib.parse import quote

from bot_texts import PLACE, trimmed

METHOD = "GET"
MAX_RESPONSE_BYTES = 65536
MAX_ADDRESS_BYTES = 8000
MAX_DEPTH = 126

STRING = re.compile(r'"(?:\\.|[^"\\])*"', re.DOTALL)
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def request_of(call, variables):
    """What is asked, without what the engine adds and what is secret, or the failure that nothing can be asked."""
    url = address(call["url"], variables)
    if url is None:
        return {"failure": "Address"}
    return {
        "method": call.get("method") or METHOD,
        "url": url,
        "headers": headers(call.get("headers") or [], variables),
        "body": body(call.get("json"), variables),
    }


def address(url, variables):
    """The url with the variables in their places, or None where it may not be called with them."""
    host = re.match(r"[^:]+://[^/?#]*", url)[0]
    target = url[len(host):]
    target = filled_target(target if target.startswith("/") else "/" + target, variables)
    return None if target is None or has_dots(target) else host + target


def filled_target(template, variables):
    """Path and query, or None where a variable of the path has nothing or they grow too long."""
    target, end = "", 0
    for place in PLACE.finditer(template):
        target += template[end:place.start()]
        value = variables.get(place[1]) or ""
        # A `?` out of a value is percent-encoded.
        if not value and "?" not in target:
            return None
        target += quote(value, safe="")
        if len(target.encode()) > MAX_ADDRESS_BYTES:
            return None
        end = place.end()
    return target + template[end:]


def has_dots(target):
    """Whether a part of the path would lead to itself or a level up."""
    parts = re.split("/|%2f|%5c", target.partition("?")[0], flags=re.IGNORECASE)
    return any(re.sub("%2e", ".", part, flags=re.IGNORECASE) in (".", "..") for part in parts)


def headers(listed, variables):
    texts = [(header["name"], header["value"]) for header in listed if header.get("value") is not None]
    return [[name, trimmed(CONTROL.sub(" ", variables.fill(text)))] for name, text in texts]


def body(fields, variables):
    if fields is None:
        return None
    texts = {field["field"]: variables.fill(field["value"]) for field in fields}
    return json.dumps(dict(sorted(texts.items())), ensure_ascii=False, separators=(",", ":"))


def result_of(call, answer):
    """The call's "failure", or its "value", which is nothing to look at where no variable gets it."""
    if "failure" in answer:
        return {"failure": answer["failure"]}
    if call.get("into") is None:
        return {"value": None}
    if len(answer["body"].encode()) > (call.get("maxResponseBytes") or MAX_RESPONSE_BYTES):
        return {"failure": "TooLong"}
    try:
        return {"value": parsed(answer["body"])}
    except ValueError:
        return {"failure": "NotJson"}


def parsed(text):
    if depth(text) > MAX_DEPTH:
        raise ValueError("too many lists and objects within one another")
    value = json.loads(text, parse_int=number, parse_constant=refuse)
    # Half a surrogate pair and a number beyond all bounds have no place in a text: this raises a ValueError, too.
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    return value


def depth(text):
    """How many lists and objects are within one another at most. In what is no JSON it does not matter."""
    deepest = level = 0
    for character in re.sub(r"[^][{}]", "", STRING.sub("", text)):
        level += 1 if character in "[{" else -1
        deepest = max(deepest, level)
    return deepest


def number(digits):
    """A whole number is exact within 64 bits only."""
    whole = int(digits) if len(digits) <= 20 else None
    return whole if whole is not None and -(2**63) <= whole < 2**64 else float(digits)


def refuse(word):
    raise ValueError(f"{word} is no JSON")
