"""dnstap.read: one loop over files, whatever is wrong with them."""

from __future__ import annotations

import gc
import gzip
import io
import logging
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import dnstap
from dnstap import (
    CONTENT_TYPE,
    Dnstap,
    DnstapType,
    FilterError,
    Message,
    MessageType,
    MissingFieldError,
    PairCounts,
    Pairs,
)
from dnstap import reading as reading_module
from framestream import (
    FrameTooLargeError,
    Limits,
    TruncatedStreamError,
    UnexpectedFrameError,
    encode_data_frames,
    read_file,
    write_file,
)
from tests.dnstap.pairing.messages import query, response
from tests.dnstap.pipeline.streams import START, STOP, file_of

if TYPE_CHECKING:
    from collections.abc import Iterable

CAPTURE = Path(__file__).parents[2] / "examples" / "coredns.fstrm"


def payload(identity: str) -> bytes:
    """Return a payload that is known by its identity."""
    message = Message(type=MessageType.CLIENT_QUERY)
    return Dnstap(identity=identity.encode(), type=DnstapType.MESSAGE, message=message).encode()


def names(messages: Iterable[Dnstap]) -> list[str]:
    """Return the identities of messages."""
    return [(message.identity or b"").decode() for message in messages]


def cut(path: Path, *payloads: bytes) -> str:
    """Write a file without STOP."""
    file_of(path, *payloads)
    path.write_bytes(path.read_bytes()[: -len(STOP)])
    return str(path)


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def test_it_is_a_loop_over_decoder() -> None:
    with read_file(CAPTURE, [CONTENT_TYPE]) as payloads:
        expected = [Dnstap.parse(one) for one in payloads]
    messages = dnstap.read(CAPTURE)
    assert list(messages) == expected
    assert (messages.payloads, messages.skipped, messages.unmatched, messages.failed_files) == (36, 0, 0, 0)
    assert messages.problems.first is None


def test_kinds_of_files(tmp_path: Path) -> None:
    file_of(tmp_path / "a.fstrm", payload("a"))
    (tmp_path / "b.gz").write_bytes(gzip.compress((tmp_path / "a.fstrm").read_bytes()))
    opened = io.BytesIO((tmp_path / "a.fstrm").read_bytes())
    assert names(dnstap.read(tmp_path / "a.fstrm", str(tmp_path / "b.gz"), opened)) == ["a"] * 3
    assert not opened.closed
    standard_input = os.dup(0)
    try:
        with open(tmp_path / "a.fstrm", "rb") as file:
            os.dup2(file.fileno(), 0)
        assert names(dnstap.read("-")) == ["a"]
    finally:
        os.dup2(standard_input, 0)
        os.close(standard_input)


def test_directories_and_patterns_by_name(tmp_path: Path) -> None:
    for name in ("2", "1", "3", ".hidden"):
        file_of(tmp_path / name, payload(name))
    (tmp_path / "folder").mkdir()
    assert names(dnstap.read(tmp_path)) == ["1", "2", "3"]
    assert names(dnstap.read(f"{tmp_path}/[23]", tmp_path / "1")) == ["2", "3", "1"]
    os.rename(tmp_path / "1", tmp_path / "[23]")
    assert names(dnstap.read(tmp_path / "[23]")) == ["1"]


@pytest.mark.parametrize("missing", ["missing", "*.missing", "folder"])
def test_a_file_that_is_missing_is_an_error_before_any_is_read(tmp_path: Path, missing: str) -> None:
    (tmp_path / "folder").mkdir()
    good = file_of(tmp_path / "a.fstrm", payload("a"))
    with pytest.raises(FileNotFoundError) as caught:
        dnstap.read(good, tmp_path / missing)
    assert caught.value.filename == str(tmp_path / missing)


