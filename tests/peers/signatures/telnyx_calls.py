"""Webhooks signed as Telnyx signs them, and what Telnyx' Python SDK says of each."""

import base64
import json
import time

from mutations import Call, show
from nacl.signing import SigningKey
from telnyx import Telnyx

KEY = SigningKey(bytes([7] * 32))
PUBLIC_KEY = base64.b64encode(bytes(KEY.verify_key)).decode()
CLIENT = Telnyx(api_key="KEY0123", public_key=PUBLIC_KEY)


def signed(name, body, at=None, key=KEY, **more):
    at = str(int(time.time())) if at is None else at
    signature = base64.b64encode(key.sign(f"{at}|{body}".encode()).signature).decode()
    headers = {"telnyx-signature-ed25519": signature, "telnyx-timestamp": at, "Content-Type": "application/json"}
    return Call(name, headers, body, **more)


def message(text):
    payload = {
        "id": "M1", "direction": "inbound", "type": "SMS", "text": text,
        "from": {"phone_number": "+15559870001"}, "to": [{"phone_number": "+15551230001", "status": "delivered"}],
    }
    return json.dumps({"data": {"record_type": "event", "id": "E1", "event_type": "message.received", "payload": payload}})


def calls():
    now = int(time.time())
    yield signed("a message", message("Hello"))
    yield signed("a message that is not ASCII", json.dumps(json.loads(message("Grüße, 世界 😀")), ensure_ascii=False))
    yield signed("an event of another kind", '{"data": {"event_type": "x", "payload": {"id": "1", "from": {}}}}')
    yield signed("a receipt", message("Hello").replace("message.received", "message.finalized"), hook="status", query="t=7.abc&n=%2B15551230001")
    yield signed("with another key", message("Hello"), key=SigningKey(bytes([8] * 32)))
    for name, at in [("young", now + 200), ("old", now - 200), ("too young", now + 900), ("too old", now - 900)]:
        yield signed(f"a message that is {name}", message("Hello"), at=str(at))
    times = {
        "is missing": "",
        "is a word": "soon",
        "has a fraction": f"{now}.5",
        "has a sign": f"+{now}",
        "has an underscore": f"{str(now)[:4]}_{str(now)[4:]}",
        "is negative": f"-{now}",
        "is 1970": "0",
        "is huge": "9" * 30,
    }
    for name, at in times.items():
        yield signed(f"a message whose time {name}", message("Hello"), at=at)


def verdict(call):
    CLIENT.webhooks.unwrap(call.body, headers=call.headers)
    return True


show(calls(), verdict)
