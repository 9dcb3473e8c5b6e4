"""Cases for programs that read files, 101 to 299: frames that are odd or wrong, sizes, and other kinds of files."""

from __future__ import annotations

import bz2
import gzip
import lzma

from framestream.conformance.cases import Case, Level, Taken
from framestream.conformance.files_descriptions import Exit, Given, Reading
from framestream.conformance.steps import FINISH, STOP, TYPE, accept, control, data, field, payload, ready, start, word

__all__ = ["CASES", "FORMS"]

START = start(TYPE)
ONE, TWO, THREE = (payload(number) for number in (1, 2, 3))
OVER = payload(2, (1 << 20) + 1)
GOOD = (START, data(ONE, TWO), STOP)

PCAP = bytes.fromhex("d4c3b2a1 02000400 00000000 00000000 ffff0000 01000000") + bytes(40)
TEXT = b"2026-01-01T00:00:00 CLIENT_QUERY 192.0.2.1:53000 example.org. IN A\n" * 8
JSON = b'{"type":"MESSAGE","message":{"type":"CLIENT_QUERY"}}\n' * 8


def _zstd(content: bytes) -> bytes:
    """Return a Zstandard frame of one raw block; RFC 8878."""
    head = bytes.fromhex("28b52ffd 60") + (len(content) - 256).to_bytes(2, "little")
    return head + (len(content) << 3 | 1).to_bytes(3, "little") + content