def test_bad_payloads_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    without_message = Dnstap(type=DnstapType.MESSAGE).encode()
    one = file_of(tmp_path / "1", payload("a"), b"\xff", payload("b"), without_message)
    other = file_of(tmp_path / "2", b"\0", payload("c"))
    messages = dnstap.read(one, other)
    assert names(messages) == ["a", "b", "c"]
    assert (messages.payloads, messages.skipped, messages.problems.count) == (6, 3, 3)
    assert messages.problems.first
    number, error = messages.problems.first
    assert number == 2
    assert [record.getMessage() for record in caplog.records] == [
        f"1 of 4 payloads do not decode and were left out; the first was payload 2: {error}, in {one}",
        f"3 of 6 payloads do not decode and were left out; the first was payload 2: {error}, in {one}",
    ]
    assert {record.name for record in caplog.records} == {"dnstap"}


def test_reports_of_bad_payloads_are_limited(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file_of(tmp_path / "1", *[b"\xff"] * 100)
    assert names(dnstap.read(tmp_path / "1")) == []
    assert len(caplog.records) == 2
    caplog.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading_module, "PERIOD_S", -1.0)
        assert names(dnstap.read(tmp_path / "1")) == []
    assert len(caplog.records) == 100


def test_a_message_without_message(tmp_path: Path) -> None:
    file_of(tmp_path / "1", Dnstap(type=DnstapType.MESSAGE).encode(), payload("a"))
    messages = dnstap.read(tmp_path / "1")
    assert [message.message.type for message in messages] == [MessageType.CLIENT_QUERY]
    assert messages.problems.first
    assert isinstance(messages.problems.first[1], MissingFieldError)
    assert str(messages.problems.first[1]) == "Dnstap: required field message is missing"


def test_lenient(tmp_path: Path) -> None:
    without_message = Dnstap(type=DnstapType.MESSAGE, identity=b"a").encode()
    without_type = Dnstap(message=Message(), identity=b"b").encode(lenient=True)
    file_of(tmp_path / "1", without_message, without_type, b"\xff")
    assert names(dnstap.read(tmp_path / "1")) == []
    messages = dnstap.read(tmp_path / "1", lenient=True)
    assert [(one.identity, one.type, one.message) for one in messages] == [
        (b"a", DnstapType.MESSAGE, None),
        (b"b", None, Message()),
    ]
    assert messages.skipped == 1


def test_filter() -> None:
    messages = dnstap.read(CAPTURE, filter="type = CQ")
    assert {message.message.type for message in messages} == {MessageType.CLIENT_QUERY}
    assert (messages.payloads, messages.unmatched) == (36, 27)
    compiled = dnstap.compile_filter("time > 2026-11-23T21:45", "utc")
    assert sum(1 for _ in dnstap.read(CAPTURE, filter=compiled)) == 36


def paired_file(path: Path, *, cut: bool = False) -> Path:
    """Write a file with a query that is not answered and one that is. Args: cut: whether its end is missing."""
    data = START + encode_data_frames([query(0, query_port=1), query(1), response(2)])
    path.write_bytes(data if cut else data + STOP)
    return path


def test_pairs(tmp_path: Path) -> None:
    pairs = Pairs()
    found = list(dnstap.read(paired_file(tmp_path / "a"), pairs=pairs))
    assert [each.message.latency for each in found] == [None, None, timedelta(seconds=1)]
    assert [each.answered for each in found] == [None] * 3
    assert pairs.counts == PairCounts(queries=2, responses=1, paired=1, unanswered=1)


def test_pairs_that_hold_queries(tmp_path: Path) -> None:
    """Those without a response come last, though before the error of a file."""
    found: list[tuple[bool | None, bool]] = []
    messages = dnstap.read(paired_file(tmp_path / "a", cut=True), pairs=Pairs(hold_queries=True))
    with pytest.raises(TruncatedStreamError):
        found.extend((each.answered, each.message.is_query) for each in messages)
    assert found == [(True, True), (None, False), (False, True)]


