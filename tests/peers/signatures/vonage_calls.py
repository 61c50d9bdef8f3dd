"""Webhooks signed as Vonage signs them, and what Vonage's Python SDK says of each.

The SDK checks parameters and leaves it to the server to read them: from the query of a GET, from a form or a JSON object of a POST. It knows the four
HMACs; "MD5 hash" has tests of its own beside the gateway's code.
"""

import hashlib
import hmac
import json
import time
from urllib.parse import parse_qsl, quote_plus

from mutations import Call, show
from vonage_http_client import Auth

SECRET = "another secret"
AUTH = Auth(api_key="abcd1234", signature_secret=SECRET, signature_method="sha256")
FORM, JSON = "application/x-www-form-urlencoded", "application/json"


def signature(parameters, secret=SECRET, method="sha256"):
    text = "".join(f"&{name}={value.replace('&', '_').replace('=', '_')}" for name, value in sorted(parameters.items()))
    return hmac.new(secret.encode(), text.encode(), getattr(hashlib, method)).hexdigest().upper()


def encoded(parameters):
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in parameters.items())


def message(text, **more):
    return {
        "api-key": "abcd1234", "msisdn": "15559870001", "to": "15551230001", "messageId": "M1", "text": text, "type": "unicode",
        "keyword": "HELLO", "message-timestamp": "2026-01-02 03:04:05", "timestamp": str(int(time.time())), "nonce": "aaaa-bbbb", **more,
    }


def receipt(**more):
    return {
        "api-key": "abcd1234", "msisdn": "15559870001", "to": "15551230001", "messageId": "M1", "status": "delivered", "err-code": "0",
        "client-ref": "7-1.abc~15551230001", "network-code": "310004", "price": "0.03330000", "scts": "2601020304",
        "timestamp": str(int(time.time())), "nonce": "aaaa-bbbb", **more,
    }


def get(name, parameters, **more):
    return Call(name, {}, query=encoded(parameters), method="GET", **more)


def form(name, parameters, **more):
    return Call(name, {"Content-Type": FORM}, encoded(parameters), **more)


def as_json(name, parameters, **more):
    return Call(name, {"Content-Type": JSON}, json.dumps(parameters), **more)


def signed(parameters, **how):
    return {**parameters, "sig": signature(parameters, **how)}


def calls():
    now = int(time.time())
    yield get("a message by GET", signed(message("Hello")))
    yield form("a message in a form", signed(message("Grüße, 世界 😀 & more = + 100%")))
    yield as_json("a message in JSON", signed(message("Grüße, 世界 😀 & more = + 100%")))
    yield as_json("a message in JSON whose signature is in small letters", {**message("x"), "sig": signature(message("x")).lower()})
    yield form("an empty message", signed(message("")))
    yield get("a receipt", signed(receipt()), hook="status")
    yield form("a part", signed(message("Hel", concat="true", **{"concat-ref": "7", "concat-total": "2", "concat-part": "1"})))
    yield form("with another secret", signed(message("Hello"), secret="a third secret"))
    yield form("with another method", signed(message("Hello"), method="sha512"))
    yield form("without a signature", message("Hello"))
    yield form("with two signatures", message("Hello") | {"sig": "0" * 64, "sig ": signature(message("Hello"))})
    for name, at in [("young", now + 200), ("some hours old", now - 8 * 3600), ("too young", now + 900), ("too old", now - 90_000)]:
        yield form(f"a message that is {name}", signed(message("Hello", timestamp=str(at))))
    yield form("a message whose time is a word", signed(message("Hello", timestamp="soon")))
    joined = message("Hello")
    del joined["text"], joined["nonce"]
    yield form("two parameters in one name", {**joined, "nonce=aaaa-bbbb&text": "Hello", "sig": signature(message("Hello"))})
    yield Call("of no media type", {}, encoded(signed(message("Hello"))))
    yield Call("of another media type", {"Content-Type": "text/plain"}, encoded(signed(message("Hello"))))


def once(encoded_parameters):
    """Servers differ in which value of a name they take that comes twice; Vonage sends none."""
    pairs = parse_qsl(encoded_parameters, keep_blank_values=True)
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name comes twice")
    return dict(pairs)


def parameters(call):
    if call.method == "GET":
        return once(call.query or "")
    media_type = next((value for name, value in call.headers.items() if name.lower() == "content-type"), "")
    match media_type.split(";")[0].strip().lower():
        case "application/json":
            return json.loads(call.body)
        case "application/x-www-form-urlencoded":
            return once(call.body)
    return {}


def verdict(call):
    return AUTH.check_signature(parameters(call))


show(calls(), verdict)
