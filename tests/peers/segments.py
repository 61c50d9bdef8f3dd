"""What smsutil and gsm0338 say of texts, and which characters they write in GSM 7-bit.

Reads a JSON list of texts from standard input. Writes, for each package, the "alphabet" (code point, septets, what it reads
back from them) and a verdict for each text: "encoding", "units" (septets, or 16-bit code units), and "parts".
gsm0338 knows no parts.
"""

import json
import sys

import gsm0338
import smsutil

CODE_POINTS = [code for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]

GSM0338 = gsm0338.Codec()


def by_smsutil(text):
    split = smsutil.split(text)
    is_gsm = split.encoding == "gsm0338"
    return {
        "encoding": "Gsm7" if is_gsm else "Ucs2",
        "units": split.total_bytes // (1 if is_gsm else 2),
        "parts": [part.content for part in split.parts],
    }


def by_gsm0338(text):
    try:
        return {"encoding": "Gsm7", "units": len(GSM0338.encode(text)[0]), "parts": None}
    except UnicodeEncodeError:
        return {"encoding": "Ucs2", "units": len(text.encode("utf_16_be")) // 2, "parts": None}


def alphabet(encode, decode):
    for code in CODE_POINTS:
        try:
            septets = encode(chr(code))
        except UnicodeEncodeError:
            continue
        yield code, list(septets), decode(septets)


def smsutil_alphabet():
    for code, septets, read in alphabet(lambda character: character.encode("gsm0338"), smsutil.decode):
        # Whether it chooses the encoding for a text.
        if smsutil.is_valid_gsm(chr(code)):
            yield code, septets, read


def gsm0338_alphabet():
    return alphabet(lambda character: GSM0338.encode(character)[0], lambda septets: GSM0338.decode(septets)[0])


if __name__ == "__main__":
    texts = json.load(sys.stdin)
    said = {
        "smsutil": {"alphabet": list(smsutil_alphabet()), "verdicts": [by_smsutil(text) for text in texts]},
        "gsm0338": {"alphabet": list(gsm0338_alphabet()), "verdicts": [by_gsm0338(text) for text in texts]},
    }
    json.dump(said, sys.stdout)