def test_fields() -> None:
    with read_file(CAPTURE, [CONTENT_TYPE]) as payloads:
        expected = [*map(dnstap.row_reader(["time", "client", "qname"]), payloads)]
    rows = dnstap.read(CAPTURE, fields=["time", "client", "qname"])
    assert [*rows] == expected
    assert (rows.payloads, rows.skipped, rows.unmatched) == (36, 0, 0)
    # The filter reads other fields than the rows have.
    rows = dnstap.read(CAPTURE, fields=("qname", "latency"), filter="type = CR and rcode = NXDOMAIN")
    assert [*rows] == [("nope.example.org.", 258981)]
    assert rows.unmatched == 35


def test_fields_of_bad_payloads(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """They are left out, as they are of messages."""
    without_message = Dnstap(type=DnstapType.MESSAGE, identity=b"c").encode()
    without_type = Dnstap(message=Message(), identity=b"d").encode(lenient=True)
    path = file_of(tmp_path / "1", payload("a"), b"\xff", without_message, without_type, payload("b"))
    rows = dnstap.read(path, fields=["identity", "type"])
    assert [*rows] == [("a", "CLIENT_QUERY"), ("b", "CLIENT_QUERY")]
    assert (rows.payloads, rows.skipped) == (5, 3)
    assert rows.problems.first
    assert rows.problems.first[0] == 2
    assert caplog.records[0].getMessage().startswith("1 of 5 payloads do not decode and were left out")
    rows = dnstap.read(path, fields=["identity"], lenient=True)
    assert [row.identity for row in rows] == ["a", "c", "d", "b"]
    assert rows.skipped == 1


def test_fields_with_pairs(tmp_path: Path) -> None:
    path = paired_file(tmp_path / "a")
    rows = dnstap.read(path, fields=["qr", "latency"], pairs=Pairs())
    assert [*rows] == [("Q", None), ("Q", None), ("R", 10**9)]
    for names in (["query_port", "answered"], ["all"]):
        rows = dnstap.read(path, fields=names, pairs=Pairs())
        assert [(row.query_port, row.answered) for row in rows][-1] == (1, False)
    rows = dnstap.read(path, fields=["query_port"], filter="answered = no", pairs=Pairs())
    assert [*rows] == [(1,)]
    assert {row.answered for row in dnstap.read(path, fields=["all"])} == {None}
    with pytest.raises(ValueError, match="fields: answered: expected `pairs`, which finds out"):
        dnstap.read(path, fields=["answered"])
    with pytest.raises(ValueError, match="filter: answered: expected `pairs`"):
        dnstap.read(path, fields=["all"], filter="answered = no")


def test_a_filter_of_unanswered_queries(tmp_path: Path) -> None:
    path = paired_file(tmp_path / "a")
    assert [each.message.query_port for each in dnstap.read(path, filter="answered = no", pairs=Pairs())] == [1]
    assert [each.message.type for each in dnstap.read(path, filter="latency > 1ms", pairs=Pairs())] == [
        MessageType.CLIENT_RESPONSE
    ]
    with pytest.raises(ValueError, match="filter: answered: expected `pairs`, which finds out"):
        dnstap.read(path, filter="answered = no")
    with pytest.raises(TypeError, match="pairs: expected Pairs, got True of type bool"):
        dnstap.read(path, pairs=True)  # type: ignore[call-overload]


def test_arguments_are_checked_at_once(tmp_path: Path) -> None:
    with pytest.raises(FilterError):
        dnstap.read(CAPTURE, filter="type = ")
    with pytest.raises(TypeError, match="filter: expected an expression"):
        dnstap.read(CAPTURE, filter=print)  # type: ignore[call-overload]
    for wrong in (None, 3, io.StringIO()):
        with pytest.raises(TypeError, match="file: expected a path or a binary file object"):
            dnstap.read(CAPTURE, wrong)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="limits"):
        dnstap.read(CAPTURE, limits=3)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match=r"^errors: expected 'raise' or 'log', got 'ignore'$"):
        dnstap.read(CAPTURE, errors="ignore")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"^errors: expected 'raise' or 'log', got False of type bool$"):
        dnstap.read(CAPTURE, errors=False)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"^fields: expected a list of names, got 'time' of type str$"):
        dnstap.read(CAPTURE, fields="time")
    with pytest.raises(ValueError, match=r"^unknown field 'rcod' \(did you mean rcode\?\): expected one of all, time"):
        dnstap.read(CAPTURE, fields=["rcod"])
    with pytest.raises(ValueError, match=r"^expected the name of a field, got none$"):
        dnstap.read(CAPTURE, fields=[])
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        dnstap.read()  # type: ignore[call-overload]


