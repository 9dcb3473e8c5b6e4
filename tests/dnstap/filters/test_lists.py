"""dnstap.filters.lists: values of files, and files that are none."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from dnstap.filters.lists import CHUNK_BYTES, MAX_LINE, MAX_WRONG, WrongLine, list_values, open_regular

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path) -> tuple[list[int | str], list[WrongLine]]:
    """Return the values of a file of numbers, and the lines that are wrong."""
    wrong: list[WrongLine] = []
    return list(list_values(str(path), int, wrong)), wrong


def texts(path: Path, contents: bytes) -> list[str]:
    """Return the values of a file of texts, none of which is wrong."""
    path.write_bytes(contents)
    wrong: list[WrongLine] = []
    values = list(list_values(str(path), str, wrong))
    assert not wrong
    return values


@pytest.mark.parametrize(
    ("contents", "values"),
    [
        (b"", []),
        (b"\n", []),
        (b"a", ["a"]),
        (b"a\n", ["a"]),
        (b"\na\n\nb\r\n \t\r\nc", ["a", "b", "c"]),
        (b"\xef\xbb\xbfa\nb\n", ["a", "b"]),
        (b"\xef\xbb\xbf", []),
        (b"\xef\xbb", ["\udcef\udcbb"]),
        (b"# all\n  # indented\na # one\nb#c\nd\t#\n#", ["a", "b#c", "d"]),
        (b"my server\n  two  words \n", ["my server", "two  words"]),
        (b'"my # server" # one\n"a\\"b\\\\c"\n" a "\n"a"#\n""', ["my # server", 'a"b\\c', " a ", "a", ""]),
        (b"caf\xc3\xa9 \xff", ["caf\N{LATIN SMALL LETTER E WITH ACUTE} \udcff"]),
        ("a\N{LINE SEPARATOR}b\x0bc".encode(), ["a\N{LINE SEPARATOR}b\x0bc"]),
    ],
)
def test_one_value_a_line(tmp_path: Path, contents: bytes, values: list[str]) -> None:
    assert texts(tmp_path / "list", contents) == values


def test_lines_across_chunks(tmp_path: Path) -> None:
    for length in (CHUNK_BYTES // 2, CHUNK_BYTES - 5, MAX_LINE - 1, MAX_LINE):
        line = "a" * (length - 4) + "\N{SNOWMAN}"
        assert texts(tmp_path / "list", "\r\n".join(["b", line, line, "c"]).encode()) == ["b", line, line, "c"]
    numbers = [str(number) for number in range(50_000)]
    assert texts(tmp_path / "list", "\n".join(numbers).encode()) == numbers


def test_the_first_wrong_lines(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    path.write_text("1\n\nx\n2\n# y\n3 4 # z\n5\n")
    assert read(path) == ([1, 2, 5], [WrongLine(3, "x"), WrongLine(6, "3 4 # z")])
    path.write_text('7\n"8\n"9" 10\n')
    assert read(path) == ([7], [WrongLine(2, '"8'), WrongLine(3, '"9" 10')])
    path.write_text("1\n" + "garbage\n" * 1_000_000)
    values, wrong = read(path)
    assert values == [1]
    assert [line.number for line in wrong] == [2, 3, 4]
    assert len(wrong) == MAX_WRONG


@pytest.mark.parametrize(
    ("contents", "number", "expected"),
    [
        (b"1\n" + b"2" * (MAX_LINE + 1), 2, f"lines of at most {MAX_LINE} bytes"),
        (b"1\n" + b"2" * (MAX_LINE + 1) + b"\n3\n", 2, f"lines of at most {MAX_LINE} bytes"),
        (b"1\n\n" + b" " * (1 << 20), 3, f"lines of at most {MAX_LINE} bytes"),
        (bytes(1 << 20), 1, f"lines of at most {MAX_LINE} bytes"),
        (b"1\n2\0\n3\n", 2, "text in UTF-8"),
        ("1\n2\n".encode("utf-16"), 1, "text in UTF-8"),
    ],
)
def test_files_without_lines_of_text(tmp_path: Path, contents: bytes, number: int, expected: str) -> None:
    """They are not read on."""
    path = tmp_path / "list"
    path.write_bytes(contents)
    values, wrong = read(path)
    assert values == [1][: number - 1]
    assert [(line.number, line.expected) for line in wrong] == [(number, expected)]
    assert len(wrong[0].text) <= MAX_LINE


def test_files_that_are_not_regular(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for path in (str(tmp_path / "fifo"), str(tmp_path / "socket"), "/dev/zero"):
            with pytest.raises(OSError, match="expected a regular file") as caught:
                open_regular(path)
            assert caught.value.filename == path
    with pytest.raises(IsADirectoryError) as caught:
        open_regular(str(tmp_path))
    assert caught.value.filename == str(tmp_path)
    with pytest.raises(FileNotFoundError) as caught:
        list(list_values(str(tmp_path / "none"), int, []))
    assert caught.value.filename == str(tmp_path / "none")
