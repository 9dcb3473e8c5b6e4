"""Cases for writers, 001 to 099: what is in the payloads, by the rules of `dnstap check`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from framestream.conformance.cases import Case, Level
from framestream.conformance.player import Deviation, words
from framestream.conformance.steps import TYPE, accept, start
from framestream.control import ControlFrame, ControlType

if TYPE_CHECKING:
    from framestream.conformance.player import Player

__all__ = ["CASES", "ExpectMessages"]


@dataclass(frozen=True, slots=True)
class ExpectMessages:
    """Take a stream up to some data frames, and check them by rules of `dnstap check`.

    Attributes:
        rules: names of the rules; the content type alone is checked if there are none.
        count: number of data frames to take; fewer if no more come, but one.
        first_s: time limit for the first one, in seconds: servers flush late.
        quiet_s: seconds without a data frame after which no more are waited for.
    """

    rules: tuple[str, ...] = ()
    count: int = 50
    first_s: float = 15.0
    quiet_s: float = 0.5

    def play(self, player: Player) -> None:
        """Take them, and check them."""
        # Imported late, so that cases are listed without the codec.
        from dnstap.linting.linter import Linter

        payloads = self._taken(player)
        if not self.rules:
            return
        linter = Linter(self.rules)
        linter.check_payloads(payloads)
        if findings := linter.findings():
            found = findings[0]
            raise Deviation(
                f"payloads without what {found.rule.id!r} of dnstap check finds: {found.rule.summary}",
                f"{found.times} of {len(payloads)}, the first: {found.detail} [{payloads[found.frame - 1][:48].hex()}]",
            )

    def _taken(self, player: Player) -> list[bytes]:
        line = player.line(0)
        got = line.receive()
        if isinstance(got, ControlFrame) and got.type is ControlType.READY:
            line.send(player.wire((accept(TYPE),)))
            got = line.receive()
        if got != player.named(start(TYPE)):
            # START may name none, which is as good as any.
            player.deviate(player.words(start(TYPE)), got, harmless=got == start())
        payloads: list[bytes] = []
        while len(payloads) < self.count:
            got = line.receive(self.quiet_s if payloads else self.first_s)
            if not isinstance(got, bytes):
                break
            payloads.append(got)
        if not payloads:
            raise Deviation("a data frame", words(got))
        return payloads


def _case(number: int, level: Level, rule: str, failure: str, *rules: str) -> Case:
    return Case(
        id=f"DNSTAP-WRITER-{number:03}",
        level=level,
        rule=rule,
        source="dnstap.proto",
        failure=failure,
        steps=(ExpectMessages(rules),),
    )


CASES = (
    _case(
        1,
        Level.MUST,
        "The content type of the stream is that of dnstap.",
        "Collectors close the connection, or take payloads of another kind for dnstap.",
    ),
    _case(
        2,
        Level.MUST,
        "Each payload decodes, with all fields that are required.",
        "The Go tool prints nothing more of the stream, and dnstap-ldns ends.",
        "undecodable",
        "no-type",
        "no-message-type",
    ),
    _case(
        3,
        Level.MUST,
        "Each payload has the type MESSAGE, and a Message.",
        "The Go tool and dnstap-read crash.",
        "unknown-dnstap-type",
        "no-message",
    ),
    _case(
        4,
        Level.MUST,
        "The type of each Message is one of the schema.",
        "Readers leave the message out, or end.",
        "unknown-message-type",
    ),
    _case(
        5,
        Level.SHOULD,
        "Fields are those of the schema, with its wire types.",
        "Readers skip them, or end at them.",
        "misplaced-field",
        "unknown-field",
    ),
    _case(
        6,
        Level.SHOULD,
        "Each Message has a family and a protocol of the schema.",
        "Readers show another family or protocol, or none.",
        "no-family",
        "unknown-family",
        "no-protocol",
        "unknown-protocol",
    ),
    _case(
        7,
        Level.MUST,
        "Addresses have 4 bytes with INET, 16 with INET6, and are absent if they are not known.",
        "Readers show another address or end; the Go tool's -j prints nothing more.",
        "address-length",
        "empty-address",
        "address-family",
    ),
    _case(8, Level.MUST, "Ports are at most 65,535.", "A port does not fit where it has 16 bits.", "port-range"),
    _case(
        9,
        Level.SHOULD,
        "Each Message has the time of its query or response, in seconds and nanoseconds.",
        "Readers show no time, and the message cannot be ordered.",
        "no-time",
        "half-time",
    ),
    _case(
        10,
        Level.MUST,
        "Nanoseconds are fewer than those of a second.",
        "A library for times refuses them: dnstap-read aborts.",
        "nanoseconds-range",
    ),
    _case(
        11,
        Level.SHOULD,
        "Each Message has a DNS message of its own, that parses and has the QR bit of its type.",
        "Readers show no question, or a query for a response. Servers that log before they parse may do so.",
        "no-dns-message",
        "empty-dns-message",
        "malformed-dns",
        "qr-bit",
    ),
    _case(
        12,
        Level.SHOULD,
        "Each payload has the identity and the version of the server.",
        "Messages of several servers cannot be told apart once they are in one file.",
        "no-identity",
    ),
    _case(
        13,
        Level.SHOULD,
        "Payloads have at most 98,304 bytes.",
        "The Go tool stops reading: the rest of the connection is lost.",
        "frame-over-96k",
    ),
)
