"""Every exception of the package. Imports nothing of ours.

DnstapError
├── DecodeError         payload bytes that are no protobuf, or not this message
│   └── MissingFieldError   well-formed, but the required `type` is absent
├── EncodeError         an object that cannot be written: names the field and what it may hold
├── DnsMessageError     the DNS message inside a payload does not parse
├── FilterError         a filter expression that cannot be compiled: says where, and what was expected there
└── KeyFileError        a file that should hold a key for Crypto-PAn holds something else

The data is in attributes; the text is built from it in `__str__`.
"""

__all__ = [
    "DecodeError",
    "DnsMessageError",
    "DnstapError",
    "EncodeError",
    "FilterError",
    "KeyFileError",
    "MissingFieldError",
]


class DnstapError(Exception):
    """Base of every exception that dnstap raises for its input."""


class DecodeError(DnstapError):
    """A payload is not a valid protobuf message of its class.

    Attributes:
        reason: what was expected and what came, e.g. "length 40 runs past the end at 12".
        offset: octets from the start of the payload to the field that is wrong; 0 for one that is missing.
        path: the message class, e.g. "Message".
    """

    def __init__(self, reason: str, offset: int, path: str) -> None:
        super().__init__(reason, offset, path)
        self.reason = reason
        self.offset = offset
        self.path = path

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}, at byte {self.offset}"


class MissingFieldError(DecodeError):
    """A required field is absent; `parse(data, lenient=True)` accepts such a payload.

    Attributes:
        field: the field's name, e.g. "type"; `path` says of which message.
    """

    def __init__(self, field: str, path: str) -> None:
        super().__init__(f"required field {field} is missing", 0, path)
        self.args = (field, path)
        self.field = field

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class EncodeError(DnstapError):
    """A value cannot be written into its field.

    Attributes:
        field: the field's path, e.g. "message.query_port"; "" for the object itself.
        reason: the value and what the field may hold, e.g. "70000000000 does not fit in uint32".
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field = field
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}" if self.field else self.reason


class DnsMessageError(DnstapError):
    """A DNS message, or a part of one, does not parse.

    The text is that of the Go library miekg/dns 1.1.50 for the same octets, since the Go `dnstap` tool prints it,
    e.g. "dns: overflow unpacking uint16".

    Attributes:
        reason: that text.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FilterError(DnstapError):
    """A filter expression is wrong.

    Attributes:
        text: the expression.
        position: how many characters of it stand before the fault.
        expected: what should be there, e.g. "a port, 0 to 65535".
        came: what is there, e.g. "the end".
    """

    def __init__(self, text: str, position: int, expected: str, came: str) -> None:
        super().__init__(text, position, expected, came)
        self.text = text
        self.position = position
        self.expected = expected
        self.came = came

    def __str__(self) -> str:
        """What was expected and what came; below it the expression, of a long one a part, and a caret."""
        start = max(0, self.position - 60)
        before, behind = "..." if start else "", "..." if len(self.text) > start + 100 else ""
        # Each character in one column of one line.
        shown = "".join([c if c.isprintable() else " " for c in self.text[start : start + 100]])
        caret = " " * (len(before) + self.position - start) + "^"
        return f"{self.expected} expected, {self.came} came\n  {before}{shown}{behind}\n  {caret}"


class KeyFileError(DnstapError):
    """A file does not hold what it should, a key. Nothing of what it holds is in the text.

    Attributes:
        path: the file's name.
        expected: what should be in it, e.g. "32 octets or 64 hexadecimal digits".
        came: what is in it, e.g. "33 octets".
    """

    def __init__(self, path: str, expected: str, came: str) -> None:
        super().__init__(path, expected, came)
        self.path = path
        self.expected = expected
        self.came = came

    def __str__(self) -> str:
        return f"{self.path}: {self.expected} expected, {self.came} came"
