"""Webhooks signed as Plivo signs them, and what Plivo's Python SDK says of each."""

import base64
import hashlib
import hmac
from urllib.parse import parse_qs, parse_qsl, urlencode

from mutations import Call, show
from plivo.utils import validate_signature, validate_v3_signature

TOKEN = "an auth token"
NONCE = "05429567804466091622"
V3, V3_OF_MAIN, V3_NONCE = "X-Plivo-Signature-V3", "X-Plivo-Signature-Ma-V3", "X-Plivo-Signature-V3-Nonce"
V2, V2_OF_MAIN, V2_NONCE = "X-Plivo-Signature-V2", "X-Plivo-Signature-Ma-V2", "X-Plivo-Signature-V2-Nonce"


def sign(text, token=TOKEN):
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha256).digest()).decode()


def of_v3(url, body, nonce=NONCE, token=TOKEN):
    """By Plivo's description, not by its SDK."""
    url, _, query = url.partition("?")
    query = "&".join(f"{name}={value}" for name, value in sorted(parse_qsl(query, keep_blank_values=True)))
    form = "".join(name + value for name, value in sorted(parse_qsl(body, keep_blank_values=True)))
    question = "?" if query or form else ""
    stop = "." if query and form else ""
    return sign(f"{url}{question}{query}{stop}{form}.{nonce}", token)


def v3(name, body, header=V3, nonce=NONCE, token=TOKEN, before="", **more):
    call = Call(name, {}, body, **more)
    call.headers = {header: before + of_v3(call.url(), body, nonce, token), V3_NONCE: nonce}
    return call


def v2(name, body, header=V2, nonce=NONCE, token=TOKEN, **more):
    call = Call(name, {}, body, **more)
    call.headers = {header: sign(call.url().partition("?")[0] + nonce, token), V2_NONCE: nonce}
    return call


def message(text, **more):
    parameters = {"From": "15559870001", "To": "15551230001", "Text": text, "Type": "sms", "MessageUUID": "M1"}
    return urlencode({**parameters, **more})


RECEIPT = urlencode({"MessageUUID": "M1", "From": "15551230001", "To": "15559870001", "Status": "sent", "ErrorCode": "000"})
OF_A_MESSAGE = {"hook": "status", "query": "t=7.abc&n=%2B15551230001"}


def calls():
    yield v3("a message", message("Hello"))
    yield v3("a message that is not ASCII", message("Grüße, 世界 😀 & more + 100%"))
    yield v3("a message with an empty parameter", message("", MessageIntent=""))
    yield v3("a message with a parameter twice", message("Hello") + "&Text=Bye&Text=")
    yield v3("a receipt", RECEIPT, **OF_A_MESSAGE)
    yield v3("a receipt whose query is in another order", RECEIPT, hook="status", query="n=%2B15551230001&t=7.abc&a=")
    yield v3("a call without a body", "", hook="status", query="t=7.abc")
    yield v3("a call without anything", "", hook="status")
    yield v3("a message, signed for the main account", message("Hello"), header=V3_OF_MAIN)
    yield v3("a message with several signatures", message("Hello"), before="AAAA," + sign("x") + ",")
    yield v3("a message with another token", message("Hello"), token="another")
    yield v2("a message of version 2", message("Hello"))
    yield v2("a receipt of version 2", RECEIPT, **OF_A_MESSAGE)
    yield v2("a message of version 2, signed for the main account", message("Hello"), header=V2_OF_MAIN)
    yield v2("a message of version 2 with another token", message("Hello"), token="another")


def verdict(call):
    headers = {name.lower(): value for name, value in call.headers.items()}
    form = parse_qs(call.body, keep_blank_values=True)

    def believed_by(header, nonce, check):
        return header.lower() in headers and check(headers[header.lower()], headers[nonce.lower()])

    def by_v3(signature, nonce):
        return validate_v3_signature(call.method, call.url(), nonce, TOKEN, signature, dict(form))

    def by_v2(signature, nonce):
        return validate_signature(call.url(), nonce, signature, TOKEN)

    # Which function is to be asked of a call with signatures of both versions, the SDK does not say: there is none here.
    of_v3 = any(believed_by(header, V3_NONCE, by_v3) for header in (V3, V3_OF_MAIN))
    return of_v3 or any(believed_by(header, V2_NONCE, by_v2) for header in (V2, V2_OF_MAIN))


show(calls(), verdict)
