"""framestream without I/O: frames, control frames, protocols, endpoints, errors."""

from typing import assert_type

import framestream
from framestream import (
    ControlFrame,
    ControlType,
    EncodedFrames,
    Endpoint,
    FrameDecoder,
    ReaderProtocol,
    RemoteProtocolError,
    State,
    Tls,
    Transport,
    WriterProtocol,
)


def names() -> None:
    assert_type(framestream.__version__, str)
    framestream.nothing  # type: ignore[attr-defined] # noqa: B018
    framestream.sync.nothing  # type: ignore[attr-defined] # noqa: B018
    framestream.aio.nothing  # type: ignore[attr-defined] # noqa: B018


def frames(decoder: FrameDecoder) -> None:
    decoder.receive_data("text")  # type: ignore[arg-type]
    assert_type(decoder.next_payloads(), list[bytes] | ControlFrame | None)
    run = decoder.next_encoded()
    assert_type(run, EncodedFrames | ControlFrame | None)
    if isinstance(run, EncodedFrames):
        assert_type(run.payloads(), list[bytes])
        assert_type(run.number, int)
    assert_type(decoder.missing(), tuple[int, int] | None)
    FrameDecoder(oversize="ignore")  # type: ignore[arg-type]
    assert_type(framestream.encode_data_frames([b"payload"]), bytes)


def control_frames() -> None:
    frame = framestream.decode_control(b"")
    assert_type(frame, ControlFrame)
    assert_type(frame.type, ControlType | int)
    assert_type(frame.content_types, tuple[bytes, ...])
    assert_type(framestream.encode_control(frame), bytes)
    assert_type(framestream.encode_control_frame(frame), bytes)


def protocols(reader: ReaderProtocol, writer: WriterProtocol) -> None:
    assert_type(reader.payloads(), list[bytes])
    assert_type(reader.encoded(), EncodedFrames | None)
    assert_type(reader.data_to_send(), bytes)
    assert_type(reader.state, State)
    assert_type(reader.transport, Transport | None)
    assert_type(writer.content_type, bytes | None)
    writer.send(["text"])  # type: ignore[list-item]
    ReaderProtocol(["text"])  # type: ignore[list-item]


def endpoints() -> None:
    endpoint = framestream.parse_endpoint("unix:/run/x.sock", Tls(verify=False))
    assert_type(endpoint, Endpoint)
    if isinstance(endpoint, framestream.TcpEndpoint):
        assert_type(endpoint.port, int)
    framestream.parse_endpoint(8053)  # type: ignore[arg-type]


def errors(error: RemoteProtocolError) -> None:
    assert_type((error.expected, error.got, error.offset, error.state), tuple[str, str, int, str])
