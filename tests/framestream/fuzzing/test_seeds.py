"""Seeds for fuzzers: small, each once, the same each time, and read by what they are for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from framestream.fuzzing.seeds import DICTIONARY, FOLDERS, MAX_BYTES, seeds, write_seeds

if TYPE_CHECKING:
    from pathlib import Path


def written(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_files(tmp_path: Path) -> None:
    count = write_seeds(str(tmp_path / "new" / "one"), [b"a payload", b"x" * (MAX_BYTES + 1)])
    files = written(tmp_path / "new" / "one")
    write_seeds(str(tmp_path / "two"), [b"a payload"])
    assert files == written(tmp_path / "two")
    assert count == len(files) - 2
    assert {name.partition("/")[0] for name in files} == {*FOLDERS, "README", DICTIONARY}
    assert max(map(len, files.values())) <= MAX_BYTES
    assert any(name.startswith("payloads/") and content == b"a payload" for name, content in files.items())
    readme = files["README"].decode()
    for name in (*FOLDERS, DICTIONARY, str(MAX_BYTES)):
        assert name in readme


def test_words(tmp_path: Path) -> None:
    """One a line: a name and a quoted value, as libFuzzer and AFL read them."""
    write_seeds(str(tmp_path))
    lines = (tmp_path / DICTIONARY).read_text().splitlines()
    assert all(re.fullmatch(r'[a-z_]+="(\\x[0-9a-f]{2})+"', line) for line in lines)
    assert r'stop="\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x03"' in lines


def test_contents() -> None:
    made = seeds()
    assert [*made] == [*FOLDERS]
    for some in made.values():
        assert len(some) == len({*some})
        assert all(0 < len(one) <= MAX_BYTES for one in some)
    assert len(made["streams"]) > 50
    assert all(not one.startswith(bytes(7) + b"\x22\0\0\0\4") for one in made["files"])
    assert {one[3] for one in made["control"] if one[:3] == bytes(3) and len(one) > 3} >= {1, 2, 3, 4, 5, 6}
    assert b"\0\0\0\3" in made["control"]
    assert any(one.startswith(bytes(7) + b"\x22\0\0\0\1") for one in made["answers"])
