"""Octets as text: character strings, what is escaped twice, octets that may be no text, and times.

Source: miekg/dns 1.1.50, types.go (sprintTxt, sprintTxtOctet) and dnssec.go (TimeToString).
"""

import re
from functools import lru_cache

__all__ = ["escaped", "octet_text", "printable", "quoted", "raw_text", "string_text", "time_text"]

_SHOWN = [chr(octet) if 32 <= octet <= 126 else f"\\{octet:03d}" for octet in range(256)]
"""Each octet as it is, or as three decimal digits."""

_IN_STRINGS = [f"\\{shown}" if shown in '"\\' else shown for shown in _SHOWN]

_is_plain = re.compile(rb"[ !#-\[\]-~]*").fullmatch


def string_text(octets: bytes) -> str:
    """A character string without its quotes."""
    return octets.decode("ascii") if _is_plain(octets) else "".join([_IN_STRINGS[octet] for octet in octets])


def quoted(strings: tuple[bytes, ...]) -> str:
    """Character strings, each in quotes."""
    return " ".join([f'"{string_text(octets)}"' for octets in strings])


def escaped(octets: bytes, special: str) -> str:
    """Octets with a backslash before some characters."""
    return "".join([f"\\{shown}" if shown in special else shown for shown in [_SHOWN[octet] for octet in octets]])


def raw_text(octets: bytes) -> str:
    """The octets as UTF-8; those that are none are kept as lone surrogates, and so come out as they are."""
    return octets.decode("utf-8", "surrogateescape")


def printable(text: str) -> str:
    """The text, with whatever cannot be seen escaped as in a name: control octets, and octets that were no UTF-8."""
    if text.isprintable():
        return text
    octets = {c: c.encode("utf-8", "surrogateescape") for c in set(text) if not c.isprintable()}
    return "".join(["".join([f"\\{octet:03d}" for octet in octets[c]]) if c in octets else c for c in text])


_presented = re.compile(rb"(\\\.)|\\(\d\d\d)|\\(.)|(\\)$|(.)", re.DOTALL)


def octet_text(octets: bytes) -> str:
    """Octets in quotes that Go takes for text which is escaped already, and escapes again: `x\\099` becomes `xc`."""

    def escape(found: re.Match[bytes]) -> bytes:
        dot, digits, character, last, plain = found.groups()
        if dot:
            return b"\\."
        if last:
            return b""
        return _IN_STRINGS[int(digits) & 255 if digits else (character or plain)[0]].encode()

    return f'"{_presented.sub(escape, octets).decode()}"'


@lru_cache(maxsize=1024)
def time_text(seconds: int, form: str) -> str:
    """A time in UTC for any number of seconds since 1970, in years that datetime does not have, too.

    Args: form: for the % operator: year, month, day, hour, minute, second.
    """
    days, second = divmod(seconds, 86400)
    # Years from March on, in cycles of 400 years, so that the leap day is the last.
    cycle, day = divmod(days + 719_468, 146_097)
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    month = month + 3 if month < 10 else month - 9
    year += cycle * 400 + (month <= 2)
    return form % (year, month, day + 1, second // 3600, second // 60 % 60, second % 60)
