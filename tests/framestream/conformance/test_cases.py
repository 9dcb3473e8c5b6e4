"""Cases: their roles."""

from __future__ import annotations

import pytest

from framestream.conformance.cases import Case, Level, PeerRole


@pytest.mark.parametrize(
    ("id", "role"),
    [
        ("FS-READER-001", PeerRole.READER),
        ("DNSTAP-WRITER-001", PeerRole.WRITER),
        ("FS-FILE-READER-001", PeerRole.FILE_READER),
        ("FS-FILE-WRITER-001", PeerRole.FILE_WRITER),
    ],
)
def test_roles(id: str, role: PeerRole) -> None:
    assert Case(id=id, level=Level.MAY, rule="", source="", failure="", steps=()).role is role
