"""CONTENT_TYPE: the name that real servers send."""

from __future__ import annotations

from pathlib import Path

from dnstap import CONTENT_TYPE
from framestream import read_file

ROOT = Path(__file__).parents[2]


def test_a_recording_of_a_real_server_has_it() -> None:
    with read_file(ROOT / "examples" / "coredns.fstrm", [CONTENT_TYPE]) as reader:
        assert next(iter(reader))
        assert reader.content_type == CONTENT_TYPE
