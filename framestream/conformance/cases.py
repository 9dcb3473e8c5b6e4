"""Cases of the conformance kit: a rule of Frame Streams, the bytes that test it, and what a failure means."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from framestream.conformance.files_descriptions import Reading, Writing
    from framestream.conformance.steps import Step

__all__ = ["Case", "Level", "PeerRole", "Taken"]


class Level(Enum):
    """Weight of a rule. A peer that does not keep a SHOULD or MAY is not strict; it fails only by a MUST."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


class PeerRole(Enum):
    """Role of the program under test; the value is its name on the command line."""

    READER = "reader"
    WRITER = "writer"
    FILE_READER = "file-reader"
    FILE_WRITER = "file-writer"


@dataclass(frozen=True, slots=True)
class Taken:
    """Payloads of one connection that must come out of a reader, in this order.

    Attributes:
        payloads: the payloads.
        at_least: how many of them, from the first on, must come out; None for all. The others may.
        optional: those that a reader may leave out, wherever they are.
        level: weight of a loss.
    """

    payloads: Sequence[bytes]
    at_least: int | None = None
    optional: tuple[bytes, ...] = ()
    level: Level = Level.MUST


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case.

    Attributes:
        id: unique and stable: "FS-READER-017". The part before the number names the role.
        level: weight of the rule.
        rule: the rule, in one sentence.
        source: source of the rule: "rule 8", of docs/frame-streams.md; "fstrm control.h"; or behaviour that was
            observed, and of which program.
        failure: what a failure means in practice, in one sentence.
        steps: what is sent, and what is allowed in return.
        output: payloads that must come out of a reader, by connection; nothing else may.
        needs: capabilities that not every peer or run has: keys of `catalogue.PROBES`, or of
            `targets.Settings.lacking`.
        alive: whether a reader must take a good stream on a new connection after the steps.
        sends: payloads that a writer is given to send.
        absent: whether nothing listens yet when a writer is started.
        file: run of a program that reads or writes files; None for others.
    """

    id: str
    level: Level
    rule: str
    source: str
    failure: str
    steps: tuple[Step, ...] = ()
    output: tuple[Taken, ...] = ()
    needs: tuple[str, ...] = ()
    alive: bool = True
    sends: tuple[bytes, ...] = ()
    absent: bool = False
    file: Reading | Writing | None = None

    @property
    def role(self) -> PeerRole:
        """The role of the program under test."""
        name = self.id.rpartition("-")[0].partition("-")[2]
        return PeerRole(name.lower())
