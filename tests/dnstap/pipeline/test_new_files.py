"""New files: their mode and owner, and names of old ones in the order of time."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from dnstap.pipeline.new_files import Stamps, exchange, place, split_suffix, temporary_name


@pytest.mark.parametrize(
    ("path", "stem", "suffix"),
    [
        ("log", "log", ""),
        ("a.b/log", "a.b/log", ""),
        ("a/log.fstrm", "a/log", ".fstrm"),
        ("log.fstrm.gz", "log", ".fstrm.gz"),
        ("log.zst", "log", ".zst"),
        ("log.2026.txt.xz", "log.2026", ".txt.xz"),
        (".log", ".log", ""),
    ],
)
def test_suffixes(path: str, stem: str, suffix: str) -> None:
    assert split_suffix(path) == (stem, suffix)


def test_temporary_names(tmp_path: Path) -> None:
    names = {temporary_name(str(tmp_path / "log.fstrm")) for _ in range(100)}
    assert len(names) == 100
    assert all(Path(name).parent == tmp_path and Path(name).name.startswith(".dnstap.") for name in names)
    assert not os.path.dirname(temporary_name("log"))


@pytest.mark.parametrize("hard_links", [True, False])
def test_place(tmp_path: Path, hard_links: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file gets a name that no file has, and is found under that name only."""
    if not hard_links:
        refuse_links(monkeypatch)
    new, path = tmp_path / "new", tmp_path / "log"
    new.write_bytes(b"1")
    place(str(new), str(path))
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"log": b"1"}
    new.write_bytes(b"2")
    with pytest.raises(FileExistsError):
        place(str(new), str(path))
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"log": b"1", "new": b"2"}


class TestExchange:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "log.fstrm"
        path.write_bytes(b"0")
        return path

    def new(self, path: Path, contents: bytes) -> str:
        new = path.with_name("new")
        new.write_bytes(contents)
        return str(new)

    @pytest.mark.parametrize("step_s", [0, 1e-7, 1e-3, -0.5, -1e9])
    @pytest.mark.parametrize("links", [True, False])
    def test_names_sort_by_time(self, path: Path, monkeypatch: pytest.MonkeyPatch, step_s: float, links: bool) -> None:
        """Any number in one second, and also while the clock goes back."""
        now_ns = [time.time_ns()]
        monkeypatch.setattr(time, "time_ns", lambda: now_ns[0])
        if not links:
            refuse_links(monkeypatch)
        names, stamps = [], Stamps()
        for number in range(1, 30):
            now_ns[0] = max(0, now_ns[0] + int(step_s * 1e9))
            names.append(exchange(self.new(path, b"%d" % number), str(path), stamps))
        old = sorted(name for name in os.listdir(path.parent) if name != path.name)
        assert [str(path.with_name(name)) for name in old] == names
        assert [path.with_name(name).read_bytes() for name in old] == [b"%d" % number for number in range(29)]
        assert path.read_bytes() == b"29"

    @pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
    def test_names_of_others_are_left_out(self, path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
        """A run before may have used it, and compressed its file since."""
        now_ns = (time.time_ns() // 10**9 + 1000) * 10**9
        monkeypatch.setattr(time, "time_ns", lambda: now_ns)
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now_ns // 10**9))
        taken = path.with_name(f"log-{stamp}.000000Z.fstrm{suffix}")
        taken.write_bytes(b"taken")
        assert exchange(self.new(path, b"1"), str(path), Stamps()) == str(path.with_name(f"log-{stamp}.000001Z.fstrm"))
        assert taken.read_bytes() == b"taken"

    def test_a_name_that_is_taken_meanwhile(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        link, taken = os.link, list[str]()

        def late(source: str, name: str) -> None:
            if not taken:
                taken.append(name)
                with open(name, "wb") as file:
                    file.write(b"taken")
            link(source, name)

        monkeypatch.setattr(os, "link", late)
        name = exchange(self.new(path, b"1"), str(path), Stamps())
        assert name > taken[0]
        assert [Path(each).read_bytes() for each in (taken[0], name)] == [b"taken", b"0"]

    @pytest.mark.parametrize("links", [True, False])
    def test_a_failure_changes_nothing(self, path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
        if not links:
            refuse_links(monkeypatch)
        with pytest.raises(FileNotFoundError):
            exchange(str(path.with_name("missing")), str(path), Stamps())
        assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == {"log.fstrm": b"0"}


def refuse_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_source: str, _name: str) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
