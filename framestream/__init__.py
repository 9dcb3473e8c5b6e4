"""Frame Streams: the framing of dnstap, and of anything else that is sent in frames, in pure Python.

The names are loaded when they are first used: who reads a file needs nothing of sockets.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from framestream.control import ControlFrame, ControlType, decode_control, encode_control
    from framestream.endpoints import (
        Endpoint,
        FileEndpoint,
        TcpEndpoint,
        Tls,
        TlsEndpoint,
        UnixEndpoint,
        parse_endpoint,
    )
    from framestream.errors import (
        CompressionError,
        ContentTypeError,
        ControlFrameError,
        FrameStreamError,
        FrameTooLargeError,
        LocalProtocolError,
        MissingLibraryError,
        RemoteProtocolError,
        TruncatedStreamError,
        UnexpectedFrameError,
    )
    from framestream.frames import FrameDecoder, encode_control_frame, encode_data_frames
    from framestream.protocol import TRANSITIONS, ReaderProtocol, Role, State, Transport, WriterProtocol
    from framestream.streams import Backoff, Batching, Deadlines, EncodedFrames, Limits
    from framestream.sync import (
        Listener,
        Reader,
        ReconnectingWriter,
        Writer,
        listen_reader,
        listen_writer,
        open_reader,
        open_writer,
        read_file,
        serve,
        write_file,
    )

__all__ = [
    "TRANSITIONS",
    "Backoff",
    "Batching",
    "CompressionError",
    "ContentTypeError",
    "ControlFrame",
    "ControlFrameError",
    "ControlType",
    "Deadlines",
    "EncodedFrames",
    "Endpoint",
    "FileEndpoint",
    "FrameDecoder",
    "FrameStreamError",
    "FrameTooLargeError",
    "Limits",
    "Listener",
    "LocalProtocolError",
    "MissingLibraryError",
    "Reader",
    "ReaderProtocol",
    "ReconnectingWriter",
    "RemoteProtocolError",
    "Role",
    "State",
    "TcpEndpoint",
    "Tls",
    "TlsEndpoint",
    "Transport",
    "TruncatedStreamError",
    "UnexpectedFrameError",
    "UnixEndpoint",
    "Writer",
    "WriterProtocol",
    "decode_control",
    "encode_control",
    "encode_control_frame",
    "encode_data_frames",
    "listen_reader",
    "listen_writer",
    "open_reader",
    "open_writer",
    "parse_endpoint",
    "read_file",
    "serve",
    "write_file",
]

_HOMES = {
    "control": "ControlFrame ControlType decode_control encode_control",
    "endpoints": "Endpoint FileEndpoint TcpEndpoint Tls TlsEndpoint UnixEndpoint parse_endpoint",
    "errors": "CompressionError ContentTypeError ControlFrameError FrameStreamError FrameTooLargeError "
    "LocalProtocolError MissingLibraryError RemoteProtocolError TruncatedStreamError UnexpectedFrameError",
    "frames": "FrameDecoder encode_control_frame encode_data_frames",
    "protocol": "TRANSITIONS ReaderProtocol Role State Transport WriterProtocol",
    "streams": "Backoff Batching Deadlines EncodedFrames Limits",
    "sync.recordings": "read_file write_file",
    "sync.listener": "Listener",
    "sync.reader": "Reader",
    "sync.writer": "Writer",
    "sync.reconnecting": "ReconnectingWriter",
    "sync.opening": "listen_reader listen_writer open_reader open_writer serve",
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names.split():
            value = globals()[name] = getattr(import_module(f"framestream.{module}"), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
