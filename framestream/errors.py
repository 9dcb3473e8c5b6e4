"""Every exception of the package. Imports nothing of ours.

FrameStreamError
├── LocalProtocolError          the caller did it: a call that does not fit the state, a payload that no frame can hold
├── MissingLibraryError         nobody did it: what the input needs is not installed
└── RemoteProtocolError         the peer or the file did it
    ├── CompressionError        compressed input that is corrupt
    ├── ControlFrameError       a control frame that is malformed or too long
    ├── ContentTypeError        the peer's content types, or the one it started with, are not those wanted
    ├── FrameTooLargeError      a data frame over the limit
    ├── TruncatedStreamError    the input ended before the stream did
    └── UnexpectedFrameError    a frame, or other bytes, out of order

The data is in attributes; the text is built from it in `__str__`. OSError and TimeoutError pass unchanged.
"""

__all__ = [
    "CompressionError",
    "ContentTypeError",
    "ControlFrameError",
    "FrameStreamError",
    "FrameTooLargeError",
    "LocalProtocolError",
    "MissingLibraryError",
    "RemoteProtocolError",
    "TruncatedStreamError",
    "UnexpectedFrameError",
]


class FrameStreamError(Exception):
    """Base of every exception that framestream raises for what it is given."""


class LocalProtocolError(FrameStreamError):
    """The caller asked for what the protocol does not allow; nothing was sent."""


class MissingLibraryError(FrameStreamError):
    """What the input needs is not installed; the input may be good, and the call is right.

    Attributes:
        what: what came, e.g. "zstd data".
        extra: the extra of this distribution that brings the library, e.g. "zstd".
    """

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(what, extra)
        self.what = what
        self.extra = extra

    def __str__(self) -> str:
        return f"{self.what} needs a library that is not installed: pip install 'dnstap[{self.extra}]'"


class RemoteProtocolError(FrameStreamError):
    """The peer or the file departed from the protocol. The stream is over; what was good before it has been delivered.

    Attributes:
        expected: what the protocol allows here, e.g. "START".
        got: what came, e.g. "STOP".
        offset: bytes from the start of the stream to what came.
        state: the name of the protocol's state, e.g. "ACCEPTED", or "" where it says nothing.
    """

    def __init__(self, expected: str, got: str, offset: int, state: str = "") -> None:
        super().__init__(expected, got, offset, state)
        self.expected = expected
        self.got = got
        self.offset = offset
        self.state = state

    def __str__(self) -> str:
        state = f" in state {self.state}" if self.state else ""
        return f"expected {self.expected}, got {self.got}{state}, at byte {self.offset}"


class CompressionError(RemoteProtocolError):
    """A compressed input is corrupt; the offset is that in what it would have been."""


class ControlFrameError(RemoteProtocolError):
    """A control frame is malformed, or longer than the limit."""


class ContentTypeError(RemoteProtocolError):
    """The peer offers, accepts or starts no content type that this side wants."""


class FrameTooLargeError(RemoteProtocolError):
    """A data frame is longer than the limit.

    Attributes:
        size: bytes of its payload.
        limit: the most that is allowed.
    """

    def __init__(self, size: int, limit: int, offset: int) -> None:
        super().__init__(f"a data frame of at most {limit} bytes", f"one of {size}", offset)
        self.args = (size, limit, offset)
        self.size = size
        self.limit = limit


class TruncatedStreamError(RemoteProtocolError):
    """The input ended before the stream did.

    Attributes:
        inside_frame: whether it ended inside a frame, or between two.
    """

    def __init__(self, expected: str, got: str, offset: int, state: str = "", *, inside_frame: bool = False) -> None:
        super().__init__(expected, got, offset, state)
        self.inside_frame = inside_frame


class UnexpectedFrameError(RemoteProtocolError):
    """A frame that the state does not allow, or bytes that are no frame."""
