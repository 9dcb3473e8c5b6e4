"""framestream.testing with programs of others: it passes the good ones, and finds the known faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from framestream.conversations import Conversation
from framestream.protocol import Transport
from framestream.sync import read_file
from framestream.testing import Connection, PeerError, check_reader, check_writer
from tests.interop.peers import require
from tests.wait import DEADLINE_S

SAMPLE = Path(__file__).parents[1] / "data" / "nsd-auth.fstrm"
DNSTAP = b"protobuf:dnstap.Dnstap"


@pytest.fixture(scope="module")
def good() -> Conversation:
    with read_file(SAMPLE) as reader:
        return Conversation.of(reader, offered=[DNSTAP], accepted=[DNSTAP])


def test_fstrm_capture(good: Conversation, tmp_path: Path) -> None:
    capture = tmp_path / "capture"
    command: list[str | Path] = [require("fstrm_capture"), "-t", DNSTAP.decode(), "-u", "{socket}", "-w", capture]
    assert check_reader(command, good, timeout_s=DEADLINE_S).status == 0
    assert capture.read_bytes() == SAMPLE.read_bytes()


def test_fstrm_replay(good: Conversation) -> None:
    command: list[str | Path] = [require("fstrm_replay"), "-t", DNSTAP.decode(), "-u", "{socket}", "-r", SAMPLE]
    transcript = check_writer(command, good, timeout_s=DEADLINE_S)
    assert (transcript.connection, transcript.status) == (Connection.CLOSED, 0)


def test_the_go_tool_as_a_reader(good: Conversation) -> None:
    check_reader([require("dnstap"), "-u", "{socket}", "-q"], good, timeout_s=DEADLINE_S)


def test_the_go_tool_as_a_writer(good: Conversation) -> None:
    check_writer([require("dnstap"), "-r", SAMPLE, "-U", "{socket}"], good, timeout_s=DEADLINE_S)


def test_fstrm_capture_knows_no_unidirectional_streams(good: Conversation) -> None:
    one_way = Conversation.of(good.payloads, offered=[DNSTAP], transport=Transport.UNIDIRECTIONAL)
    command: list[str | Path] = [require("fstrm_capture"), "-t", DNSTAP.decode(), "-u", "{socket}", "-w", "/dev/null"]
    with pytest.raises(PeerError, match="expected the reader to read all"):
        check_reader(command, one_way, timeout_s=DEADLINE_S)


def test_the_go_tool_leaves_connections_open() -> None:
    """It stops reading, and does not close."""
    one_way = Conversation.of([b"1"], offered=[DNSTAP], transport=Transport.UNIDIRECTIONAL)
    with pytest.raises(PeerError, match="expected the reader to close"):
        check_reader([require("dnstap"), "-u", "{socket}", "-q"], one_way, timeout_s=DEADLINE_S / 20)
