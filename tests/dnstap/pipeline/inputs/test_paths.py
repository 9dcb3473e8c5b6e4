"""Directories and patterns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dnstap.pipeline.inputs.paths import is_pattern, paths_of

if TYPE_CHECKING:
    from pathlib import Path


def test_patterns(tmp_path: Path) -> None:
    (tmp_path / "a[1]").touch()
    assert is_pattern(str(tmp_path))
    assert is_pattern(f"{tmp_path}/*.fstrm")
    assert not is_pattern(f"{tmp_path}/a[1]")
    assert not is_pattern(f"{tmp_path}/missing")


def test_what_they_stand_for(tmp_path: Path) -> None:
    for name in ("b.fstrm", "a.fstrm", ".a.fstrm.new", "a.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    assert sorted(paths_of(str(tmp_path))) == [
        f"{tmp_path}/{name}" for name in ("a.fstrm", "a.txt", "b.fstrm", "folder")
    ]
    assert sorted(paths_of(f"{tmp_path}/*.fstrm")) == [f"{tmp_path}/{name}" for name in ("a.fstrm", "b.fstrm")]
    assert list(paths_of(f"{tmp_path}/missing*")) == []


def test_a_directory_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(PermissionError):
        list(paths_of(str(tmp_path)))
