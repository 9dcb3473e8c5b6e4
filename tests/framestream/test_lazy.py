"""Names that are imported on first use."""

from __future__ import annotations

import subprocess
import sys

import pytest

from framestream import _lazy


@pytest.fixture
def namespace() -> dict[str, object]:
    """The globals of a package with two lazy names and two lazy submodules, one of which cannot be imported."""
    names: dict[str, object] = {"__name__": "json", "__doc__": "", "TYPE_CHECKING": False}
    _lazy.lazy_import(
        names, {"json.decoder": ("JSONDecoder",), "json.encoder": ("JSONEncoder",)}, submodules=("scanner", "missing")
    )
    return names


def test_names_are_imported_once(namespace: dict[str, object]) -> None:
    import json.decoder

    assert "JSONDecoder" not in namespace
    assert namespace["__getattr__"]("JSONDecoder") is json.decoder.JSONDecoder  # type: ignore[operator]
    assert namespace["JSONDecoder"] is json.decoder.JSONDecoder


def test_submodules_are_imported(namespace: dict[str, object]) -> None:
    import json.scanner

    assert namespace["__getattr__"]("scanner") is json.scanner  # type: ignore[operator]
    assert namespace["scanner"] is json.scanner


def test_public_names(namespace: dict[str, object]) -> None:
    assert namespace["__all__"] == ["JSONDecoder", "JSONEncoder"]
    special = ["__all__", "__dir__", "__doc__", "__getattr__", "__name__"]
    expected = ["JSONDecoder", "JSONEncoder", *special, "missing", "scanner"]
    assert namespace["__dir__"]() == expected  # type: ignore[operator]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("JSONThing", "module 'json' has no attribute 'JSONThing'"),
        ("missing", "module 'json' has no attribute 'missing': No module named 'json.missing'"),
    ],
)
def test_absent_names(namespace: dict[str, object], name: str, message: str) -> None:
    with pytest.raises(AttributeError) as raised:
        namespace["__getattr__"](name)  # type: ignore[operator]
    assert str(raised.value) == message


def test_attributes_of_the_package_in_a_fresh_interpreter() -> None:
    program = """
import sys, framestream
print(sorted({"asyncio", "socket", "ssl"} & set(sys.modules)))
print(framestream.aio.Reader, framestream.sync.Reader, framestream.testing.play)
"""
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded, found = process.stdout.splitlines()
    assert loaded == "[]"
    assert "framestream.aio.reader.Reader" in found
    assert "framestream.sync.reader.Reader" in found
