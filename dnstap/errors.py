"""Every exception of the package. Imports nothing of ours.

DnstapError
├── DecodeError             bytes that are not a valid payload
│   └── MissingFieldError   well-formed, but without the required `type`
├── EncodeError             an object with a value that its field cannot hold
├── DnsMessageError         bytes that are not a valid DNS message
├── FilterError             a filter expression with a syntax error or a bad value
└── KeyFileError            a key file for Crypto-PAn that holds something else

Errors of the Frame Streams protocol and of connections are in framestream.errors. An OSError stays an OSError.

Attributes hold the data, and `__str__` makes the text of it: what was expected, what came instead, and where.
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
    """Bytes that are not a valid protobuf message of the class.

    Attributes:
        reason: the fault, such as "length 40 runs past the end at 12".
        offset: position in bytes of the bad field, from the start of the payload; 0 for a missing field.
        path: name of the message class, such as "Message".
    """

    def __init__(self, reason: str, offset: int, path: str) -> None:
        super().__init__(reason, offset, path)
        self.reason = reason
        self.offset = offset
        self.path = path

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}, at byte {self.offset}"


class MissingFieldError(DecodeError):
    """A message without a required field. `parse(data, lenient=True)` accepts it.

    Attributes:
        field: name of the field, such as "type".
        path: name of the message class.
    """

    def __init__(self, field: str, path: str) -> None:
        super().__init__(f"required field {field} is missing", 0, path)
        # Copying and pickling call the constructor with `args`, which here are not those of the base class.
        self.args = (field, path)
        self.field = field

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class EncodeError(DnstapError):
    """A value that its field cannot hold.

    Attributes:
        field: path of the field, such as "message.query_port"; "" for the object itself.
        reason: the value and what the field can hold, such as "70000000000 does not fit in uint32".
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field = field
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}" if self.field else self.reason


class DnsMessageError(DnstapError):
    """Bytes that are not a valid DNS message, name or record.

    Attributes:
        reason: the text of the Go library miekg/dns 1.1.50 for the same bytes, such as "dns: overflow unpacking
            uint16", because the Go `dnstap` tool prints it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FilterError(DnstapError):
    """A filter expression that cannot be compiled.

    Attributes:
        text: the expression.
        position: offset of the fault in characters.
        expected: what would be right there, such as "a port (0 to 65535)".
        got: what is there, such as "the end".
        hint: how to write it, such as "did you mean qname?"; "" for none.
    """

    def __init__(self, text: str, position: int, expected: str, got: str, hint: str = "") -> None:
        super().__init__(text, position, expected, got, hint)
        self.text = text
        self.position = position
        self.expected = expected
        self.got = got
        self.hint = hint

    def __str__(self) -> str:
        """Return the error, and below it the expression, or a part of a long one, with a caret below the fault."""
        # A fault that is far inside is shown with 60 characters before it, in a part of 100.
        start = max(0, self.position - 60)
        before, after = "..." if start else "", "..." if len(self.text) > start + 100 else ""
        # Each character takes one column of one line, so that the caret is below the right one.
        shown = "".join([character if character.isprintable() else " " for character in self.text[start : start + 100]])
        caret = " " * (len(before) + self.position - start) + "^"
        hint = f" ({self.hint})" if self.hint else ""
        return f"expected {self.expected}, got {self.got}{hint}\n  {before}{shown}{after}\n  {caret}"


class KeyFileError(DnstapError):
    """A key file that does not hold a key. The text shows no byte of its contents, which may be a mistyped key.

    Attributes:
        path: name of the file.
        expected: what it should contain, such as "32 bytes or 64 hexadecimal digits".
        got: what it contains, such as "33 bytes".
    """

    def __init__(self, path: str, expected: str, got: str) -> None:
        super().__init__(path, expected, got)
        self.path = path
        self.expected = expected
        self.got = got

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, got {self.got}"
