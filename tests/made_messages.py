"""Generated dnstap and DNS messages, for comparisons with the Go tool and between our own implementations."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnstap import Dnstap
from dnstap.dns import records
from dnstap.dns.records import RECORDS, Field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Generator", "captured_messages", "read_frames"]

DATA = Path(__file__).parent / "data"


def read_frames(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    offset = 0
    while offset + 8 <= len(data):
        length, control_length = struct.unpack_from(">II", data, offset)
        offset += 4
        if length == 0:
            offset += 4 + control_length
            continue
        if offset + length <= len(data):
            yield data[offset : offset + length]
        offset += length


def captured_messages() -> list[bytes]:
    messages = (Dnstap.parse(frame).message for path in sorted(DATA.glob("*.fstrm")) for frame in read_frames(path))
    wires = {wire for message in messages if message for wire in (message.query_message, message.response_message)}
    return sorted(wire for wire in wires if wire and len(wire) < 2000)


class Generator:
    """Generator of dnstap messages: mostly sensible, each with a fair chance of something odd somewhere."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.captured = captured_messages()
        self.contents: dict[Field, Callable[[], bytes]] = {
            records.U8: lambda: self.integer(1),
            records.U16: lambda: self.integer(2),
            records.U32: lambda: self.integer(4),
            records.U48: lambda: self.integer(6),
            records.U64: lambda: self.integer(8),
            records.IPV4: lambda: self.octets(4),
            records.IPV6: lambda: self.octets(16),
            records.NAME: self.name,
            records.NAMES: lambda: self.several(self.name),
            records.STRING: self.string,
            records.STRINGS: lambda: self.several(self.string),
            records.REST: self.rest,
            records.BITMAP: self.bitmap,
            records.PREFIXES: lambda: self.several(self.prefix),
            records.OPTIONS: lambda: self.several(self.option),
            records.PARAMS: self.params,
        }

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def octets(self, *lengths: int) -> bytes:
        return self.rng.randbytes(self.rng.choice(lengths))

    def integer(self, octets: int) -> bytes:
        return self.rng.choice((bytes(octets), self.rng.randbytes(octets), (3).to_bytes(octets, "big")))

    def several(self, make: Callable[[], bytes]) -> bytes:
        return b"".join([make() for _ in range(self.rng.randint(0, 3))])

    def name(self, pointers: float = 0.5) -> bytes:
        name = b""
        for _ in range(self.rng.choice((0, 1, 1, 2, 3))):
            length = self.rng.randint(1, 10) if self.chance(0.9) else self.rng.choice((33, 50, 62, 63))
            alphabet = self.rng.choice((b"abcXYZ019-_", b"abcXYZ019-_", b".' @;()\"\\!#$&*a~", bytes(range(256))))
            name += bytes([length]) + bytes(self.rng.choices(alphabet, k=length))
        if self.chance(0.01):
            return name + self.octets(1, 2)
        if self.chance(pointers):
            # The first question's name is at 12, and most pointers that lead elsewhere break the message.
            target = 12 if self.chance(0.9) else self.rng.choice((14, 16, 28, 40, self.rng.randrange(400)))
            return name + struct.pack(">H", 0xC000 | target)
        return name + b"\0"

    def string(self) -> bytes:
        octets = self.octets(0, 1, 3, 8)
        return bytes([len(octets) + (1 if self.chance(0.01) else 0)]) + octets

    def rest(self) -> bytes:
        """Return bytes, or text that is escaped already, which the texts of CAA and URI treat differently."""
        if self.chance(0.8):
            return self.octets(0, 1, 20, 32, 512, 600)
        return b"".join(
            self.rng.choices((b"ca.net", b"\\065", b"\\.", b'\\"', b"\\", b"\\99", b"\\999", b'"', b"\xff"), k=3)
        )

    def bitmap(self) -> bytes:
        windows = [self.rng.randrange(5) for _ in range(self.rng.randint(0, 3))]
        if self.chance(0.9):
            windows = sorted(set(windows))
        blocks = [(window, self.octets(1, 6, 32, *((0, 33) if self.chance(0.1) else ()))) for window in windows]
        return b"".join([bytes([window, len(block)]) + block for window, block in blocks])

    def prefix(self) -> bytes:
        family = self.rng.choice((1, 1, 2, 2, self.rng.randrange(4)))
        address = self.octets(0, 2, 3, 4, 16 if family == 2 else 4, 5 if self.chance(0.1) else 4)
        if family == 2 and self.chance(0.1):
            address = bytes(10) + b"\xff\xff" + self.octets(4)
        if address and self.chance(0.8):
            address = address[:-1] + b"\1"
        prefix = self.rng.choice((0, 24, 32, 33, 128, 129))
        return struct.pack(">HBB", family, prefix, len(address) | self.rng.choice((0, 0x80))) + address

    def option(self) -> bytes:
        code = self.rng.choice((*range(1, 16), 8, 10, 10, 65001, self.rng.randrange(65536)))
        data = self.octets(0, 1, 2, 3, 4, 8, 16, 17, 18, 20)
        if self.chance(0.8):
            netmasks = self.rng.choices((0, 24, 32, 33, 56, 128, 129), k=2)
            sensible = {
                2: self.octets(4, 8),
                8: struct.pack(">HBB", self.rng.choice((0, 1, 1, 2, 2, 3)), *netmasks)
                + self.octets(0, 3, 4, 7, 16, 20),
                9: self.octets(0, 4),
                11: self.octets(0, 2),
                15: self.octets(2, 2, 10),
            }
            data = sensible.get(code, data)
        return struct.pack(">HH", code, len(data)) + data

    def params(self) -> bytes:
        keys = [self.rng.choice((*range(9), *range(9), 65280, 65535)) for _ in range(self.rng.randint(0, 4))]
        if self.chance(0.9):
            keys = sorted(set(keys))
        params = b""
        for key in keys:
            sensible = {
                0: b"\0\1\0\4",
                1: b"\2h2" + self.string(),
                2: b"",
                3: b"\1\xbb",
                4: self.octets(4, 8),
                6: self.octets(16, 32) if self.chance(0.9) else bytes(10) + b"\xff\xff" + self.octets(4),
            }
            data = sensible.get(key, self.octets(0, 5)) if self.chance(0.95) else self.octets(*range(6))
            params += struct.pack(">HH", key, len(data)) + data
        return params

    def rdata(self, rrtype: int) -> bytes:
        if rrtype not in RECORDS or self.chance(0.05):
            return self.octets(0, 1, 2, 4, 16, 24, 40)
        parts: list[bytes] = []
        for field in RECORDS[rrtype].fields:
            if field.length_index is None:
                parts.append(self.contents[field]())
                continue
            part = self.octets(0, 1, 3, 20)
            if self.chance(0.95):
                parts[field.length_index] = len(part).to_bytes(len(parts[field.length_index]), "big")
            parts.append(part)
        rdata = b"".join(parts)
        return rdata[: self.rng.randrange(len(rdata) + 1)] if self.chance(0.08) else rdata

    def record(self) -> bytes:
        rrtype = self.rng.choice((*RECORDS, 41, 41, 41, 20, 30, 34, 251, 0, 65535, self.rng.randrange(65536)))
        rdata = self.rdata(rrtype)
        length = len(rdata) if self.chance(0.98) else self.rng.randrange(40)
        rrclass = self.rng.choice((1, 1, 1, 3, 254, 255, 1232))
        return self.name() + struct.pack(">HHIH", rrtype, rrclass, self.rng.randrange(1 << 32), length) + rdata

    def question(self) -> bytes:
        rrtype = self.rng.choice((*RECORDS, 1, 1, 28, 252, 255, 0, 65535, self.rng.randrange(65536)))
        return self.name(0.02) + struct.pack(">HH", rrtype, self.rng.choice((1, 1, 1, 0, 2, 3, 4, 5, 254, 255)))

    def made_message(self) -> bytes:
        counts = [self.rng.choice((1,) * 12 + (0, 2)), *self.rng.choices((0, 0, 1, 1, 2), k=3)]
        body = b"".join([self.question() for _ in range(counts[0])] + [self.record() for _ in range(sum(counts[1:]))])
        if self.chance(0.05):
            counts[self.rng.randrange(4)] = self.rng.choice((0, 1, 2, 9, 65535))
        if self.chance(0.05):
            body += b"behind"
        if self.chance(0.05):
            body = body[: self.rng.randrange(len(body) + 1)]
        return struct.pack(">6H", *self.rng.choices(range(65536), k=2), *counts) + body

    def worse_message(self) -> bytes:
        wire = bytearray(self.rng.choice(self.captured))
        for _ in range(self.rng.choice((0, 1, 1, 2, 3))):
            wire[self.rng.randrange(len(wire))] = self.rng.choice((0, 1, 12, 0xC0, 255, self.rng.randrange(256)))
        return bytes(wire[: self.rng.randrange(len(wire) + 1)] if self.chance(0.1) else wire)

    def dns_message(self) -> bytes:
        kind = self.rng.random()
        if kind < 0.6:
            return self.made_message()
        return self.worse_message() if kind < 0.97 else self.octets(*range(60))

    def address(self) -> bytes:
        sparse = bytes(self.rng.choices((0, 0, 0, 0, 1, 0xAB), k=16))
        mapped = bytes(10) + b"\xff\xff" + self.octets(4)
        return self.rng.choice(
            (self.octets(4), self.octets(16), sparse, mapped, bytes(12) + sparse[:4], self.octets(0, 3))
        )

    def seconds(self) -> int:
        usual = self.rng.randrange(4 * 10**9)
        return self.rng.choice((1_700_000_000, usual, usual, -usual, self.rng.randrange(1 << self.rng.randint(1, 64))))

    def nanoseconds(self) -> int:
        return self.rng.choice((0, 1000, 999_999_999, self.rng.randrange(10**9), self.rng.randrange(1 << 32)))

    def fields(self) -> dict[str, Any]:
        """Return values of a Message; each that -q reads is sometimes missing."""
        message_type = self.rng.choice((*range(1, 15), *range(1, 15), 0, 15, -1, 2**31 - 1))
        values = {
            "socket_protocol": self.rng.choice((*range(1, 8), 1, 2, 0, 8, -5)),
            "query_address": self.address(),
            "response_address": self.address(),
            "query_time_sec": self.seconds() % (1 << 64),
            "query_time_nsec": self.nanoseconds(),
            "query_message": self.dns_message() if message_type % 2 or self.chance(0.1) else b"",
            "response_time_sec": self.seconds() % (1 << 64),
            "response_time_nsec": self.nanoseconds(),
            "response_message": self.dns_message() if message_type % 2 == 0 or self.chance(0.1) else b"",
        }
        return {"type": message_type} | {name: value for name, value in values.items() if self.chance(0.97)}

    def more_fields(self) -> dict[str, Any]:
        """Return values of a Message, with those that only -y and -j read too."""
        values = {
            "socket_family": self.rng.choice((1, 2, 0, 3, -1)),
            "query_port": self.rng.choice((0, 53, self.rng.randrange(1 << 32))),
            "response_port": self.rng.choice((0, 53, self.rng.randrange(1 << 32))),
            "query_zone": self.rng.choice((b"", b"\0", self.name(), self.name(0))),
        }
        return self.fields() | {name: value for name, value in values.items() if self.chance(0.9)}

    def sender(self) -> dict[str, bytes]:
        odd = b'\xff\0"<\\>&\n\x7f\xe2\x80\xa8', b"caf\xc3\xa9\xc2\xa0\xf0\x9f\x98\x80", b"\x1b[0m\x07\x0b\t\r", b""
        names = ("identity", "version")
        return {name: self.rng.choice((b"ns1", *odd, self.octets(3))) for name in names if self.chance(0.9)}