def _gzip(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


LONG = (START, data(*(payload(number) for number in range(1, 9))), STOP)
"""A file of over 256 bytes, the least that the form of the Zstandard head above has."""

LONG_OUTPUT = (Taken(tuple(payload(number) for number in range(1, 9))),)

CASES = (
    Case(
        id="FS-FILE-READER-101",
        level=Level.MUST,
        rule="Control frames of unknown type between data frames of a file are ignored.",
        source="rule 10; observed: libfstrm ends the stream",
        failure="Every extension of the protocol makes files unreadable from there on.",
        file=Reading(parts=(START, data(ONE), control(6), data(TWO), STOP), exit=Exit.ANY),
        output=(Taken((ONE, TWO)),),
    ),
    Case(
        id="FS-FILE-READER-102",
        level=Level.SHOULD,
        rule="The exit status for a file with control frames of unknown type is 0.",
        source="rule 10",
        failure="Every extension of the protocol stops scripts.",
        file=Reading(parts=(START, data(ONE), control(6, field(b"x")), STOP)),
        output=(Taken((ONE,)),),
    ),
    Case(
        id="FS-FILE-READER-103",
        level=Level.MUST,
        rule="A second stream in the same file is read, or reported: STOP is only last.",
        source="rule 7; observed: fstrm and Go tools read the first, and are silent about the second",
        failure="Of files that were joined by cat, all but the first is lost without a word.",
        file=Reading(parts=(START, data(ONE), STOP, START, data(TWO), STOP), exit=Exit.REPORTED, unless=(TWO,)),
        output=(Taken((ONE, TWO), at_least=1),),
    ),
    Case(
        id="FS-FILE-READER-104",
        level=Level.SHOULD,
        rule="Both of two streams in one file are read.",
        source="observed: files that were joined by cat, as those of each hour are",
        failure="Files cannot be joined by cat.",
        file=Reading(parts=(START, data(ONE), STOP, START, data(TWO), STOP), exit=Exit.ANY),
        output=(Taken((ONE, TWO), level=Level.SHOULD),),
    ),
    Case(
        id="FS-FILE-READER-105",
        level=Level.SHOULD,
        rule="Bytes after STOP are reported, by exit status or a message.",
        source="rule 7: STOP only last",
        failure="A damaged file is taken for a whole one.",
        file=Reading(parts=(START, data(ONE), STOP, b"garbage"), exit=Exit.REPORTED),
        output=(Taken((ONE,)),),
    ),
    Case(
        id="FS-FILE-READER-106",
        level=Level.SHOULD,
        rule="A START that follows a stream without STOP is reported, by exit status or a message.",
        source="rule 7",
        failure="That the first recorder was killed is not noticed.",
        file=Reading(parts=(START, data(ONE), START, data(TWO), STOP), exit=Exit.REPORTED),
        output=(Taken((ONE, TWO), at_least=1),),
    ),
    Case(
        id="FS-FILE-READER-107",
        level=Level.MUST,
        rule="A file that begins with other bytes than START is refused.",
        source="rule 7: START only first",
        failure="What is not a stream is taken for payloads.",
        file=Reading(parts=(b"garbage!", *GOOD), exit=Exit.REPORTED),
    ),
    Case(
        id="FS-FILE-READER-108",
        level=Level.MUST,
        rule="A file that begins with a data frame is refused.",
        source="rule 7: START only first",
        failure="The middle of a file is read as if it were of the right content type.",
        file=Reading(parts=(data(ONE), *GOOD), exit=Exit.REPORTED),
        output=(Taken((ONE, TWO), at_least=0),),
    ),
    Case(
        id="FS-FILE-READER-109",
        level=Level.MUST,
        rule="READY at the start of a file is reported: nobody is there to answer.",
        source="rule 7: START only first",
        failure="What was recorded of a connection is read as a file, or the reader waits for START.",
        file=Reading(parts=(ready(TYPE), *GOOD), exit=Exit.REPORTED),
        output=(Taken((ONE, TWO), at_least=0),),
    ),
    Case(
        id="FS-FILE-READER-110",
        level=Level.SHOULD,
        rule="A file that begins with STOP is refused.",
        source="rule 7: START only first",
        failure="A damaged file is taken for one without payloads.",
        file=Reading(parts=(STOP,), exit=Exit.REPORTED),
    ),
    Case(
        id="FS-FILE-READER-111",
        level=Level.SHOULD,
        rule="ACCEPT between data frames of a file is reported, by exit status or a message.",
        source="rule 10",
        failure="A damaged file is taken for a whole one.",
        file=Reading(parts=(START, data(ONE), accept(TYPE), data(TWO), STOP), exit=Exit.REPORTED),
        output=(Taken((ONE, TWO), at_least=1),),
    ),
    Case(
        id="FS-FILE-READER-112",
        level=Level.SHOULD,
        rule="FINISH between data frames of a file is reported, by exit status or a message.",
        source="rule 10",
        failure="A damaged file is taken for a whole one.",
        file=Reading(parts=(START, data(ONE), FINISH, data(TWO), STOP), exit=Exit.REPORTED),
        output=(Taken((ONE, TWO), at_least=1),),
    ),
    Case(
        id="FS-FILE-READER-113",
        level=Level.SHOULD,
        rule="A file of another content type is refused, by exit status or a message.",
        source="rule 11",
        failure="Payloads of another format are taken for its own.",
        file=Reading(parts=(start(b"other"), data(ONE), STOP), exit=Exit.REPORTED),
        output=(Taken((ONE,), at_least=0),),
    ),
    Case(
        id="FS-FILE-READER-114",
        level=Level.SHOULD,
        rule="A file whose START names no content type is read.",
        source="rules 5 and 11: no content type matches any",
        failure="Files of writers that name no type cannot be read.",
        file=Reading(parts=(start(), data(ONE), STOP), exit=Exit.ANY),
        output=(Taken((ONE,), level=Level.SHOULD),),
    ),
    Case(
        id="FS-FILE-READER-115",
        level=Level.SHOULD,
        rule="START with two content types is reported, by exit status or a message.",
        source="rule 5; fstrm control.h",
        failure="The payloads are of a format that is only guessed.",
        file=Reading(parts=(start(TYPE, b"other"), data(ONE), STOP), exit=Exit.REPORTED),
        output=(Taken((ONE,), at_least=0),),
    ),
    Case(
        id="FS-FILE-READER-116",
        level=Level.MUST,
        rule="START with a length over 512 is refused before it is read.",
        source="rule 2; fstrm control.h",
        failure="A buffer overflows, or memory is reserved for it.",
        file=Reading(parts=(control(2, field(TYPE), length=0xFFFFFFFF), data(ONE), STOP), exit=Exit.REPORTED),
    ),
    Case(
        id="FS-FILE-READER-117",
        level=Level.MUST,
        rule="A control frame between data frames with a length over any limit is reported.",
        source="rule 2; fstrm control.h",
        failure="A buffer overflows, or the rest of the file is skipped without a word.",
        file=Reading(parts=(START, data(ONE), control(3, length=0xFFFFFFFF)), exit=Exit.REPORTED),
        output=(Taken((ONE,)),),
    ),
    Case(
        id="FS-FILE-READER-118",
        level=Level.MUST,
        rule="A control frame too short for its type is reported.",
        source="rule 2",
        failure="The reader reads memory that it never filled.",
        file=Reading(parts=(START, data(ONE), word(0), word(0), STOP), exit=Exit.REPORTED),
        output=(Taken((ONE,)),),
    ),
    Case(
        id="FS-FILE-READER-119",
        level=Level.MUST,
        rule="START whose field is longer than the frame is refused.",
        source="rule 3: lengths add up",
        failure="The reader reads past the end of the frame.",
        file=Reading(parts=(control(2, field(TYPE, length=200)), data(ONE), STOP), exit=Exit.REPORTED),
    ),
    Case(
        id="FS-FILE-READER-120",
        level=Level.SHOULD,
        rule="START with a byte after its field is reported.",
        source="rule 3: lengths add up",
        failure="A damaged file is taken for a whole one.",
        file=Reading(parts=(control(2, field(TYPE) + b"x"), data(ONE), STOP), exit=Exit.REPORTED),
        output=(Taken((ONE,), at_least=0),),
    ),
    Case(
        id="FS-FILE-READER-121",
        level=Level.MUST,
        rule="A payload that looks like STOP and START is a payload.",
        source="rule 1",
        failure="Payloads that hold a recorded stream end the file.",
        file=Reading(parts=(START, data(payload(4) + control(3) + control(2)), data(ONE), STOP), exit=Exit.ANY),
        output=(Taken((payload(4) + control(3) + control(2), ONE)),),
        needs=("any payload",),
    ),
    Case(
        id="FS-FILE-READER-122",
        level=Level.MUST,
        rule="A data frame of one byte is read.",
        source="rule 1",
        failure="Short payloads of other formats are lost.",
        file=Reading(parts=(START, data(b"x", ONE), STOP), exit=Exit.ANY),
        output=(Taken((b"x", ONE)),),
        needs=("any payload",),
    ),
    Case(
        id="FS-FILE-READER-123",
        level=Level.MUST,
        rule="A data frame of 65,536 bytes is read.",
        source="rule 14; observed: DNS messages of 65,535 bytes, and 16-bit lengths",
        failure="The longest DNS messages are lost.",
        file=Reading(parts=(START, data(payload(1, 65536), TWO), STOP)),
        output=(Taken((payload(1, 65536), TWO)),),
    ),
    Case(
        id="FS-FILE-READER-124",
        level=Level.MUST,
        rule="A data frame of 98,304 bytes is read.",
        source="rule 14: the limit of the Go tool",
        failure="Files that others wrote within their limits cannot be read.",
        file=Reading(parts=(START, data(payload(1, 98304), TWO), STOP)),
        output=(Taken((payload(1, 98304), TWO)),),
    ),
    Case(
        id="FS-FILE-READER-125",
        level=Level.SHOULD,
        rule="A data frame of 262,144 bytes is read.",
        source="rule 14: the limit of fstrm_capture",
        failure="Files that fstrm_capture wrote cannot be read.",
        file=Reading(parts=(START, data(payload(1, 262144), TWO), STOP)),
        output=(Taken((payload(1, 262144), TWO), level=Level.SHOULD),),
    ),
    Case(
        id="FS-FILE-READER-126",
        level=Level.SHOULD,
        rule="A data frame of 1,048,576 bytes is read.",
        source="rule 14: the limit of libfstrm and golang-framestream",
        failure="Files of those libraries cannot be read.",
        file=Reading(parts=(START, data(payload(1, 1 << 20), TWO), STOP)),
        output=(Taken((payload(1, 1 << 20), TWO), level=Level.SHOULD),),
    ),
    Case(
        id="FS-FILE-READER-127",
        level=Level.MUST,
        rule="What is in front of a data frame of 1,048,577 bytes is taken, and the frame is read or reported.",
        source="rule 14",
        failure="Payloads are lost without a word.",
        file=Reading(parts=(START, data(ONE, OVER, THREE), STOP), exit=Exit.REPORTED, unless=(OVER, THREE)),
        output=(Taken((ONE, OVER, THREE), at_least=1, optional=(OVER,)),),
    ),
    Case(
        id="FS-FILE-READER-128",
        level=Level.MUST,
        rule="A data frame with a length of ffffffff is reported, and nothing is made of it.",
        source="rule 14; observed: libfstrm returns the payload before once more",
        failure="Payloads that were never written are read, or memory of 4 GiB is reserved.",
        file=Reading(parts=(START, data(ONE), word(0xFFFFFFFF), bytes(range(1, 101))), exit=Exit.REPORTED),
        output=(Taken((ONE,)),),
    ),
)

FORMS = (
    Case(
        id="FS-FILE-READER-201",
        level=Level.MAY,
        rule="A file that was compressed by gzip is read.",
        source="observed: recordings of past days are compressed",
        failure="Files must be decompressed first.",
        file=Reading(parts=LONG, pack=_gzip),
        output=LONG_OUTPUT,
        needs=("gzip",),
    ),
    Case(
        id="FS-FILE-READER-202",
        level=Level.MAY,
        rule="A file that was compressed by xz is read.",
        source="observed: recordings of past days are compressed",
        failure="Files must be decompressed first.",
        file=Reading(parts=LONG, pack=lzma.compress),
        output=LONG_OUTPUT,
        needs=("xz",),
    ),
    Case(
        id="FS-FILE-READER-203",
        level=Level.MAY,
        rule="A file that was compressed by zstd is read.",
        source="observed: recordings of past days are compressed",
        failure="Files must be decompressed first.",
        file=Reading(parts=LONG, pack=_zstd),
        output=LONG_OUTPUT,
        needs=("zstd",),
    ),
    Case(
        id="FS-FILE-READER-204",
        level=Level.MAY,
        rule="Standard input is read as a file is, by the name of its device.",
        source="rule 7: files and pipes",
        failure="Output of another program must first be stored.",
        file=Reading(parts=GOOD, given=Given.STANDARD_INPUT),
        output=(Taken((ONE, TWO)),),
        needs=("standard input",),
    ),
    Case(
        id="FS-FILE-READER-205",
        level=Level.MUST,
        rule="A compressed file that ends early is reported, and what was in front is taken as far as it can be.",
        source="rule 7: a truncated file",
        failure="What the file lost is taken for everything that there was.",
        file=Reading(parts=LONG, pack=lambda content: _gzip(content)[:-12], exit=Exit.REPORTED),
        output=(Taken(LONG_OUTPUT[0].payloads, at_least=0),),
        needs=("gzip",),
    ),
    Case(
        id="FS-FILE-READER-206",
        level=Level.MUST,
        rule="A file that was compressed by bzip2 is read or refused.",
        source="rule 7: START only first",
        failure="Yesterday's file looks like one without payloads.",
        file=Reading(parts=LONG, pack=bz2.compress, exit=Exit.REPORTED, unless=LONG_OUTPUT[0].payloads),
        output=(Taken(LONG_OUTPUT[0].payloads, at_least=0),),
    ),
    Case(
        id="FS-FILE-READER-207",
        level=Level.MUST,
        rule="A file of text is refused.",
        source="rule 7: START only first",
        failure="A mistyped name looks like a file without payloads, or memory is reserved for its first word.",
        file=Reading(parts=(TEXT,), exit=Exit.REPORTED),
    ),
    Case(
        id="FS-FILE-READER-208",
        level=Level.SHOULD,
        rule="The exit status for a file that is no Frame Streams file is not 0.",
        source="observed: dnstap-read prints a message and returns 0",
        failure="A script with a mistyped name goes on.",
        file=Reading(parts=(JSON,), exit=Exit.FAILURE),
    ),
    Case(
        id="FS-FILE-READER-209",
        level=Level.MUST,
        rule="A capture of packets is refused.",
        source="rule 7: START only first",
        failure="A capture that was mistaken looks like a file without payloads.",
        file=Reading(parts=(PCAP,), exit=Exit.REPORTED),
    ),
    Case(
        id="FS-FILE-READER-210",
        level=Level.MUST,
        rule="A file of zero bytes, as a file system leaves after a crash, is refused.",
        source="rule 2: a control frame of length 0",
        failure="The reader goes round without end, or takes it for a file without payloads.",
        file=Reading(parts=(bytes(4096),), exit=Exit.REPORTED),
    ),
    Case(
        id="FS-FILE-READER-211",
        level=Level.MUST,
        rule="Zero bytes at the end of a file, as a file system leaves after a crash, are reported.",
        source="rule 2: a control frame of length 0",
        failure="The reader goes round without end, or what was lost is not noticed.",
        file=Reading(parts=(START, data(ONE, TWO), bytes(4096)), exit=Exit.REPORTED),
        output=(Taken((ONE, TWO)),),
    ),
)
