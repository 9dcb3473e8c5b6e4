"""Frame Streams: the framing of dnstap, and of anything else that is sent in frames, in pure Python."""

from framestream.control import ControlFrame, ControlType, decode_control, encode_control
from framestream.errors import (
    CompressionError,
    ContentTypeError,
    ControlFrameError,
    FrameStreamError,
    FrameTooLargeError,
    LocalProtocolError,
    RemoteProtocolError,
    TruncatedStreamError,
    UnexpectedFrameError,
)
from framestream.frames import FrameDecoder, encode_control_frame, encode_data_frames
from framestream.protocol import TRANSITIONS, ReaderProtocol, Role, State, Transport, WriterProtocol
from framestream.sync import Listener, Reader, Writer, connect, read_file, write_file

__all__ = [
    "TRANSITIONS",
    "CompressionError",
    "ContentTypeError",
    "ControlFrame",
    "ControlFrameError",
    "ControlType",
    "FrameDecoder",
    "FrameStreamError",
    "FrameTooLargeError",
    "Listener",
    "LocalProtocolError",
    "Reader",
    "ReaderProtocol",
    "RemoteProtocolError",
    "Role",
    "State",
    "Transport",
    "TruncatedStreamError",
    "UnexpectedFrameError",
    "Writer",
    "WriterProtocol",
    "connect",
    "decode_control",
    "encode_control",
    "encode_control_frame",
    "encode_data_frames",
    "read_file",
    "write_file",
]
