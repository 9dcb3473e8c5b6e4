"""Signs of a crash, and names that are the same for the same fault."""

from __future__ import annotations

import os
import signal

import pytest

from framestream.fuzzing.faults import Fault, Kind, Signs, peak_memory_bytes

GO = b"""\
opened input file x
panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x28 pc=0x6e8d09]

goroutine 7 [running]:
github.com/dnstap/golang-dnstap.textConvertMessage(0xc000000101?, 0x80ec18?)
\tx/QuietTextFormat.go:56 +0x29
\tx/QuietTextFormat.go:90 +0x29
"""
PYTHON = b"""\
Traceback (most recent call last):
  File "/x/reader.py", line 3, in <module>
    main()
  File "/x/reader.py", line 9, in main
ValueError: bad payload 4711
"""
ASAN = b"==99==ERROR: AddressSanitizer: double-free on 0x602000000011\n    #0 0x4f in f /x/dump.c:12:3\n"
RUST = b"thread 'main' panicked at src/main.rs:4:5:\nindex out of bounds\n"


@pytest.mark.parametrize(
    ("status", "printed", "expected"),
    [
        (-signal.SIGSEGV, b"", "crash: ended by SIGSEGV"),
        (-signal.SIGABRT, b"one\nREQUIRE failed\n", "crash: ended by SIGABRT: REQUIRE failed"),
        (128 + signal.SIGABRT, b"", "crash: ended with status 134"),
        (
            -signal.SIGABRT,
            b"one\ntime.c:99: REQUIRE(nanoseconds < 1000) failed, back trace\n/lib/libisc.so(+0x3ae80)\n",
            "crash: ended by SIGABRT: time.c:99: REQUIRE(nanoseconds < 1000) failed, back trace at time.c:99",
        ),
        (
            2,
            GO.replace(b"invalid memory address or nil", b"nil"),
            "crash: ended with status 2: panic: runtime error: nil pointer dereference at x/QuietTextFormat.go:56",
        ),
        (1, PYTHON, 'crash: ended with status 1: ValueError: bad payload 4711 at /x/reader.py", line 9'),
        (
            1,
            ASAN,
            "crash: ended with status 1: ==99==ERROR: AddressSanitizer: double-free on 0x602000000011 at /x/dump.c:12",
        ),
        (101, RUST, "crash: ended with status 101: thread 'main' panicked at src/main.rs:4:5: at src/main.rs:4"),
        (
            0,
            b"x.c:1:2: runtime error: overflow\x1b[0m",
            "crash: ended with status 0: x.c:1:2: runtime error: overflow?[0m at x.c:1",
        ),
    ],
)
def test_crashes(status: int, printed: bytes, expected: str) -> None:
    fault = Signs().crash(status, printed)
    assert fault is not None
    assert str(fault).replace('File "', "") == expected


@pytest.mark.parametrize(
    ("status", "printed"),
    [(0, b""), (1, b"cannot read: no panic: at all"), (255, b""), (-signal.SIGTERM, b""), (130, b""), (None, GO)],
)
def test_other_ends(status: int | None, printed: bytes) -> None:
    assert Signs().crash(status, printed) is None


def test_ends_by_us_count_only_with_a_message() -> None:
    signs = Signs(statuses=frozenset([99]))
    assert signs.crash(99, b"")
    assert signs.crash(99, b"", signalled=True) is None
    assert signs.crash(-signal.SIGABRT, b"x.c:1: f: Assertion `x' failed.", signalled=True) is None
    assert signs.crash(1, ASAN, signalled=True)


def test_names_are_the_same_for_the_same_fault() -> None:
    def name(printed: bytes, status: int = 1) -> str:
        fault = Signs().crash(status, printed)
        assert fault is not None
        return fault.name

    assert name(PYTHON) == name(PYTHON.replace(b"4711", b"12"))
    assert name(ASAN) == name(ASAN.replace(b"==99==", b"==1==").replace(b"0x602000000011", b"0x1"))
    assert name(PYTHON).startswith("crash-")
    names = [name(PYTHON), name(PYTHON.replace(b"line 9", b"line 8")), name(GO), name(GO.replace(b":56", b":57"))]
    assert len({*names, name(GO, status=3)}) == 5


def test_memory() -> None:
    assert 1 << 20 < peak_memory_bytes(os.getpid()) < 1 << 40
    assert peak_memory_bytes(2**30) == 0
    assert Signs().memory(os.getpid()) is None
    assert Signs(max_memory_bytes=1 << 40).memory(os.getpid()) is None
    expected = Fault(kind=Kind.MEMORY, what="more than 1 MiB of memory")
    assert Signs(max_memory_bytes=1 << 20).memory(os.getpid()) == expected
