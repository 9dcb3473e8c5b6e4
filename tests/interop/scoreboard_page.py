"""docs/scoreboard.md, made from tests/data/scoreboard.json."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

__all__ = ["DATA", "KNOWN", "PAGE", "faulty", "page"]

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "scoreboard.json"
PAGE = ROOT / "docs" / "scoreboard.md"

JsonObject = dict[str, Any]

KNOWN: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("an unknown control frame between data frames ends the stream", "fstrm_capture", "reader", ("FS-READER-116",)),
    (
        "an unknown control frame between data frames ends the stream",
        "fstrm_dump",
        "file-reader",
        ("FS-FILE-READER-101",),
    ),
    ("a data frame over the limit is a success without a payload", "libfstrm", "file-reader", ("FS-FILE-READER-127",)),
    ("data frames over the limit are left out", "fstrm_capture", "reader", ("FS-READER-210",)),
    (
        "nothing is read after a data frame over the limit, and the socket stays open",
        "dnstap (Go)",
        "reader",
        ("FS-READER-212",),
    ),
    ("a length of ffffffff puts stray bytes into the file", "fstrm_capture", "reader", ("FS-READER-215",)),
    ("of two types that it offers, ACCEPT may not name the second alone", "libfstrm", "writer", ("FS-WRITER-046",)),
    ("an empty payload is sent as the escape word", "libfstrm", "writer", ("FS-WRITER-121",)),
    ("an empty payload is sent as the escape word", "golang-dnstap", "writer", ("FS-WRITER-121",)),
    ("START may name another type than was accepted", "dnstap (Go)", "reader", ("FS-READER-036",)),
    ("an idle client keeps others from being answered", "dnstap (Go)", "reader", ("FS-READER-043",)),
    ("`78 01`, a type without a message, crashes it", "dnstap (Go), -q", "reader", ("DNSTAP-READER-102",)),
    ("after a payload that does not decode, nothing is printed", "dnstap (Go), -q", "reader", ("DNSTAP-READER-101",)),
    (
        "INT loses payloads in memory, and writes no STOP",
        "dnstap (Go)",
        "file-writer",
        (
            "FS-FILE-WRITER-103",
            "FS-FILE-WRITER-104",
        ),
    ),
    (
        "the end of a file in a frame passes for STOP",
        "libfstrm",
        "file-reader",
        (
            "FS-FILE-READER-007",
            "FS-FILE-READER-008",
        ),
    ),
    ("the exit status for the end of a file in a frame is 0", "dnstap (Go)", "file-reader", ("FS-FILE-READER-008",)),
    (
        "only the first of two streams in a file is read, with status 0",
        "fstrm_dump",
        "file-reader",
        (
            "FS-FILE-READER-103",
            "FS-FILE-READER-104",
        ),
    ),
    (
        "only the first of two streams in a file is read, with status 0",
        "dnstap (Go)",
        "file-reader",
        (
            "FS-FILE-READER-103",
            "FS-FILE-READER-104",
        ),
    ),
)
"""Faults that were found by other tests before: what is wrong, in which peer and role, and the cases that find it."""

CHANCE = {
    (
        "golang-dnstap, the Go collector of conformance.md",
        case,
    ): "FINISH is sent before the payloads are printed, and the signal that ends the program may be faster"
    for case in ("FS-READER-334", "FS-READER-337", "FS-READER-422")
}
"""Verdicts that may change from run to run, with the reason in the program: by its name, and the case."""

_HEAD = """# Scoreboard

Other implementations of Frame Streams and dnstap, and ours, put to the cases of [the conformance kit](conformance.md).
`python -m tests.interop.scoreboard --times 5` makes this page. The programs are packages of Debian, modules of Go and
packages of PyPI, by their versions. Small programs for libraries, and configurations of servers, are in
`tests/interop`; commands are those for `--spawn`. Each row is of the cases that there were when
the program was put to them.

What a verdict means is told in [conformance.md](conformance.md#verdicts). A fault of a library need not be one of each
program that uses it, because some can be avoided.

"""


def page(entries: list[JsonObject]) -> str:
    """Return the page."""
    return "\n".join([_HEAD, *_summary(entries), *_known(entries), *_faults(entries)])


def _summary(entries: list[JsonObject]) -> list[str]:
    lines = ["| program | version | role | pass | non-strict | fail | unimplemented | runs |", "|---" * 8 + "|"]
    for entry in entries:
        cells = [entry["peer"], entry["version"], entry["role"], *entry["counts"].values(), entry["times"]]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    changing = [
        f"{entry['peer']} as {entry['role']}: `{case}` ({CHANCE.get((entry['peer'], case), 'not explained')})"
        for entry in entries
        for case in entry["changing"]
    ]
    return [*lines, "", f"Verdicts that changed from run to run: {'; '.join(changing) or 'none'}.", ""]


def _known(entries: list[JsonObject]) -> list[str]:
    lines = ["## What was known before", "", "Faults that other tests had found, and the cases that find them now.", ""]
    lines += ["| fault | program | cases |", "|---|---|---|"]
    for what, peer, role, cases in KNOWN:
        found = ", ".join(f"`{case}`" for case in cases if case in faulty(entries, peer, role))
        lines.append(f"| {what} | {peer}, {role} | {found} |")
    return [*lines, ""]


def faulty(entries: list[JsonObject], peer: str, role: str) -> set[str]:
    """Return the ids of the cases that a peer does not pass."""
    return {
        fault["id"] for entry in entries if (entry["peer"], entry["role"]) == (peer, role) for fault in entry["faults"]
    }


def _faults(entries: list[JsonObject]) -> list[str]:
    lines = []
    for entry in entries:
        if not entry["faults"]:
            continue
        lines += [f"## {entry['peer']}, {entry['role']}", "", f"Version {entry['version']}: `{entry['command']}`", ""]
        lines += [
            f"- `{fault['id']}` fail: {fault['rule']} Expected {_text(fault['expected'])}; got {_text(fault['got'])}."
            for fault in entry["faults"]
            if fault["verdict"] == "fail"
        ]
        # What is not strict is often the same in many cases.
        same: dict[tuple[str, str], list[str]] = defaultdict(list)
        for fault in entry["faults"]:
            if fault["verdict"] == "non-strict":
                same[fault["expected"], fault["got"]].append(f"`{fault['id']}`")
        lines += [
            f"- {', '.join(ids)} non-strict: expected {_text(expected)}; got {_text(got)}."
            for (expected, got), ids in same.items()
        ]
        lines.append("")
    return lines


def _text(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    return "".join(f"\\{char}" if char in "\\`*_<>[]|" else char for char in text).replace("\n", " ")
