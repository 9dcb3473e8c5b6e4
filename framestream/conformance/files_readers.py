"""Cases for programs that read files, 001 to 099: whole files, and the places where a file may end."""

from __future__ import annotations

from framestream.conformance.cases import Case, Level, Taken
from framestream.conformance.files_descriptions import Exit, Given, Reading
from framestream.conformance.steps import STOP, TYPE, control, data, field, payload, start, word

__all__ = ["CASES"]

START = start(TYPE)
ONE, TWO, THREE = (payload(number) for number in (1, 2, 3))
MANY = tuple(payload(number) for number in range(1, 2001))
HEAD = word(0) + word(12 + len(TYPE))
"""The first words of START."""

CONTENT = control(2, field(TYPE))
"""START, as bytes, to be cut; a case with another content type still ends in the same field."""

SILENT = "What the file lost is taken for everything that there was."
"""Consequence of a truncated file that is not reported."""

CASES = (
    Case(
        id="FS-FILE-READER-001",
        level=Level.MUST,
        rule="A file of START, data frames and STOP is read whole, in order, with exit status 0.",
        source="rule 7",
        failure="Nothing works: files cannot be read, or scripts stop at good ones.",
        file=Reading(parts=(START, data(ONE, TWO, THREE), STOP)),
        output=(Taken((ONE, TWO, THREE)),),
    ),
    Case(
        id="FS-FILE-READER-002",
        level=Level.MUST,
        rule="A file of START and STOP has no payloads, and is no error.",
        source="rule 7",
        failure="The file of an hour without queries stops a script.",
        file=Reading(parts=(START, STOP)),
    ),
    Case(
        id="FS-FILE-READER-003",
        level=Level.MUST,
        rule="A file of many frames is read whole, and frames may lie across the reader's blocks.",
        source="rule 15",
        failure="Payloads are lost or broken wherever the reader's buffer ends.",
        file=Reading(parts=(START, data(*MANY), STOP)),
        output=(Taken(MANY),),
    ),
    Case(
        id="FS-FILE-READER-004",
        level=Level.MUST,
        rule="The payloads of a file without STOP are all taken.",
        source="rule 7",
        failure="What a recorder wrote before it was killed is lost.",
        file=Reading(parts=(START, data(ONE, TWO)), exit=Exit.ANY),
        output=(Taken((ONE, TWO)),),
    ),
    Case(
        id="FS-FILE-READER-005",
        level=Level.SHOULD,
        rule="A file without STOP is reported, by exit status or a message.",
        source="rule 7: a truncated file",
        failure=SILENT,
        file=Reading(parts=(START, data(ONE, TWO)), exit=Exit.REPORTED),
        output=(Taken((ONE, TWO), at_least=0),),
    ),
    Case(
        id="FS-FILE-READER-006",
        level=Level.MUST,
        rule="The payloads in front of a frame that a file ends in are taken.",
        source="rule 7",
        failure="One block that a full disk did not take makes the whole file worthless.",
        file=Reading(parts=(START, data(ONE, TWO), data(THREE)[:-4]), exit=Exit.ANY),
        output=(Taken((ONE, TWO)),),
    ),
    Case(
        id="FS-FILE-READER-007",
        level=Level.MUST,
        rule="A file that ends within a payload is reported, by exit status or a message.",
        source="rule 7: a truncated file; observed: fstrm tools take it for STOP",
        failure=SILENT,
        file=Reading(parts=(START, data(ONE, TWO), data(THREE)[:-4]), exit=Exit.REPORTED),
        output=(Taken((ONE, TWO), at_least=0),),
    ),
    Case(
        id="FS-FILE-READER-008",
        level=Level.SHOULD,
        rule="The exit status for a file that ends within a frame is not 0.",
        source="rule 7: a truncated file; observed: the Go tool prints a message and returns 0",
        failure="A script goes on with a part of the file.",
        file=Reading(parts=(START, data(ONE, TWO), data(THREE)[:-4]), exit=Exit.FAILURE),
        output=(Taken((ONE, TWO), at_least=0),),
    ),
    Case(
        id="FS-FILE-READER-009",
        level=Level.MUST,
        rule="A file that ends within the length word of a data frame is reported, by exit status or a message.",
        source="rule 1; rule 7: a truncated file",
        failure=SILENT,
        file=Reading(parts=(START, data(ONE), word(15)[:3]), exit=Exit.REPORTED),
        output=(Taken((ONE,)),),
    ),
    Case(
        id="FS-FILE-READER-010",
        level=Level.MUST,
        rule="A file that ends after the length word of a data frame is reported, and no empty payload is made of it.",
        source="rule 1; rule 7: a truncated file",
        failure=SILENT,
        file=Reading(parts=(START, data(ONE), word(15)), exit=Exit.REPORTED),
        output=(Taken((ONE,)),),
    ),
    Case(
        id="FS-FILE-READER-011",
        level=Level.SHOULD,
        rule="A file that ends after the escape word of STOP is reported, by exit status or a message.",
        source="rule 2; rule 7: a truncated file",
        failure=SILENT,
        file=Reading(parts=(START, data(ONE), word(0)), exit=Exit.REPORTED),
        output=(Taken((ONE,)),),
    ),
    Case(
        id="FS-FILE-READER-012",
        level=Level.SHOULD,
        rule="A file that ends after the length word of STOP is reported, by exit status or a message.",
        source="rule 2; rule 7: a truncated file",
        failure=SILENT,
        file=Reading(parts=(START, data(ONE), word(0), word(4)), exit=Exit.REPORTED),
        output=(Taken((ONE,)),),
    ),
    Case(
        id="FS-FILE-READER-013",
        level=Level.SHOULD,
        rule="A file that ends within the type of STOP is reported, by exit status or a message.",
        source="rule 2; rule 7: a truncated file",
        failure=SILENT,
        file=Reading(parts=(START, data(ONE), control(3)[:-1]), exit=Exit.REPORTED),
        output=(Taken((ONE,)),),
    ),
    Case(
        id="FS-FILE-READER-014",
        level=Level.MUST,
        rule="An empty file is reported, by exit status or a message: it has no START.",
        source="rule 7",
        failure="A disk that was full from the start looks like an hour without queries.",
        file=Reading(exit=Exit.REPORTED),
    ),
    Case(
        id="FS-FILE-READER-015",
        level=Level.SHOULD,
        rule="The exit status for an empty file is not 0.",
        source="rule 7",
        failure="A script goes on without the payloads that were to be there.",
        file=Reading(exit=Exit.FAILURE),
    ),
    Case(
        id="FS-FILE-READER-016",
        level=Level.SHOULD,
        rule="A file of START alone is reported, by exit status or a message.",
        source="rule 7: a truncated file; observed: recorders that do not flush leave it",
        failure="A recorder that lost everything looks like an hour without queries.",
        file=Reading(parts=(START,), exit=Exit.REPORTED),
    ),
    Case(
        id="FS-FILE-READER-017",
        level=Level.MUST,
        rule="A file that ends within the escape word of START is refused.",
        source="rule 2",
        failure="The reader reads memory that it never filled, or waits.",
        file=Reading(parts=(HEAD[:3],), exit=Exit.REPORTED),
    ),
    Case(
        id="FS-FILE-READER-018",
        level=Level.MUST,
        rule="A file that ends within the length word of START is refused.",
        source="rule 2",
        failure="The reader reads memory that it never filled, or waits.",
        file=Reading(parts=(HEAD[:6],), exit=Exit.REPORTED),
    ),
    Case(
        id="FS-FILE-READER-019",
        level=Level.MUST,
        rule="A file that ends within the type of START is refused.",
        source="rule 2",
        failure="The reader reads memory that it never filled, or waits.",
        file=Reading(parts=(CONTENT[:10],), exit=Exit.REPORTED),
    ),
    Case(
        id="FS-FILE-READER-020",
        level=Level.MUST,
        rule="A file that ends within the field head of START is refused.",
        source="rule 3",
        failure="The reader reads memory that it never filled, or waits.",
        file=Reading(parts=(CONTENT[:17],), exit=Exit.REPORTED),
    ),
    Case(
        id="FS-FILE-READER-021",
        level=Level.MUST,
        rule="A file that ends within the content type of START is refused.",
        source="rule 3",
        failure="A part of a name is taken for the content type.",
        file=Reading(parts=(CONTENT[:-5],), exit=Exit.REPORTED),
    ),
    Case(
        id="FS-FILE-READER-022",
        level=Level.MUST,
        rule="A file that is not there is an exit status other than 0, or a message.",
        source="observed: every reader does so",
        failure="A mistyped name looks like a file without payloads.",
        file=Reading(given=Given.MISSING, exit=Exit.REPORTED),
    ),
    Case(
        id="FS-FILE-READER-023",
        level=Level.SHOULD,
        rule="The exit status for a file that is not there is not 0.",
        source="observed: dnstap-read prints a message and returns 0",
        failure="A script with a mistyped name goes on.",
        file=Reading(given=Given.MISSING, exit=Exit.FAILURE),
    ),
    Case(
        id="FS-FILE-READER-024",
        level=Level.MUST,
        rule="A folder in place of a file is an exit status other than 0, or a message.",
        source="observed: every reader does so",
        failure="A mistyped name looks like a file without payloads.",
        file=Reading(given=Given.FOLDER, exit=Exit.REPORTED),
    ),
    Case(
        id="FS-FILE-READER-025",
        level=Level.SHOULD,
        rule="A named pipe is read as a file is.",
        source="rule 7: files and pipes",
        failure="Output of another program must first be stored.",
        file=Reading(parts=(START, data(ONE, TWO), STOP), given=Given.PIPE),
        output=(Taken((ONE, TWO)),),
    ),
    Case(
        id="FS-FILE-READER-026",
        level=Level.MUST,
        rule="A pipe that is filled in small pieces is read to its end, and its pieces are no end.",
        source="rule 15",
        failure="Payloads are lost or broken whenever the other program is slower.",
        file=Reading(parts=(START, data(ONE, TWO), STOP), given=Given.SLOW_PIPE),
        output=(Taken((ONE, TWO)),),
        needs=("named pipe",),
    ),
)
