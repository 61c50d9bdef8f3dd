"""Webhooks signed by Twilio's Python SDK, mutations of them, and the SDK's verdict on each. Writes a JSON list.

A case is what arrives at a server: URL (public URL, path, query), headers and body. The verdict is what an application gets
that uses the SDK as documented: form bodies as a multi-dict that keeps blank and repeated values, other bodies as text, the
algorithm from its header, one validator per token. An exception is a refusal.
"""

import hashlib
import json
import sys
from urllib.parse import parse_qsl, quote, urlencode

from twilio.request_validator import RequestValidator, get_signature_algorithm

TOKEN = "the token in force"
PREVIOUS = "the token before it"
SUFFIX = "/hooks/inbound"
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


class MultiDict(dict):
    """What Django's QueryDict offers to the SDK."""

    def __init__(self, pairs):
        super().__init__(pairs)
        self.pairs = pairs

    def getlist(self, name):
        return [value for key, value in self.pairs if key == name]


def pairs_of(body):
    return parse_qsl(body, keep_blank_values=True, errors="replace")


class Case:
    def __init__(self, name, base="https://sms.example.com/desk", query=None, body="", media=FORM, token=TOKEN, settings=None):
        self.name, self.base, self.query, self.body, self.media = name, base, query, body, media
        self.token, self.settings = token, settings
        self.signature = self.sign()

    def url(self):
        return self.base + SUFFIX + ("" if self.query is None else "?" + self.query)

    def params(self):
        if self.media and self.media.split(";")[0].strip().lower() == FORM:
            return MultiDict(pairs_of(self.body))
        return self.body

    def sign(self, url=None):
        """The SDK's own signature of the request as it is now."""
        params = self.params()
        algorithm = get_signature_algorithm(self.settings)
        if algorithm.upper() not in ("HMAC_SHA1", "HMAC_SHA256"):
            algorithm = None
        signed = params if isinstance(params, MultiDict) else {}
        return RequestValidator(self.token).compute_signature(url or self.url(), signed, algorithm)

    def but(self, name, **changes):
        """The same request with changes, and the signature of before."""
        other = Case.__new__(Case)
        other.__dict__.update(self.__dict__)
        other.name = self.name + ": " + name
        resign = changes.pop("resign", False)
        for key, value in changes.items():
            assert hasattr(other, key), key
            setattr(other, key, value)
        if resign:
            other.signature = other.sign()
        return other

    def signed_as(self, name, url):
        return self.but(name, signature=self.sign(url))

    def verdict(self):
        if self.signature is None:
            return False
        try:
            algorithm = get_signature_algorithm(self.settings)
            return any(
                RequestValidator(token).validate(self.url(), self.params(), self.signature, algorithm)
                for token in (TOKEN, PREVIOUS)
            )
        except Exception:
            return False

    def document(self):
        headers = [["X-Twilio-Signature", self.signature]] if self.signature is not None else []
        if self.settings is not None:
            headers.append(["X-Twilio-Webhooks-Signature-Settings", self.settings])
        if self.media is not None:
            headers.append(["Content-Type", self.media])
        return {
            "name": self.name, "publicUrl": self.base, "query": self.query, "body": self.body,
            "headers": headers, "verdict": self.verdict(),
        }


MESSAGE = [
    ("ToCountry", "US"), ("SmsMessageSid", "SM1"), ("NumMedia", "0"), ("ToCity", ""), ("SmsStatus", "received"),
    ("Body", "Hello there"), ("To", "+15551230001"), ("From", "+15559870001"), ("AccountSid", "AC1"),
]


def form(pairs):
    return urlencode(pairs)


def parameters(case):
    pairs = pairs_of(case.body)
    names = [name for name, _ in pairs]
    replaced = lambda name, value: form([(k, value if k == name else v) for k, v in pairs])
    yield case.but("parameters reversed", body=form(pairs[::-1]))
    yield case.but("parameters sorted", body=form(sorted(pairs)))
    yield case.but("a parameter more", body=form(pairs + [("Extra", "1")]))
    yield case.but("a blank parameter more", body=form(pairs + [("Extra", "")]))
    yield case.but("a parameter without =", body=case.body + "&Extra")
    yield case.but("a nameless blank parameter", body=case.body + "&=")
    yield case.but("a nameless parameter", body=case.body + "&=x")
    yield case.but("a parameter less", body=form(pairs[1:]))
    yield case.but("without its blank parameters", body=form([(k, v) for k, v in pairs if v]))
    yield case.but("no parameters", body="")
    yield case.but("a value changed", body=replaced(names[-1], "AC2"))
    yield case.but("a value in capitals", body=replaced("Body", dict(pairs)["Body"].upper()))
    yield case.but("a value with a space before", body=replaced("Body", " " + dict(pairs)["Body"]))
    yield case.but("a value with a line feed after", body=replaced("Body", dict(pairs)["Body"] + "\n"))
    yield case.but("a value emptied", body=replaced("Body", ""))
    yield case.but("a name in capitals", body=form([(k.upper() if k == "Body" else k, v) for k, v in pairs]))
    yield case.but("names and values shifted", body=form([("Bo", "dy" + v) if k == "Body" else (k, v) for k, v in pairs]))
    yield case.but("two values swapped", body=form([(k, {"To": dict(pairs)["From"], "From": dict(pairs)["To"]}.get(k, v)) for k, v in pairs]))
    yield case.but("a value repeated", body=case.body + "&" + form([("Body", dict(pairs)["Body"])]))
    yield case.but("another value for a name", body=case.body + "&Body=other")
    yield case.but("another value before it", body="Body=other&" + case.body)
    yield case.but("a blank value for a name", body=case.body + "&Body=")
    yield case.but("everything twice", body=case.body + "&" + case.body)
    yield case.but("separators doubled", body="&" + case.body.replace("&", "&&") + "&")
    yield case.but("separated by ;", body=case.body.replace("&", ";"))


