"""Variables of bots and the texts they are filled into, by docs/bots.md."""

import json
import re
from functools import reduce

MAX_CHARACTERS = 1600
MAX_PARTS = 10
MAX_VARIABLES = 256 * 1024

# What Unicode calls White_Space. Python's own idea of it has four separators more.
BLANKS = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"

# GSM 03.38. A character of the extension table takes an escape before it.
GSM = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = set("\f^{}\\[~]|€")
GSM_PART = 153
UCS2_PART = 67

PLACE = re.compile(r"\{\{\s*([^\s{}]+)\s*\}\}")


class Variables:
    """What a conversation knows. Its own values are texts, and what services answered as JSON."""

    def __init__(self, given):
        self.given = given
        self.own = {}

    def set(self, name, value):
        self.own[name] = value

    def get(self, path):
        """The text at the path, or None where the variable is absent."""
        if path in self.given:
            return self.given[path]
        return as_text(reduce(part_of, path.split("."), self.own))

    def fill(self, template):
        """The text with the values in their places, which are not searched for places again."""
        return cut(PLACE.sub(lambda place: self.get(place[1]) or "", template))

    def are_too_many(self):
        written = json.dumps(self.own, ensure_ascii=False, separators=(",", ":"))
        return len(written.encode()) > MAX_VARIABLES


def part_of(value, name):
    """The field of an object or the item of a list, or None where there is none."""
    if isinstance(value, dict):
        return value.get(name)
    if isinstance(value, list) and re.fullmatch("[0-9]+", name):
        return next(iter(value[int(name):][:1]), None)
    return None


def as_text(value):
    """How the value stands in a text, or None where it is absent."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    return value if isinstance(value, str) else None


def trimmed(text):
    return text.strip(BLANKS)


def is_blank(text):
    return not trimmed(text)


def cut(text):
    return text[:MAX_CHARACTERS]


def cut_to_parts(text):
    """The longest beginning of the text that can be sent in as many parts as are allowed.

    What is cut off does not decide how the rest is encoded: letters of GSM 7-bit before something else may fill the
    parts by themselves.
    """
    as_gsm = fitting(gsm_lengths(text), GSM_PART)
    as_ucs2 = fitting(map(ucs2_length, text), UCS2_PART)
    return text[:max(as_gsm, as_ucs2)]


def gsm_lengths(text):
    """In septets, up to the first character that GSM 7-bit does not have."""
    for character in text:
        if character in GSM:
            yield 1
        elif character in GSM_EXTENSION:
            yield 2
        else:
            return


def ucs2_length(character):
    """In UTF-16 units."""
    return 2 if ord(character) > 0xFFFF else 1


def fitting(lengths, room):
    """How many characters of these lengths fit. None is split between parts, so a part may stay one short."""
    count, parts, used = 0, 1, 0
    for length in lengths:
        if used + length > room:
            parts, used = parts + 1, 0
        if parts > MAX_PARTS:
            break
        count, used = count + 1, used + length
    return count
