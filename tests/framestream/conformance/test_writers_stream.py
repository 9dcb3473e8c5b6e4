"""Cases for streams of writers: good writers pass them all, and each wrong one is found by the case made for it."""

from __future__ import annotations

import pytest

from framestream.conformance.cases import Level
from framestream.conformance.runner import Verdict
from tests.framestream.conformance.kit import OUR_WRITER, failing, judge_writer, writer

FAULTS = {
    "reorders": "FS-WRITER-101",
    "duplicates": "FS-WRITER-101",
    "loses the last": "FS-WRITER-101",
    "keeps everything": "FS-WRITER-102",
    "no STOP": "FS-WRITER-103",
    "two STOPs": "FS-WRITER-104",
    "closes at STOP": "FS-WRITER-104",
    "stays open": "FS-WRITER-105",
    "status 1": "FS-WRITER-107",
    "waits for FINISH for ever": "FS-WRITER-108",
    "dies of SIGPIPE": "FS-WRITER-116",
    "crashes with a traceback": "FS-WRITER-117",
    "ignores errors": "FS-WRITER-119",
    "sends empty payloads": "FS-WRITER-121",
    "cuts": "FS-WRITER-122",
    "merges": "FS-WRITER-125",
    "short writes": "FS-WRITER-128",
    "ignores TERM": "FS-WRITER-129",
}


def test_ours_passes() -> None:
    assert failing(judge_writer("FS-WRITER-1[02]?", OUR_WRITER)) == {}


@pytest.mark.parametrize("fault", ["none", "unidirectional"])
def test_good_writers_pass(fault: str) -> None:
    assert failing(judge_writer("FS-WRITER-1??", writer(fault))) == {}


@pytest.mark.parametrize("how", ["connect", "listen"])
def test_good_writers_with_payloads_of_their_own_pass(how: str) -> None:
    command = writer("none", how, "-")
    results = judge_writer("FS-WRITER-1??", command, any_payloads=True, listens=how == "listen")
    assert failing(results) == {}
    assert sum(result.verdict is Verdict.PASS for result in results) == 17


@pytest.mark.parametrize(("fault", "id"), FAULTS.items(), ids=FAULTS)
def test_wrong_writers_are_found(fault: str, id: str) -> None:
    (result,) = judge_writer(id, writer(fault), timeout_s=1.0)
    assert result.fault
    crashes = fault.startswith(("dies", "crashes"))
    fails = crashes or result.case.level is Level.MUST
    assert result.verdict is (Verdict.FAIL if fails else Verdict.NON_STRICT)


def test_streams_without_stop_after_a_signal_are_found() -> None:
    (result,) = judge_writer("FS-WRITER-103", writer("no STOP", payloads="-"), timeout_s=1.0, any_payloads=True)
    assert result.fault
    assert result.fault.expected == "data frames, then STOP, after the signal that ends it"
    (result,) = judge_writer("FS-WRITER-105", writer("no STOP"), timeout_s=1.0)
    assert result.verdict is Verdict.UNIMPLEMENTED


def test_writers_without_payloads_are_found() -> None:
    command = writer("keeps everything", payloads="-")
    (result,) = judge_writer("FS-WRITER-102", command, timeout_s=1.0, any_payloads=True)
    assert result.fault
    assert (result.fault.expected, result.fault.got) == ("a data frame", "nothing in time")
