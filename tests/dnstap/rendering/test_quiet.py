"""dnstap.rendering.quiet: the lines of `dnstap -q`."""

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dnstap import Dnstap, DnstapType, Message, MessageType, SocketProtocol
from dnstap.rendering import Style, quiet, render
from tests.made_messages import DATA, read_frames

QUERY = struct.pack(">6H", 1, 0x100, 1, 0, 0, 0) + b"\7example\3com\0" + struct.pack(">HH", 1, 1)
CLIENT, SERVER = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 53])


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    yield from zone(monkeypatch, "UTC")


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch, utc: None) -> Iterator[None]:
    yield from zone(monkeypatch, "America/New_York")


def zone(monkeypatch: pytest.MonkeyPatch, name: str) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", name)
        time.tzset()
        yield
    time.tzset()


def line(**fields: Any) -> str:
    """Return the line of a client query with these fields changed."""
    usual: dict[str, Any] = {
        "type": MessageType.CLIENT_QUERY,
        "socket_protocol": SocketProtocol.UDP,
        "query_address": CLIENT,
        "response_address": SERVER,
        "query_time_sec": 1_700_000_000,
        "query_time_nsec": 123_456_789,
        "query_message": QUERY,
        "response_time_sec": 1_700_000_001,
        "response_time_nsec": 0,
        "response_message": QUERY + b"behind",
    }
    return render("quiet", Dnstap(type=DnstapType.MESSAGE, message=Message(**{**usual, **fields})))


def clock(seconds: int | None, nanoseconds: int | None = 0) -> str:
    return line(query_time_sec=seconds, query_time_nsec=nanoseconds).partition(" ")[0]


@pytest.mark.parametrize("path", sorted(DATA.glob("*.fstrm")), ids=lambda path: path.stem)
def test_captures_give_the_text_of_the_go_tool(path: Path) -> None:
    lines = "".join(render("quiet", Dnstap.parse(payload)) for payload in read_frames(path))
    assert lines.encode() == path.with_suffix(".q.txt").read_bytes()


@pytest.mark.parametrize(
    ("message_type", "columns"),
    [
        (1, "AQ 192.0.2.1"),
        (2, "AR 192.0.2.1"),
        (3, "RQ 192.0.2.53"),
        (4, "RR 192.0.2.53"),
        (5, "CQ 192.0.2.1"),
        (6, "CR 192.0.2.1"),
        (7, "FQ 192.0.2.53"),
        (8, "FR 192.0.2.53"),
        (11, "TQ 192.0.2.53"),
        (12, "TR 192.0.2.53"),
        (13, "UQ 192.0.2.53"),
        (14, "UR 192.0.2.53"),
    ],
)
def test_types(message_type: int, columns: str) -> None:
    start, size = ("22:13:20.123456", 29) if columns[1] == "Q" else ("22:13:21.000000", 35)
    assert line(type=MessageType(message_type)) == f'{start} {columns} UDP {size}b "example.com." IN A\n'


@pytest.mark.parametrize("message_type", [MessageType.STUB_QUERY, MessageType.STUB_RESPONSE, 0, 15, -1, None])
def test_unhandled_types(message_type: int | None) -> None:
    assert line(type=message_type) == "[unhandled Message.Type]\n"


@pytest.mark.parametrize("dnstap_type", [None, 0, 2, -1])
def test_unhandled_dnstap_types(dnstap_type: Any) -> None:
    assert render("quiet", Dnstap(type=dnstap_type, message=Message())) == "[unhandled Dnstap.Type]\n"


def test_no_message() -> None:
    assert render("quiet", Dnstap(type=DnstapType.MESSAGE)) == "[no Message]\n"


@pytest.mark.parametrize(
    ("protocol", "text"),
    [(None, ""), (1, "UDP"), (2, "TCP"), (3, "DOT"), (4, "DOH"), (5, "5"), (6, "6"), (7, "7"), (8, "8"), (-2, "-2")],
)
def test_protocols(protocol: int | None, text: str) -> None:
    known = {member.value for member in SocketProtocol}
    for value in (protocol, SocketProtocol(protocol)) if protocol in known else (protocol,):
        assert line(socket_protocol=value).split(" ")[3] == text