def quoting(case):
    yield case.but("spaces as %20", body=case.body.replace("+", "%20"))
    yield case.but("escapes in small letters", body=case.body.replace("%2B", "%2b"))
    yield case.but("everything escaped", body="&".join("%s=%s" % ("".join("%%%02X" % b for b in k.encode()), "".join("%%%02x" % b for b in v.encode())) for k, v in pairs_of(case.body)))
    yield case.but("plus signs bare", body=case.body.replace("%2B", "+"))
    yield case.but("escaped twice", body=case.body.replace("%", "%25"))
    yield case.but("a broken escape more", body=case.body + "&x=%zz", resign=True)
    yield case.but("bytes that are no text more", body=case.body + "&x=%ff%fe", resign=True)


def headers(case):
    signature = case.signature
    yield case.but("no signature", signature=None)
    yield case.but("an empty signature", signature="")
    yield case.but("signature in capitals", signature=signature.upper())
    yield case.but("signature in small letters", signature=signature.lower())
    yield case.but("signature cut", signature=signature[:-1])
    yield case.but("signature cut in the middle", signature=signature[: len(signature) // 2])
    yield case.but("signature longer", signature=signature + "=")
    yield case.but("signature in quotes", signature='"%s"' % signature)
    yield case.but("two signatures in one", signature=signature + "," + signature)
    yield case.but("signature with a bit changed", signature=("B" if signature[0] == "A" else "A") + signature[1:])
    yield case.but("URL-safe signature", signature=signature.replace("+", "-").replace("/", "_"))
    yield case.but("media type with charset", media=case.media + "; charset=UTF-8")
    yield case.but("media type in capitals", media=case.media.upper())
    yield case.but("no media type", media=None)
    yield case.but("media type of text", media="text/plain")
    yield case.but("another media type", media=JSON if case.media == FORM else FORM)


def tokens(case):
    yield case.but("previous token", token=PREVIOUS, resign=True)
    yield case.but("another token", token="another", resign=True)
    yield case.but("token with a space", token=TOKEN + " ", resign=True)
    yield case.but("token in capitals", token=TOKEN.upper(), resign=True)
    yield case.but("no token", token="", resign=True)


def urls(case):
    url = case.url()
    host = case.base.split("/")[2]
    bare = host.rsplit(":", 1)[0] if ":" in host.rsplit("]", 1)[-1] else host
    scheme = case.base.split(":")[0]
    at = lambda where: url.replace("//" + host, "//" + where, 1)
    for port in (80, 443, 8443, 8080):
        yield case.signed_as("signed with port %d" % port, at("%s:%d" % (bare, port)))
    yield case.signed_as("signed without port", at(bare))
    yield case.signed_as("signed with the other scheme", url.replace(scheme, {"https": "http", "http": "https"}[scheme], 1))
    yield case.signed_as("signed with scheme in capitals", url.replace(scheme, scheme.upper(), 1))
    yield case.signed_as("signed with host in capitals", at(host.upper()))
    yield case.signed_as("signed for another host", at("evil.example"))
    yield case.signed_as("signed with a user", at("ana@" + host))
    yield case.signed_as("signed with a slash more", url.replace(SUFFIX, SUFFIX + "/"))
    yield case.signed_as("signed for the other hook", url.replace(SUFFIX, "/hooks/status"))
    yield case.signed_as("signed without the public path", url.replace(case.base, case.base.rsplit("/", 1)[0], 1))
    yield case.signed_as("signed with a fragment", url + "#rc=3")
    yield case.signed_as("signed with an empty query", url + "?")


def queries(case):
    signed = case.but("query", query="t=7.a_b~c&x=1+2%203&y=", resign=True)
    yield signed
    yield signed.but("reordered", query="x=1+2%203&t=7.a_b~c&y=")
    yield signed.but("without its blank parameter", query="t=7.a_b~c&x=1+2%203")
    yield signed.but("quoted otherwise", query="t=7.a_b%7Ec&x=1+2%203&y=")
    yield signed.but("spaces otherwise", query="t=7.a_b~c&x=1%202+3&y=")
    yield signed.but("missing", query=None)
    yield signed.but("empty", query="")
    yield signed.but("a parameter more", query="t=7.a_b~c&x=1+2%203&y=&z=1")
    yield case.but("empty query", query="")
    yield case.but("empty query, signed", query="", resign=True)
    yield case.but("query of marks", query="??", resign=True)
    yield case.but("special characters in the query", query="a='()*!,;:@/?$[]&b=%27", resign=True)
    yield case.but("special characters signed escaped", query="a='x'", signature=case.sign(case.url() + "?a=%27x%27"))
    yield case.but("escaped characters signed plain", query="a=%27x%27", signature=case.sign(case.url() + "?a='x'"))


def algorithms(case):
    sha256 = case.but("HMAC-SHA256", settings="key=k1,algorithm=HMAC_SHA256", resign=True)
    yield sha256
    yield sha256.but("body changed", body=case.body + "&x=1")
    yield sha256.but("no settings", settings=None)
    yield sha256.but("settings say SHA1", settings="algorithm=HMAC_SHA1")
    for settings in ("algorithm=hmac_sha256", " key = k , algorithm = HMAC_SHA256 ", "algorithm=,algorithm=HMAC_SHA256",
                     "algorithm=HMAC_SHA256,algorithm=HMAC_SHA1", "Algorithm=HMAC_SHA256", "algorithm=HMAC_SHA512", "HMAC_SHA256"):
        yield sha256.but("settings %r" % settings, settings=settings)
    for settings in ("", "key=k1", "algorithm=", "algorithm=HMAC_SHA1", "algorithm=none", "algorithm=HMAC_SHA256"):
        yield case.but("SHA1 with settings %r" % settings, settings=settings)


def json_bodies():
    body = json.dumps({"MessageSid": "SM1", "To": "+15551230001", "From": "+15559870001", "Body": "Grüße 👋"}, ensure_ascii=False)
    right = hashlib.sha256(body.encode()).hexdigest()
    wrong = hashlib.sha256(b"other").hexdigest()
    case = Case("JSON", query="bodySHA256=" + right, body=body, media=JSON)
    yield case
    yield case.but("body changed", body=body.replace("SM1", "SM2"))
    yield case.but("body with a space more", body=body + " ")
    yield case.but("body gone", body="")
    yield case.but("another media type, signed", media=FORM, resign=True)
    yield case.but("hash gone", query=None, resign=True)
    yield case.but("hash of another body", query="bodySHA256=" + wrong, resign=True)
    yield case.but("hash in capitals", query="bodySHA256=" + right.upper(), resign=True)
    yield case.but("hash cut", query="bodySHA256=" + right[:-1], resign=True)
    yield case.but("hash empty", query="bodySHA256=", resign=True)
    yield case.but("name in small letters", query="bodysha256=" + right, resign=True)
    yield case.but("name escaped", query="body%53HA256=" + right, resign=True)
    yield case.but("right hash first", query="bodySHA256=%s&bodySHA256=%s" % (right, wrong), resign=True)
    yield case.but("wrong hash first", query="bodySHA256=%s&bodySHA256=%s" % (wrong, right), resign=True)
    yield case.but("empty hash first", query="bodySHA256=&bodySHA256=%s" % right, resign=True)
    yield case.but("among others", query="a=1&bodySHA256=%s&b=2" % right, resign=True)
    unbound = case.but("no hash", query="a=1", resign=True)
    yield unbound
    yield unbound.but("added later", query="a=1&bodySHA256=" + right)
    yield from headers(case)
    yield from tokens(case)
    empty = hashlib.sha256(b"").hexdigest()
    yield Case("JSON, empty body", body="", media=JSON)
    yield Case("JSON, empty body with hash", query="bodySHA256=" + empty, body="", media=JSON)
    yield Case("JSON, empty body with another hash", query="bodySHA256=" + wrong, body="", media=JSON)
    yield Case("form with the hash of its body", query="bodySHA256=" + hashlib.sha256(form(MESSAGE).encode()).hexdigest(), body=form(MESSAGE))
    yield Case("form with another hash", query="bodySHA256=" + wrong, body=form(MESSAGE))


def cases():
    message = form(MESSAGE)
    plain = Case("form", body=message)
    yield plain
    for kind in (parameters, quoting, headers, tokens, urls, queries, algorithms):
        yield from kind(plain)
    odd = Case("odd values", body=form(MESSAGE + [
        ("Body", "Grüße 👋 €\u2028"), ("Body", ""), ("z\ufffd", "1"), ("z😀", "2"), ("a b", "c=d&e"), ("", "nameless"),
        ("MediaUrl", "b"), ("MediaUrl", "a"), ("MediaUrl", "a"),
    ]))
    yield odd
    yield from parameters(odd)
    yield from quoting(odd)
    for base in ("https://sms.example.com:8443/desk", "https://sms.example.com:443/desk", "http://sms.example.com/desk",
                 "http://sms.example.com:80/desk", "http://sms.example.com:8080/desk", "https://192.0.2.7:8443/x",
                 "https://[2001:db8::7]/x", "https://[2001:db8::7]:8443/x", "https://SMS.Example.com/a%20b/c;d"):
        there = Case("at " + base, base=base, body=message)
        yield there
        yield from urls(there)
    yield from json_bodies()


if __name__ == "__main__":
    json.dump([case.document() for case in cases()], sys.stdout)
