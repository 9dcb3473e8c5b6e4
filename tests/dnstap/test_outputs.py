"""Text output: bad payloads cost only themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnstap import Dnstap, DnstapType
from dnstap.outputs import TextOutput

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path


def payload(octets: bytes) -> bytes:
    """A payload with this identity."""
    return bytes(Dnstap(identity=octets, type=DnstapType.MESSAGE))


def document(octets: bytes) -> bytes:
    """What is written of a payload with this identity."""
    return b'type: MESSAGE\nidentity: "%b"\n---\n' % octets


def test_bad_payloads_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with path.open("wb", 0) as file:
        output = TextOutput(file, "yaml")
        output.write_many([payload(b"1"), b"\x0a\x05", payload(b"2")])
        assert output.first_bad is not None
        assert output.first_bad[0] == 2
        output.write_many([b"", payload(b"\xff")])
    assert path.read_bytes() == b"".join(document(octets) for octets in (b"1", b"2", b"\\xff"))
    assert (output.payloads, output.bad, output.first_bad[0]) == (5, 2, 2)
    assert str(output.first_bad[1]) == "Dnstap: identity has length 5, but 0 octets are left, at byte 2"


def test_a_file_that_takes_little_at_a_time(tmp_path: Path) -> None:
    class Slow:
        written = b""

        def write(self, data: memoryview) -> int:
            self.written += bytes(data[:3])
            return min(len(data), 3)

    slow = Slow()
    file: FileIO = slow  # type: ignore[assignment]
    TextOutput(file, "yaml").write_many([payload(b"12345678")])
    assert slow.written == document(b"12345678")
