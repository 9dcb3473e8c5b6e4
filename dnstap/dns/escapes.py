"""Text of bytes: character strings, strings that Go escapes twice, bytes that may not be UTF-8, and times.

Source: miekg/dns 1.1.50, types.go (sprintTxt, sprintTxtOctet) and dnssec.go (TimeToString). `escaped_text` and its
reverse are our own.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

__all__ = [
    "EscapeTable",
    "escaped",
    "escaped_text",
    "octet_text",
    "printable",
    "quoted",
    "raw_text",
    "string_text",
    "time_text",
    "unescaped_bytes",
]

_SHOWN = [chr(octet) if 32 <= octet <= 126 else f"\\{octet:03d}" for octet in range(256)]
"""Each byte as its character if that is printable, else as a backslash and three decimal digits."""

_IN_STRINGS = [f"\\{shown}" if shown in '"\\' else shown for shown in _SHOWN]

_is_plain = re.compile(rb"[ !#-\[\]-~]*").fullmatch


def string_text(octets: bytes) -> str:
    """Return the text of a character string, without quotes."""
    return octets.decode("ascii") if _is_plain(octets) else "".join([_IN_STRINGS[octet] for octet in octets])


def quoted(strings: tuple[bytes, ...]) -> str:
    """Return character strings in quotes, with blanks between them."""
    return " ".join([f'"{string_text(octets)}"' for octets in strings])


def escaped(octets: bytes, special: str) -> str:
    """Return the text of bytes with a backslash before each of some special characters."""
    return "".join([f"\\{shown}" if shown in special else shown for shown in [_SHOWN[octet] for octet in octets]])


def raw_text(text: bytes) -> str:
    """Decode UTF-8. Bytes that are not UTF-8 become lone surrogates, and are written as they came."""
    return text.decode("utf-8", "surrogateescape")


def printable(text: str) -> str:
    """Return the text with control characters and bytes that were not UTF-8 escaped, as octets of a name are."""
    if text.isprintable():
        return text
    return text.translate(_INVISIBLE)


class EscapeTable(dict[int, str]):
    """A table for str.translate, in which characters that cannot be seen, and bytes that are not UTF-8, have an escape.

    Characters of the first plane are remembered (8 MiB, if a hostile text has all of them): a text of 1 MiB takes 0.05
    s then, and 0.7 s without.

    Args:
        escape: returns the escape of such a character.
        others: texts of further characters.
    """

    def __init__(self, escape: Callable[[str], str], others: Mapping[str, str]) -> None:
        super().__init__({ord(character): text for character, text in others.items()})
        self._escape = escape

    def __missing__(self, code: int) -> str:
        character = chr(code)
        text = character if character.isprintable() else self._escape(character)
        if code < 1 << 16:
            self[code] = text
        return text


def _decimal(character: str) -> str:
    return "".join([f"\\{byte:03d}" for byte in character.encode("utf-8", "surrogateescape")])


_INVISIBLE = EscapeTable(_decimal, {})
_NOT_IN_TEXT = EscapeTable(_decimal, {"\n": "\n", "\t": "\t", "\\": "\\\\"})


def escaped_text(data: bytes) -> str:
    r"""Return bytes as text, from which `unescaped_bytes` makes the same bytes again.

    UTF-8 stays as it is, with line feeds and tabs. A backslash becomes `\\`; each byte of other characters that cannot
    be seen, and each that is not UTF-8, becomes a backslash and its number in three decimal digits.
    """
    text = data.decode("utf-8", "surrogateescape")
    return text if text.isprintable() and "\\" not in text else text.translate(_NOT_IN_TEXT)


_escape_in_text = re.compile(rb"\\(\d{3}|\\)?").sub


def unescaped_bytes(text: str) -> bytes:
    r"""Return the bytes of which `escaped_text` made a text.

    Raises: ValueError: a backslash is followed by neither another one nor a number up to 255 in three digits.
    """

    def byte(found: re.Match[bytes]) -> bytes:
        code = found[1]
        if code == b"\\":
            return code
        if code is None or int(code) > 255:
            got = text.encode()[found.start() :][:4].decode(errors="replace")
            raise ValueError(rf"expected \\ or a backslash and a number from 000 to 255, got {got!r}")
        return bytes([int(code)])

    return _escape_in_text(byte, text.encode())


_escape_sequences = re.compile(rb"(\\\.)|\\(\d\d\d)|\\(.)|(\\)$|(.)", re.DOTALL)


def octet_text(octets: bytes) -> str:
    """Return bytes in quotes. Go takes them for text with escapes and writes these anew: `x\\099` becomes `xc`."""

    def escape(found: re.Match[bytes]) -> bytes:
        dot, digits, character, last, plain = found.groups()
        # Go keeps the backslash before a dot, and before no other character.
        if dot:
            return b"\\."
        # Go drops a backslash at the end, which escapes nothing.
        if last:
            return b""
        return _IN_STRINGS[int(digits) & 255 if digits else (character or plain)[0]].encode()

    return f'"{_escape_sequences.sub(escape, octets).decode()}"'


@lru_cache(maxsize=1024)
def time_text(seconds: int, form: str) -> str:
    """Return a time in UTC for any number of seconds since 1970, in years that datetime does not have, too.

    Args: form: for the % operator: year, month, day, hour, minute, second.
    """
    days, second = divmod(seconds, 86400)
    # Years begin in March here, so that a leap day is the last of its year; 146,097 days are a cycle of 400 years.
    cycle, day = divmod(days + 719_468, 146_097)
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    month = month + 3 if month < 10 else month - 9
    year += cycle * 400 + (month <= 2)
    return form % (year, month, day + 1, second // 3600, second // 60 % 60, second % 60)
