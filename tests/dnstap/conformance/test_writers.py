"""Cases for writers: what they find in payloads, sent by our command."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from dnstap.conformance.readers_senders import BIND, COREDNS, DNSDIST, KNOT, NSD, RECURSOR
from dnstap.conformance.wire import dnstap, fixed32, number
from dnstap.conformance.writers import CASES, ExpectMessages
from dnstap.linting.catalogue import RULES
from framestream import write_file
from framestream.conformance.cases import Level, PeerRole
from framestream.conformance.runner import Verdict
from framestream.conformance.steps import STOP, TYPE, data, payload, start
from framestream.conversations import wire_of
from tests.framestream.conformance.kit import judge, verdicts

if TYPE_CHECKING:
    from pathlib import Path

    from framestream.conformance.cases import Case
    from framestream.conformance.runner import Result
    from framestream.control import ControlFrame

GOOD = (*BIND, *DNSDIST, *COREDNS[:1], *RECURSOR, *KNOT[:1])

WRONG = {
    2: dnstap({1: b""}),
    3: number(15, 1),
    4: dnstap({1: number(1, 99)}),
    5: dnstap({4: number(4, 7)}),
    6: dnstap({2: b""}),
    7: dnstap({2: number(2, 2)}),
    8: dnstap({6: number(6, 65_536)}),
    9: dnstap({9: b""}),
    10: dnstap({9: fixed32(9, 1_000_000_000)}),
    11: NSD[0],
    12: dnstap(outer={1: b""}),
    13: payload(1, 98_305),
}


SENDER = r"""
import socket, sys, time
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[2])
sock.sendall(bytes.fromhex(sys.argv[1]))
sock.recv(1)
"""
"""Writer of bytes, without a handshake."""


def results(chosen: tuple[Case, ...], command: tuple[str, ...]) -> list[Result]:
    """Return the results of cases with a writer."""
    return judge(chosen, role=PeerRole.WRITER, command=command, listens=False)


def ours(folder: Path, *payloads: bytes) -> tuple[str, ...]:
    """Return the command of ours that sends payloads."""
    path = folder / "capture"
    with write_file(path, [TYPE]) as writer:
        writer.write_many(payloads)
    return (sys.executable, "-m", "dnstap", "-r", str(path), "-U", "{socket}")


def test_good_payloads_pass(tmp_path: Path) -> None:
    assert verdicts(results(CASES, ours(tmp_path, *GOOD))) == {}


@pytest.mark.parametrize(("id", "wrong"), WRONG.items(), ids=WRONG)
def test_wrong_payloads_are_found(id: int, wrong: bytes, tmp_path: Path) -> None:
    (result,) = results((CASES[id - 1],), ours(tmp_path, *GOOD, wrong))
    assert result.verdict is (Verdict.FAIL if result.case.level is Level.MUST else Verdict.NON_STRICT)
    assert result.fault
    assert result.fault.got.startswith(f"1 of {len(GOOD) + 1}, the first: ")
    assert wrong[:48].hex() in result.fault.got


@pytest.mark.parametrize(
    ("begin", "payloads", "verdict", "got"),
    [
        (start(TYPE), GOOD, Verdict.PASS, ""),
        (start(TYPE), GOOD * 10, Verdict.PASS, ""),
        (start(), GOOD, Verdict.NON_STRICT, "START ["),
        (start(b"other"), GOOD, Verdict.FAIL, "START 'other'"),
        (start(TYPE), (), Verdict.FAIL, "STOP"),
    ],
)
def test_streams(begin: ControlFrame, payloads: tuple[bytes, ...], verdict: Verdict, got: str) -> None:
    sent = wire_of(begin) + data(*payloads) + (b"" if payloads else wire_of(STOP))
    (result,) = results(CASES[:1], (sys.executable, "-E", "-S", "-c", SENDER, sent.hex(), "{socket}"))
    assert result.verdict is verdict
    assert (result.fault.got if result.fault else "").startswith(got)


def test_rules_are_those_of_the_linter() -> None:
    for case in CASES:
        (step,) = case.steps
        assert isinstance(step, ExpectMessages)
        assert {*step.rules} <= {*RULES}
