"""Cases for writers, 001 to 099: the handshake, and the stream after it."""

from __future__ import annotations

from framestream.conformance.cases import Case, Level
from framestream.conformance.steps import (
    FINISH,
    TYPE,
    ExpectClose,
    ExpectRefusal,
    ExpectStream,
    accept,
    control,
    expect,
    field,
    ready,
    send,
    start,
)

__all__ = ["CASES"]

REST = (expect(start(TYPE), tolerated=(start(),)), ExpectStream(), send(FINISH), ExpectClose())
"""Steps after ACCEPT."""

CASES = (
    Case(
        id="FS-WRITER-001",
        level=Level.MUST,
        rule="A writer sends READY, START after ACCEPT, data frames and STOP, and closes after FINISH.",
        source="rule 8",
        failure="Nothing works: no collector takes the stream.",
        steps=(expect(ready(TYPE)), send(accept(TYPE)), *REST),
    ),
    Case(
        id="FS-WRITER-002",
        level=Level.MUST,
        rule="ACCEPT may arrive byte by byte.",
        source="rule 15",
        failure="The handshake fails at random on a loaded network.",
        steps=(expect(ready(TYPE)), send(accept(TYPE), chunk=1), *REST),
    ),
    Case(
        id="FS-WRITER-003",
        level=Level.MUST,
        rule="ACCEPT without content types takes any.",
        source="rule 11",
        failure="Collectors that take anything get nothing.",
        steps=(expect(ready(TYPE)), send(accept()), *REST),
    ),
    Case(
        id="FS-WRITER-004",
        level=Level.MUST,
        rule="A writer sends no START after an ACCEPT that only names other content types.",
        source="rule 11",
        failure="A collector of another format takes the payloads for its own.",
        steps=(expect(ready(TYPE)), send(accept(b"other")), ExpectRefusal()),
    ),
    Case(
        id="FS-WRITER-005",
        level=Level.MUST,
        rule="A writer sends no START after an ACCEPT that is broken.",
        source="rule 3: lengths add up",
        failure="A broken collector is not noticed, and its stream is lost.",
        steps=(expect(ready(TYPE)), send(control(1, field(TYPE) + b"x")), ExpectRefusal()),
    ),
)
