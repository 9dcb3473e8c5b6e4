"""Exceptions of the package.

FrameStreamError
├── LocalProtocolError          caused by the caller: a call that the state does not allow, a payload that does not fit
├── MissingLibraryError         caused by neither side: the input needs a library that is not installed
└── RemoteProtocolError         caused by the peer or the file
    ├── CompressionError        corrupt compressed input
    ├── ControlFrameError       a control frame that is malformed or too long
    ├── ContentTypeError        no content type of the peer is among those wanted
    ├── FrameTooLargeError      a data frame over the limit
    ├── TruncatedStreamError    the input ended before the stream did
    └── UnexpectedFrameError    a frame that the state does not allow, or bytes that are not a frame

Each has its data in attributes, and its text is made from them in `__str__`. OSError and TimeoutError keep their type,
and name the endpoint, connection or file.
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
    """Base class of the exceptions of framestream."""


class LocalProtocolError(FrameStreamError):
    """A call or argument that the protocol does not allow; nothing was sent."""


class MissingLibraryError(FrameStreamError):
    """The input needs a library that is not installed. The input may be good, and the call is correct.

    Attributes:
        what: description of the input, such as "zstd data".
        extra: the extra of this distribution that adds the library, such as "zstd".
    """

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(what, extra)
        self.what = what
        self.extra = extra

    def __str__(self) -> str:
        install = f"pip install '.[{self.extra}]'"
        return f"{self.what} needs a library that is not installed; in a clone of the repository: {install}"


class RemoteProtocolError(FrameStreamError):
    """The peer or the file violates the protocol. The stream is over; all payloads before the fault were delivered.

    Attributes:
        expected: description of the frames or bytes allowed here, such as "START".
        got: description of those found, such as "STOP".
        offset: offset of the fault in the stream, in bytes.
        state: name of the protocol's state, such as "ACCEPTED"; "" if it does not matter.
        hint: what may have happened; "" mostly.
    """

    hint = ""

    def __init__(self, expected: str, got: str, offset: int, state: str = "") -> None:
        super().__init__(expected, got, offset, state)
        self.expected = expected
        self.got = got
        self.offset = offset
        self.state = state

    def __str__(self) -> str:
        state = f" in state {self.state}" if self.state else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"expected {self.expected}, got {self.got}{state}, at byte {self.offset}{hint}"


class CompressionError(RemoteProtocolError):
    """A compressed input is corrupt. The offset is that in the decompressed data."""


class ControlFrameError(RemoteProtocolError):
    """A control frame is malformed, or longer than the limit."""


class ContentTypeError(RemoteProtocolError):
    """No content type that the peer offers, accepts or starts with is wanted on this side."""


class FrameTooLargeError(RemoteProtocolError):
    """A data frame is longer than the limit.

    Attributes:
        size: length of its payload, in bytes.
        limit: longest payload allowed.
    """

    def __init__(self, size: int, limit: int, offset: int) -> None:
        super().__init__(f"a data frame of at most {limit} bytes", f"one of {size}", offset)
        self.args = (size, limit, offset)
        self.size = size
        self.limit = limit


class TruncatedStreamError(RemoteProtocolError):
    """The input ended before the stream did.

    Attributes: inside_frame: whether it ended inside a frame, not between two.
    """

    def __init__(self, expected: str, got: str, offset: int, state: str = "", *, inside_frame: bool = False) -> None:
        super().__init__(expected, got, offset, state)
        self.inside_frame = inside_frame

    @property
    def lost_nothing(self) -> bool:
        """True if only STOP was missing, or the stream had not begun: no part of a data frame was cut off."""
        # Before and after STREAMING there are only control frames.
        return not self.inside_frame or self.state != "STREAMING"


class UnexpectedFrameError(RemoteProtocolError):
    """A frame that the state does not allow, or bytes that are not a frame."""
