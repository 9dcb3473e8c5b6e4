"""Seeds for coverage-guided fuzzers: small files of what the cases of the conformance kit send."""

from __future__ import annotations

import hashlib
import os
import struct
from typing import TYPE_CHECKING

from framestream.conformance.cases import PeerRole
from framestream.conformance.catalogue import cases
from framestream.conformance.steps import TYPE, Batch, Send, data
from framestream.control import ControlFrame, ControlType
from framestream.conversations import wire_of
from framestream.fuzzing.shrinking import split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from framestream.conformance.cases import Case
    from framestream.conformance.steps import Part

__all__ = ["DICTIONARY", "FOLDERS", "MAX_BYTES", "seeds", "write_seeds"]

MAX_BYTES = 4096
"""Longest seed. Fuzzers mutate short ones faster, and most of what they find in long ones is in short ones too."""

DICTIONARY = "frames.dict"
"""Name of the file of words for libFuzzer's -dict and AFL's -x."""

FOLDERS = {
    "streams": "what a writer sends over a connection: READY, START, data frames, STOP, and faults in them",
    "files": "the same without READY: files, and streams of writers that take no answer",
    "answers": "what a reader sends over a connection: ACCEPT, FINISH, and faults in them",
    "control": "payloads of control frames: the type and fields, without the escape word and the length",
    "payloads": "payloads of data frames",
}
"""The folders, and what their files are."""

_README = """\
Seeds for fuzzers of programs that read Frame Streams. Each file is one input, of {most} bytes at most.

{folders}
{dictionary}  words for libFuzzer's -dict and AFL's -x

libFuzzer    ./fuzzer -dict={dictionary} corpus streams
AFL++        afl-fuzz -i files -x {dictionary} -o out -- ./reader @@
cargo-fuzz   cargo fuzz run reader corpus streams -- -dict={dictionary}
Go           go run golang.org/x/tools/cmd/file2fuzz@latest -o testdata/fuzz/FuzzReader streams/*
"""


def seeds(payloads: Iterable[bytes] = ()) -> dict[str, list[bytes]]:
    """Return the seeds of each folder, in order and each once.

    Args: payloads: payloads besides those of the cases.
    """
    found: dict[str, dict[bytes, None]] = {name: {} for name in FOLDERS}
    found["payloads"] = dict.fromkeys(payloads)
    for case in cases():
        for wire in _sent(case):
            writes = case.role in (PeerRole.READER, PeerRole.FILE_READER)
            parts = split(wire)
            found["streams" if writes else "answers"][wire] = None
            if writes:
                found["files"][b"".join(part for part in parts if not _is_ready(part))] = None
            for part in parts:
                if any(part[:4]):
                    found["payloads"][part[4:]] = None
                else:
                    found["control"][part[8:]] = None
    return {name: [seed for seed in made if 0 < len(seed) <= MAX_BYTES] for name, made in found.items()}


def _sent(case: Case) -> Iterator[bytes]:
    """Yield what a case sends on each of its connections."""
    wires: dict[int | str, bytes] = {}
    for step in case.steps:
        if isinstance(step, Send):
            wires[step.on] = wires.get(step.on, b"") + b"".join(map(_wire, step.parts))
    yield from wires.values()


def _wire(part: Part) -> bytes:
    if isinstance(part, Batch):
        # Seeds are small, and the others are like the first.
        return data(part[0])
    return part if isinstance(part, bytes) else wire_of(part)


def _is_ready(part: bytes) -> bool:
    return part[:4] == bytes(4) and part[8:12] == struct.pack(">I", ControlType.READY)


def write_seeds(folder: str, payloads: Iterable[bytes] = ()) -> int:
    """Write all seeds into a folder, which is made if it does not exist, and return their number.

    The names are made from the contents, so that the same seeds have the same names in each version.

    Args: payloads: payloads besides those of the cases.
    Raises: OSError.
    """
    count = 0
    for name, made in seeds(payloads).items():
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        for seed in made:
            with open(os.path.join(folder, name, hashlib.sha256(seed).hexdigest()[:16]), "wb") as file:
                file.write(seed)
        count += len(made)
    words = "\n".join(f"{name:11}  {text}" for name, text in FOLDERS.items())
    with open(os.path.join(folder, "README"), "w", encoding="utf-8") as readme:
        readme.write(_README.format(most=MAX_BYTES, folders=words, dictionary=DICTIONARY))
    with open(os.path.join(folder, DICTIONARY), "w", encoding="ascii") as dictionary:
        dictionary.writelines(f'{name}="{_escaped(word)}"\n' for name, word in _words().items())
    return count


def _words() -> dict[str, bytes]:
    """Return words that a fuzzer does not come upon by chance."""
    known = {kind.name.lower(): wire_of(ControlFrame(kind)) for kind in ControlType}
    return {"escape": bytes(4), **known, "content_type": struct.pack(">II", 1, len(TYPE)) + TYPE}


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)
