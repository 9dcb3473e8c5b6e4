"""Rules about a payload and its frame. The functions look at its shape alone, so they are called once for each shape.

What a rule says of readers was seen with golang-dnstap 0.4.0 (the Go tool), dnstap-read 9.18.49, dnstap-ldns 0.2.1 and
fstrm 0.6.1; tests/interop/test_linting.py shows it again. What a payload should have is in docs/dnstap.proto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnstap.linting.rules import Rule
from dnstap.linting.shapes import SHOWN_BYTES
from dnstap.schema.enums import DnstapType

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.linting.shapes import Shape
    from dnstap.schema.enums import OpenEnum

    Check = Callable[[Shape], str | None]

__all__ = ["FRAME_RULES", "LOST", "unknown_number"]

FSTRM_CAPTURE_BYTES = 262_140
"""Longest payload that fstrm_capture accepts: 262,144 bytes with its length word."""

LOST = (
    "the Go tool prints nothing more of the stream, dnstap-ldns ends with an error,"
    " dnstap-read and this command leave the payload out"
)
"""Effect of a payload that is not valid."""


def unknown_number(name: str, value: OpenEnum | None) -> str | None:
    """Return a name and a number that its enum does not name; None for other numbers."""
    return f"{name} {value:d}" if value is not None and not value.name else None


def _no_message(shape: Shape) -> str | None:
    return None if shape.message or shape.type != DnstapType.MESSAGE else "type MESSAGE without a message"


def _without(*names: str) -> Check:
    """Return a check that finds those of two flags of a shape that are not set."""

    def check(shape: Shape) -> str | None:
        missing = [name for name in names if not getattr(shape, name)]
        return f"no {' and no '.join(missing)}" if missing else None

    return check


def _longer_than(limit: int) -> Check:
    return lambda shape: f"{shape.size} bytes" if shape.size > limit else None


FRAME_RULES: tuple[Rule[Check], ...] = (
    Rule("undecodable", "error", "payload that is not a dnstap message", LOST, lambda shape: shape.error or None),
    Rule(
        "no-type",
        "error",
        "no type of the Dnstap, which is required",
        LOST,
        lambda shape: "Dnstap without type" if shape.type is None else None,
    ),
    Rule(
        "unknown-dnstap-type",
        "error",
        "type of the Dnstap that the schema does not name",
        "the lines of the Go tool end there with status 0, dnstap-ldns -y ends with an error, dnstap-read leaves the"
        " payload out",
        lambda shape: unknown_number("type", shape.type),
    ),
    Rule("no-message", "error", "no message in the Dnstap", "the Go tool and dnstap-read crash", _no_message),
    Rule(
        "misplaced-field",
        "error",
        "field with the number of a field of another type",
        "dnstap-ldns ends with an error, dnstap-read leaves the payload out; the Go tool and this command show the"
        " field as absent",
        lambda shape: shape.misplaced or None,
    ),
    Rule(
        "unknown-field",
        "note",
        "field that the schema does not have",
        "readers skip it; --format json-full of this command shows its bytes",
        lambda shape: shape.unknown or None,
    ),
    Rule(
        "no-identity",
        "note",
        "no identity or no version of the server, or an empty one",
        "frames of several servers cannot be told apart once they are in one file",
        _without("identity", "version"),
    ),
    Rule(
        "frame-over-96k",
        "error",
        "frame over 98,304 bytes",
        "the Go tool stops reading: the rest of the file or connection is lost",
        _longer_than(SHOWN_BYTES),
    ),
    Rule(
        "frame-over-256k",
        "error",
        "frame over 262,140 bytes",
        "fstrm_capture leaves it out",
        _longer_than(FSTRM_CAPTURE_BYTES),
    ),
)
"""Rules about the Dnstap, and its frame."""
