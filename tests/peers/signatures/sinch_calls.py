"""Webhooks signed as Sinch signs them, and what Sinch's Python SDK says of each."""

import base64
import hashlib
import hmac
import json
import time

from mutations import Call, show
from sinch.domains.sms.sinch_events.v1.sms_sinch_event import SmsSinchEvent

SECRET = "foo_secret1234"
NONCE = "01FJA8B4A7BM43YGWSG9GBV067"
HEADER = "x-sinch-webhook-signature"
SDK = SmsSinchEvent(SECRET)


def signed(name, body, at=None, secret=SECRET, nonce=NONCE, algorithm=None, **more):
    at = str(int(time.time())) if at is None else at
    signature = hmac.new(secret.encode(), f"{body}.{nonce}.{at}".encode(), hashlib.sha256).digest()
    headers = {HEADER: base64.b64encode(signature).decode(), f"{HEADER}-timestamp": at, f"{HEADER}-nonce": nonce}
    if algorithm is not None:
        headers[f"{HEADER}-algorithm"] = algorithm
    return Call(name, headers, body, **more)


def document(**fields):
    return json.dumps({"id": "M1", "from": "15559870001", "to": "15551230001", **fields}, ensure_ascii=False)


RECEIPT = document(type="recipient_delivery_report_sms", batch_id="B1", recipient="15559870001", code=0, status="Delivered")


def calls():
    yield signed("a message", document(type="mo_text", body="Hello"))
    yield signed("a message that is not ASCII", document(type="mo_text", body="Grüße, 世界 😀"))
    yield signed("a binary message", document(type="mo_binary", body="SGVsbG8=", udh="050003070201"))
    yield signed("a message with files", document(type="mo_media", body={"message": "x", "media": []}))
    yield signed("a receipt", RECEIPT, hook="status", query="t=7.abc&n=%2B15551230001")
    yield signed("a call of another kind", '{"type": "delivery_report_sms"}')
    yield signed("a call without a body", "")
    yield signed("a message with another secret", document(type="mo_text", body="Hello"), secret="another")
    yield signed("a message of long ago", document(type="mo_text", body="Hello"), at="1634579353")
    yield signed("a message whose time is a word", document(type="mo_text", body="Hello"), at="soon")
    yield signed("a message with another algorithm", document(type="mo_text", body="Hello"), algorithm="HmacSHA1")


def verdict(call):
    return SDK.validate_authentication_header(call.headers, call.body.encode())


show(calls(), verdict)