def test_a_truncated_file_costs_none_of_its_messages(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = cut(tmp_path / "cut", payload("a"), payload("b"))
    seen: list[Dnstap] = []
    messages = dnstap.read(path)
    with pytest.raises(TruncatedStreamError) as caught:
        seen.extend(iter(messages.__next__, None))
    assert names(seen) == ["a", "b"]
    assert caught.value.__notes__ == [f"in {path}"]
    assert (messages.failed_files, list(messages), caplog.records) == (1, [], [])


def test_broken_files_cost_the_others_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "1").write_bytes(b"GET / HTTP/1.1\r\n")
    file_of(tmp_path / "2", payload("2"))
    cut(tmp_path / "3", payload("3"))
    file_of(tmp_path / "4", payload("4"))
    file_of(tmp_path / "5", payload("5"))
    messages = dnstap.read(tmp_path)
    seen: list[Dnstap] = []
    (tmp_path / "5").unlink()  # After it was found.
    with pytest.raises(UnexpectedFrameError) as caught:
        seen.extend(iter(messages.__next__, None))
    assert names(seen) == ["2", "3", "4"]
    assert caught.value.__notes__ == [f"in {tmp_path}/1", "2 more files could not be read to their end"]
    assert messages.failed_files == 3
    fault = "expected a data frame or STOP, got the end of input in state STREAMING"
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}/3: {fault}, at byte {os.path.getsize(tmp_path / '3')}",
        f"{tmp_path}/5: No such file or directory",
    ]


def test_errors_can_be_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """All of them, so that what was read is not lost."""
    (tmp_path / "1").write_bytes(b"GET / HTTP/1.1\r\n")
    cut(tmp_path / "2", payload("2"))
    file_of(tmp_path / "3", payload("3"))
    file_of(tmp_path / "4", payload("4"))
    messages = dnstap.read(tmp_path, errors="log")
    (tmp_path / "4").unlink()  # After it was found.
    assert names(messages) == ["2", "3"]
    assert messages.failed_files == 3
    assert [record.getMessage().split(",")[0] for record in caplog.records] == [
        f"{tmp_path}/1: expected START",
        f"{tmp_path}/2: expected a data frame or STOP",
        f"{tmp_path}/4: No such file or directory",
    ]
    with pytest.raises(FileNotFoundError):
        dnstap.read(tmp_path / "missing", errors="log")


def test_queries_that_are_held_come_if_errors_are_logged(tmp_path: Path) -> None:
    messages = dnstap.read(paired_file(tmp_path / "a", cut=True), pairs=Pairs(hold_queries=True), errors="log")
    assert [each.answered for each in messages] == [True, None, False]


def test_a_file_that_goes_missing(tmp_path: Path) -> None:
    messages = dnstap.read(file_of(tmp_path / "1", payload("1")), file_of(tmp_path / "2", payload("2")))
    (tmp_path / "1").unlink()
    seen: list[Dnstap] = []
    with pytest.raises(FileNotFoundError):
        seen.extend(iter(messages.__next__, None))
    assert (names(seen), messages.failed_files) == (["2"], 1)