@pytest.mark.parametrize(
    ("address", "text"),
    [(None, "MISSING_ADDRESS"), (b"", "<nil>"), (b"abc", "?616263"), (bytes(15) + b"\1", "::1")],
)
def test_addresses(address: bytes | None, text: str) -> None:
    assert line(query_address=address).split(" ")[2] == text


def test_nothing_but_a_type() -> None:
    message = Message(type=MessageType.RESOLVER_RESPONSE)
    rendered = render("quiet", Dnstap(type=DnstapType.MESSAGE, message=message))
    assert rendered == "??:??:??.?????? RR MISSING_ADDRESS  0b X \n"


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (None, "0b X "),
        (b"", "0b X "),
        (QUERY[:11], "11b X "),
        (QUERY[:12], "12b X "),
        (QUERY[:4] + bytes(2) + QUERY[6:], "29b X "),
        (QUERY[:-4], '25b "example.com." CLASS0 None'),
        (QUERY[:-4] + struct.pack(">HH", 255, 255), '29b "example.com." CLASS255 ANY'),
        (QUERY[:-4] + struct.pack(">HH", 261, 254), '29b "example.com." NONE TYPE261'),
        (QUERY[:12] + b'\2\n"\0' + QUERY[-4:], '20b "\\010\\"." IN A'),
        (QUERY[:7] + b"\1" + QUERY[8:] + b"\0" + struct.pack(">HHIHB", 1, 1, 0, 1, 0), "41b X "),
    ],
)
def test_questions(wire: bytes | None, text: str) -> None:
    assert line(query_message=wire) == f"22:13:20.123456 CQ 192.0.2.1 UDP {text}\n"


@pytest.mark.parametrize(
    ("seconds", "nanoseconds", "text"),
    [
        (0, 0, "00:00:00.000000"),
        (0, 999, "00:00:00.000000"),
        (1, 1000, "00:00:01.000001"),
        (0, 999_999_999, "00:00:00.999999"),
        (0, 1_000_000_000, "00:00:00.1000000"),
        (0, 2**32 - 1, "00:00:00.4294967"),
        (None, 5000, "??:??:??.000005"),
        (86399, None, "23:59:59.??????"),
    ],
)
def test_times(seconds: int | None, nanoseconds: int | None, text: str) -> None:
    assert clock(seconds, nanoseconds) == text


# As the Go tool prints them.
@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (253_402_300_799, "23:59:59"),
        (253_402_300_800, "00:00:00"),
        (7 * 10**16, "04:26:40"),
        (2**63 - 1, "15:30:07"),
        (2**63, "15:30:08"),
        (2**63 + 8_139_454_207, "07:00:15"),
        (2**63 + 8_139_454_208, "00:00:00"),
        (2**64 - 7 * 10**16, "19:33:20"),
        (2**64 - 1, "23:59:59"),
    ],
)
def test_far_times(seconds: int, text: str) -> None:
    assert clock(seconds) == f"{text}.000000"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1_700_000_000, "17:13:20"),
        (1_720_000_000, "05:46:40"),
        (6 * 10**16, "06:40:00"),
        (2**63 - 1, "10:30:07"),
        (2**63, "10:34:06"),
        (2**63 + 8_139_454_207, "02:04:13"),
        (2**64 - 4 * 10**9, "11:57:18"),
        (2**64 - 1, "18:59:59"),
    ],
)
def test_local_times(new_york: None, seconds: int, text: str) -> None:
    assert clock(seconds) == f"{text}.000000"


@pytest.mark.parametrize("seconds", [-1, -(2**63), 2**64, 10**30, -(10**30)])
def test_seconds_outside_uint64_wrap(seconds: int) -> None:
    assert clock(seconds) == clock(seconds % 2**64)


def test_more_seconds_than_are_remembered() -> None:
    render_line = quiet.renderer(Style(), max_seconds=2)
    for _ in range(2):
        for second in range(4):
            message = Message(type=MessageType.CLIENT_QUERY, query_time_sec=second, query_time_nsec=0)
            line = render_line(Dnstap(type=DnstapType.MESSAGE, message=message))
            assert line.startswith(f"00:00:0{second}.000000 CQ ")
