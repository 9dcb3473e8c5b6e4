"""dnstap.cli.expressions: expressions of --filter, in files too, and their errors."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from dnstap.cli.expressions import MAX_BYTES, compile_expressions
from tests.dnstap.filters.examples import DNSTAP

if TYPE_CHECKING:
    from pathlib import Path


def error_of(*texts: str) -> str:
    with pytest.raises(ValueError, match=r"^--filter: ") as caught:
        compile_expressions(list(texts), "utc")
    return str(caught.value).removeprefix("--filter: ")


@pytest.mark.parametrize(
    ("contents", "answer"),
    [
        (b"type = CR", True),
        (b"\xef\xbb\xbf# responses\r\ntype = CR\r\nand size > 12 # with a header\r\n", True),
        ('identity = "caf\N{LATIN SMALL LETTER E WITH ACUTE}"'.encode(), False),
    ],
)
def test_an_expression_in_a_file(tmp_path: Path, contents: bytes, answer: bool) -> None:
    path = tmp_path / "wanted"
    path.write_bytes(contents)
    assert compile_expressions([f"@{path}"], "utc").matches(DNSTAP) is answer
    assert compile_expressions(["size > 0 # any", f"@{path}", "qr = R"], "utc").matches(DNSTAP) is answer


def test_times_are_those_of_the_zone(tmp_path: Path) -> None:
    (tmp_path / "wanted").write_text("time = 23:13:21.0015")
    assert compile_expressions([f"@{tmp_path}/wanted"], "Europe/Prague").matches(DNSTAP)


def test_errors_show_the_expression_or_the_line(tmp_path: Path) -> None:
    assert error_of("type = CR", "size > x # 7").splitlines()[1] == "  size > x # 7"
    path = tmp_path / "wanted"
    path.write_text("# wanted\ntype = CR\n and size > x\n")
    assert error_of("type = CR", f"@{path}").splitlines() == [
        f"{path}, line 3: expected a number of bytes such as 512, 4k or 1MiB, got 'x'",
        "   and size > x",
        "              ^",
    ]
    path.write_text("# nothing\n")
    assert error_of(f"@{path}").startswith(f"{path}, line 2: expected a test")
    assert error_of("qname in @/nowhere/names") == "/nowhere/names: No such file or directory"


def test_a_field_that_needs_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "publicsuffixlist", None)
    assert error_of("has tld") == error_of("type = CR", "has tld")
    assert "pip install" in error_of("has tld")


def test_files_that_hold_no_expression(tmp_path: Path) -> None:
    assert error_of("@/nowhere/wanted") == "/nowhere/wanted: No such file or directory"
    assert error_of("@") == ": No such file or directory"
    assert error_of(f"@{tmp_path}") == f"{tmp_path}: Is a directory"
    os.mkfifo(tmp_path / "fifo")
    assert error_of(f"@{tmp_path}/fifo") == f"{tmp_path}/fifo: expected a regular file"
    path = tmp_path / "wanted"
    path.write_bytes(b"size > 0 \xff")
    assert error_of(f"@{path}") == f"{path}: not UTF-8 at byte 9"
    with open(path, "wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert error_of(f"@{path}") == f"{path}: expected an expression of at most {MAX_BYTES} bytes"
