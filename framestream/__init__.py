"""Frame Streams in pure Python: the framing of dnstap, and of any other payloads sent as frames.

Names are imported on first use, so reading a file loads nothing that only sockets need.
"""

from typing import TYPE_CHECKING

from framestream._lazy import lazy_import

if TYPE_CHECKING:
    from framestream import aio as aio
    from framestream import strategies as strategies
    from framestream import sync as sync
    from framestream import testing as testing
    from framestream.connections import Connections as Connections
    from framestream.control import ControlFrame as ControlFrame
    from framestream.control import ControlType as ControlType
    from framestream.control import decode_control as decode_control
    from framestream.control import encode_control as encode_control
    from framestream.endpoints import Endpoint as Endpoint
    from framestream.endpoints import FileEndpoint as FileEndpoint
    from framestream.endpoints import TcpEndpoint as TcpEndpoint
    from framestream.endpoints import Tls as Tls
    from framestream.endpoints import TlsEndpoint as TlsEndpoint
    from framestream.endpoints import UnixEndpoint as UnixEndpoint
    from framestream.endpoints import parse_endpoint as parse_endpoint
    from framestream.errors import CompressionError as CompressionError
    from framestream.errors import ContentTypeError as ContentTypeError
    from framestream.errors import ControlFrameError as ControlFrameError
    from framestream.errors import FrameStreamError as FrameStreamError
    from framestream.errors import FrameTooLargeError as FrameTooLargeError
    from framestream.errors import LocalProtocolError as LocalProtocolError
    from framestream.errors import MissingLibraryError as MissingLibraryError
    from framestream.errors import RemoteProtocolError as RemoteProtocolError
    from framestream.errors import TruncatedStreamError as TruncatedStreamError
    from framestream.errors import UnexpectedFrameError as UnexpectedFrameError
    from framestream.frames import EncodedFrames as EncodedFrames
    from framestream.frames import FrameDecoder as FrameDecoder
    from framestream.frames import encode_control_frame as encode_control_frame
    from framestream.frames import encode_data_frames as encode_data_frames
    from framestream.protocol import TRANSITIONS as TRANSITIONS
    from framestream.protocol import ReaderProtocol as ReaderProtocol
    from framestream.protocol import Role as Role
    from framestream.protocol import State as State
    from framestream.protocol import Transport as Transport
    from framestream.protocol import WriterProtocol as WriterProtocol
    from framestream.sockets import PeerAddress as PeerAddress
    from framestream.streams import Backoff as Backoff
    from framestream.streams import Batching as Batching
    from framestream.streams import Deadlines as Deadlines
    from framestream.streams import Limits as Limits
    from framestream.sync.files import read_file as read_file
    from framestream.sync.files import write_file as write_file
    from framestream.sync.listener import Listener as Listener
    from framestream.sync.opening import listen_reader as listen_reader
    from framestream.sync.opening import listen_writer as listen_writer
    from framestream.sync.opening import open_reader as open_reader
    from framestream.sync.opening import open_writer as open_writer
    from framestream.sync.opening import serve as serve
    from framestream.sync.reader import Reader as Reader
    from framestream.sync.reconnecting import ReconnectingWriter as ReconnectingWriter
    from framestream.sync.writer import Writer as Writer

__version__ = "0.1.0"

lazy_import(
    globals(),
    {
        "framestream.connections": ("Connections",),
        "framestream.control": ("ControlFrame", "ControlType", "decode_control", "encode_control"),
        "framestream.endpoints": (
            "Endpoint",
            "FileEndpoint",
            "TcpEndpoint",
            "Tls",
            "TlsEndpoint",
            "UnixEndpoint",
            "parse_endpoint",
        ),
        "framestream.errors": (
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
        ),
        "framestream.frames": ("EncodedFrames", "FrameDecoder", "encode_control_frame", "encode_data_frames"),
        "framestream.protocol": ("TRANSITIONS", "ReaderProtocol", "Role", "State", "Transport", "WriterProtocol"),
        "framestream.sockets": ("PeerAddress",),
        "framestream.streams": ("Backoff", "Batching", "Deadlines", "Limits"),
        "framestream.sync.listener": ("Listener",),
        "framestream.sync.opening": ("listen_reader", "listen_writer", "open_reader", "open_writer", "serve"),
        "framestream.sync.reader": ("Reader",),
        "framestream.sync.reconnecting": ("ReconnectingWriter",),
        "framestream.sync.files": ("read_file", "write_file"),
        "framestream.sync.writer": ("Writer",),
    },
    submodules=("aio", "strategies", "sync", "testing"),
)
