"""A small collector of dnstap with a fault that can be chosen: READER.PY FORM EFFECT WHAT SOCKET OUTPUT.

FORM is frames, text, or raw: text in which nothing is escaped. EFFECT is what the collector does with a payload that it
cannot handle, and WHAT a name of CANNOT. With the effect "none" it is a good one.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

from dnstap import DecodeError, Dnstap, Message
from framestream import Reader, listen_reader, write_file

if TYPE_CHECKING:
    from collections.abc import Callable

TYPE = b"protobuf:dnstap.Dnstap"


def decoded(payload: bytes) -> Dnstap | None:
    """Return what is in a payload; None if it does not decode."""
    try:
        return Dnstap.parse(payload, lenient=True)
    except DecodeError:
        return None


def raises(function: Callable[[], object]) -> bool:
    """Return whether a library refuses a value."""
    try:
        function()
    except (ValueError, OverflowError, OSError):
        return True
    return False


def has(check: Callable[[Message], object]) -> Callable[[bytes], object]:
    """Return a check of the message in a payload."""

    def checked(payload: bytes) -> object:
        dnstap = decoded(payload)
        return dnstap is not None and dnstap.message is not None and check(dnstap.message)

    return checked


def has_wire(check: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """Return a check of the DNS message in a payload."""
    return has(lambda message: (wire := message.query_message or message.response_message) and check(wire))


def has_identity(check: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """Return a check of the identity."""
    return lambda payload: (dnstap := decoded(payload)) is not None and check(dnstap.identity or b"")


CANNOT: dict[str, Callable[[bytes], object]] = {
    "nothing": lambda payload: False,
    "undecodable": lambda payload: decoded(payload) is None,
    "no message": lambda payload: (dnstap := decoded(payload)) is not None and dnstap.message is None,
    "no type": lambda payload: (dnstap := decoded(payload)) is not None and dnstap.type is None,
    "other types": has(lambda message: message.type is not None and not message.type.name),
    "update": has(lambda message: message.type in (13, 14)),
    "no identity": has_identity(lambda identity: not identity),
    "type first": lambda payload: payload[0] == 0x78 and len(payload) > 2,
    "long names of hosts": has_identity(lambda identity: len(identity) > 255),
    "unknown fields": has(lambda message: message._unknown_fields),
    "groups": lambda payload: b"\xa3\1" in payload,
    "deep groups": lambda payload: payload.count(b"\xa3\1") > 1000,
    "frame-3": lambda payload: b"\7frame-3\0" in payload,
    "64 KiB": lambda payload: len(payload) > 65_535,
    "other families": has(lambda message: message.socket_family not in (1, 2)),
    "empty DNS messages": has(lambda message: message.query_message == b""),
    "empty addresses": has(lambda message: message.query_address == b""),
    "other addresses": has(lambda message: len(message.query_address or bytes(4)) not in (0, 4, 16)),
    "high ports": has(lambda message: (message.query_port or 0) > 65_535),
    "nanoseconds": has(lambda message: raises(lambda: time(microsecond=(message.query_time_nsec or 0) // 1000))),
    "years": has(lambda message: raises(lambda: datetime.fromtimestamp(message.query_time_sec or 0, UTC))),
    "zones": has(lambda message: message.query_zone == b""),
    "NUL": has_identity(lambda identity: b"\0" in identity),
    "bytes": has_identity(lambda identity: raises(identity.decode)),
    "policies": has(lambda message: (policy := message.policy) and raises(lambda: str(policy.type).encode())),
    "loops": has_wire(lambda wire: wire[12:14] == b"\xc0\x0c"),
    "long names": has_wire(lambda wire: wire[12:].find(b"\0") > 255),
    "short headers": has_wire(lambda wire: len(wire) < 12),
    "counts": has_wire(lambda wire: wire[4:6] == b"\xff\xff"),
    "no questions": has_wire(lambda wire: len(wire) == 12),
}


class Collector:
    """The output, and what becomes of a payload that cannot be handled."""

    def __init__(self, form: str, effect: str, what: str, output: str) -> None:
        self.form = form
        self.effect = effect
        self.cannot = CANNOT[what]
        self.silent = False
        self.bad = 0
        self.lock = threading.Lock()
        self.frames = write_file(output, [TYPE]) if form == "frames" else None
        self.text = open(output, "wb", buffering=0) if form != "frames" else None  # noqa: SIM115

    def handle(self, reader: Reader) -> None:
        """Take a stream."""
        for payload in reader:
            if self.cannot(payload):
                self.bad += 1
                if self.effect == "dies":
                    os._exit(3)
                elif self.effect == "closes":
                    return
                elif self.effect == "hangs" or (self.effect == "fills" and self.bad > 64):
                    threading.Event().wait()
                self.silent |= self.effect == "silent"
                if self.effect in ("drops", "fills"):
                    continue
            if not self.silent:
                self.write(payload)

    def write(self, payload: bytes) -> None:
        """Write a payload, or a line of text if it decodes."""
        with self.lock:
            if self.frames:
                self.frames.write(payload)
                self.frames.flush()
            elif self.text and (dnstap := decoded(payload)):
                line = dnstap.identity or b""
                if dnstap.message and dnstap.message.qname:
                    line += b" " + dnstap.message.qname.encode()
                self.text.write((line if self.form == "raw" else repr(line).encode()) + b"\n")


def main() -> None:
    """Serve all connections until TERM."""
    form, effect, what, path, output = sys.argv[1:]
    collector = Collector(form, effect, what, output)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    with listen_reader(f"unix:{path}", [TYPE]) as listener:
        listener.serve(collector.handle)


if __name__ == "__main__":
    main()
