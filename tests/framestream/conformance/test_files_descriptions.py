"""Descriptions of cases of files: recordings and checks."""

from __future__ import annotations

from framestream.conformance.files_descriptions import Recording, expected_by
from framestream.conformance.steps import STOP, data, start
from framestream.conversations import wire_of

START = start(b"type")


def test_recordings() -> None:
    good = Recording.of(wire_of(START) + data(b"1", b"2") + wire_of(STOP))
    assert good == Recording((START, b"1", b"2", STOP))
    assert good.payloads == [b"1", b"2"]
    assert good.outline == "START 'type', 2 payloads, STOP"
    assert Recording.of(b"").outline == "an empty file, or none"


def test_recordings_that_are_broken() -> None:
    cut = Recording.of(wire_of(START) + data(b"12")[:5])
    assert (cut.rest, cut.fault, cut.outline) == (5, "", "START 'type', 5 bytes of a frame")
    broken = Recording.of(wire_of(START) + data(b"1") + bytes(8))
    assert (broken.frames, broken.rest) == ((START, b"1"), 0)
    assert broken.outline == f"START 'type', 1 payloads, {broken.fault}"


def test_checks_say_what_they_expect() -> None:
    assert expected_by(has_frames) == "any frames"


def has_frames(recording: Recording, _: bytes) -> bool:
    """Check for any frames."""
    return bool(recording.frames)
