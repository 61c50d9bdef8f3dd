"""Webhooks signed as MessageBird signs them, and what MessageBird's Python SDK says of each."""

import hashlib
import json
import time

import jwt
from messagebird.request_validator import RequestValidator
from mutations import Call, show

KEY = "a signing key"
VALIDATOR = RequestValidator(KEY)
JSON = {"Content-Type": "application/json"}


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def signed(call, key=KEY, algorithm="HS256", without=(), **claims):
    now = int(time.time())
    said = {"iss": "MessageBird", "nbf": now, "exp": now + 600, "jti": "f4ed837e", "url_hash": sha256(call.url())}
    if call.body:
        said["payload_hash"] = sha256(call.body)
    said = {name: value for name, value in {**said, **claims}.items() if name not in without}
    call.headers = {"MessageBird-Signature-JWT": jwt.encode(said, key, algorithm), **call.headers}
    return call


def message(name, text="Hello", headers=JSON, **more):
    body = {"id": "M1", "originator": "15559870001", "recipient": "15551230001", "payload": text}
    return Call(name, headers, json.dumps(body, ensure_ascii=False), **more)


def receipt(name, **more):
    query = "id=M1&reference=7-1.abc~15551230001&recipient=15559870001&status=delivered&statusDatetime=2026-01-02T03%3A04%3A05%2B00%3A00"
    return Call(name, {}, query=query, hook="status", method="GET", **more)


def calls():
    now = int(time.time())
    yield signed(message("a message"))
    yield signed(message("a message that is not ASCII", "Grüße, 世界 😀"))
    yield signed(message("a message by HS384"), algorithm="HS384")
    yield signed(message("a message by HS512"), algorithm="HS512")
    yield signed(receipt("a receipt"))
    yield signed(receipt("a receipt below another path", public_url="https://sms.example.com/a/b"))
    yield signed(message("with another key"), key="another key")
    yield signed(message("of another issuer"), iss="Somebody")
    yield signed(message("without an algorithm"), key=None, algorithm="none")
    for claim in ["iss", "nbf", "exp", "jti", "url_hash", "payload_hash"]:
        yield signed(message(f"a message without {claim}"), without=[claim])
    yield signed(receipt("a receipt with a hash of no body"), payload_hash=sha256(""))
    yield signed(receipt("a receipt with an empty hash"), payload_hash="")
    yield signed(message("a message with hashes in capitals"), payload_hash=sha256("x").upper())
    yield signed(message("a message that is over"), exp=now - 60)
    yield signed(message("a message that is not yet"), nbf=now + 600)
    yield signed(message("a message that is good for a day"), nbf=now - 3600, exp=now + 86_400)
    yield Call("without a token", JSON, message("").body)


def verdict(call):
    token = next((value for name, value in call.headers.items() if name.lower() == "messagebird-signature-jwt"), "")
    VALIDATOR.validate_signature(token, call.url(), call.body.encode())
    return True


show(calls(), verdict)