def test_what_a_file_has_beside_messages_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stream = Path(file_of(tmp_path / "1", payload("a"), payload("b" * 500))).read_bytes()
    (tmp_path / "1").write_bytes(stream[: -len(STOP)] + stream)
    limits = Limits(max_data_bytes=100, oversize="skip")
    assert names(dnstap.read(tmp_path / "1", limits=limits)) == ["a", "a"]
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}/1: 1 streams without STOP, each followed by another",
        f"{tmp_path}/1: 2 frames over 100 bytes left out",
    ]
    with pytest.raises(FrameTooLargeError):
        list(dnstap.read(tmp_path / "1", limits=Limits(max_data_bytes=100)))


def test_a_loop_that_was_left_is_continued(tmp_path: Path) -> None:
    path = file_of(tmp_path / "1", payload("a"), payload("b"), payload("c"), payload("d"))
    with dnstap.read(path) as messages:
        assert next(messages).identity == b"a"
        for message in messages:
            assert message.identity == b"b"
            break
        assert names(messages) == ["c", "d"]
        assert list(messages) == []


def test_files_are_closed(tmp_path: Path) -> None:
    path = file_of(tmp_path / "1", *[payload("a")] * 3)
    gc.collect()
    before = descriptors()
    for _ in dnstap.read(path):
        assert descriptors() > before
        break
    assert descriptors() == before
    with dnstap.read(path) as messages:
        next(messages)
        assert descriptors() > before
    assert descriptors() == before
    unused = dnstap.read(path)
    assert descriptors() == before
    del unused
    with pytest.raises(ValueError, match="the reader is closed"):
        next(messages)


def test_what_was_wrong_is_reported_if_the_loop_is_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "1").write_bytes(b"GET / HTTP/1.1\r\n")
    file_of(tmp_path / "2", payload("2"), payload("2"))
    with dnstap.read(tmp_path) as messages:
        next(messages)
        assert caplog.records == []
    assert messages.failed_files == 1
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(f"{tmp_path}/1: expected START, got an HTTP request")


def test_following(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with write_file(tmp_path / "log", [CONTENT_TYPE]) as writer:
        writer.write_many([payload("a"), b"\xff", payload("b")])
        with dnstap.read(tmp_path / "log", filter="type = CQ", follow=True) as messages:
            assert next(messages).identity == b"a"
            assert next(messages).identity == b"b"
            writer.write(payload("c"))
            assert next(messages).identity == b"c"
            writer.write(payload("d"))
            messages.stop()
            assert names(messages) == ["d"]
    assert (messages.skipped, messages.failed_files) == (1, 0)
    assert messages.problems.first
    assert [record.getMessage() for record in caplog.records] == [
        f"1 of 3 payloads do not decode and were left out; the first was payload 2: {messages.problems.first[1]}"
    ]


def test_stop_without_following(tmp_path: Path) -> None:
    messages = dnstap.read(file_of(tmp_path / "1", payload("a"), payload("b")))
    messages.stop()
    assert names(messages) == ["a", "b"]


def test_interrupt_of_a_program_that_follows(tmp_path: Path) -> None:
    """INT is a KeyboardInterrupt in the loop, as anywhere else."""
    program = f"""
import dnstap
try:
    for message in dnstap.read({str(tmp_path)!r}, follow=True):
        print(message.identity.decode(), flush=True)
except KeyboardInterrupt:
    print("interrupted")
"""
    file_of(tmp_path / "1", payload("a"))
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-X", "dev", "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "a\n"
    process.send_signal(2)
    assert process.communicate(timeout=60) == ("interrupted\n", "")


def test_reading_files_loads_no_asyncio() -> None:
    program = f"""
import sys
import dnstap
list(dnstap.read({str(CAPTURE)!r}, filter="type = CQ"))
print({{"asyncio", "ssl"}} & set(sys.modules))
"""
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "set()\n"
