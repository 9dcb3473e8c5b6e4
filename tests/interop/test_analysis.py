"""Tools of analysts read the objects and tables that the command prints, without options."""

from __future__ import annotations

import csv
import json
import math
import subprocess
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from dnstap import row_reader
from dnstap.fields.catalogue import FIELDS
from dnstap.fields.kinds import TIME
from tests.interop.command import run
from tests.interop.peers import missing, require
from tests.made_messages import DATA, read_frames

if TYPE_CHECKING:
    from pathlib import Path

CAPTURES = [DATA / f"{name}.fstrm" for name in ("unbound-unix", "named-recursor")]

USUAL = [
    "time",
    "type",
    "query_address",
    "query_port",
    "socket_protocol",
    "size",
    "id",
    "qname",
    "qtype",
    "rd",
    "flags",
]
"""Fields that most messages of the captures have."""

CHOICES = {"all": list(FIELDS), "usual": USUAL}


def library(name: str) -> Any:
    """Return a library; without it, skip the test, or fail if REQUIRE_PEERS=1 is in the environment."""
    try:
        return import_module(name)
    except ImportError:
        missing(f"{name} is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with files of all fields and of the usual ones, in each format."""
    folder = tmp_path_factory.mktemp("tables")
    reads = [argument for path in CAPTURES for argument in ("-r", path)]
    for name, fields in CHOICES.items():
        for suffix in "json", "csv", "tsv":
            options = ["--fields", ",".join(fields), "--format", suffix, "-w", folder / f"{name}.{suffix}"]
            assert run(*reads, *options).returncode == 0
    return folder


@pytest.fixture(scope="module")
def rows() -> dict[str, list[dict[str, Any]]]:
    """Return the values of all fields and of the usual ones in each message."""
    payloads = [payload for path in CAPTURES for payload in read_frames(path)]
    return {name: [row_reader(fields)(payload)._asdict() for payload in payloads] for name, fields in CHOICES.items()}


def of_objects(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with arrays for tuples, as objects have them."""
    return [{name: list(value) if type(value) is tuple else value for name, value in row.items()} for row in rows]


def of_tables(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with text for tuples, as tables have them."""

    def text(values: tuple[Any, ...]) -> str:
        return ",".join([str(value).replace(",", "\\044") for value in values])

    return [{name: text(value) if type(value) is tuple else value for name, value in row.items()} for row in rows]


def check(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Check that a tool has found the rows, in its own types.

    Times may be text, or times with microseconds or nanoseconds; what is absent may be NaN; and a column of numbers or
    of truth values in which some are absent may have floats.
    """
    assert len(found) == len(expected) > 1000
    for row, values in zip(found, expected, strict=True):
        assert row.keys() == values.keys()
        for name, value in values.items():
            assert same(row[name], value, name), (name, row[name], value)


def same(found: Any, value: Any, name: str) -> bool:
    if value is None:
        return found is None or (isinstance(found, float) and math.isnan(found)) or type(found).__name__ == "NaTType"
    if FIELDS[name].kind is TIME:
        return same_time(found, value)
    if isinstance(value, str) and isinstance(found, float | int):
        # Numbers of which all messages have one are numbers in a table.
        return FIELDS[name].kind.python_type is tuple and str(int(found)) == value
    return bool(found == value)


def same_time(found: Any, nanoseconds: int) -> bool:
    if isinstance(found, str):
        return (
            found == f"{datetime.fromtimestamp(nanoseconds // 10**9, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds % 10**9:09d}Z"
        )
    if hasattr(found, "nanosecond"):
        return bool(found.value == nanoseconds)
    return bool((found - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 10**6 // 1 == nanoseconds // 1000)


def jq(program: str, path: Path) -> list[Any]:
    """Return the values that a program of jq makes of objects."""
    made = subprocess.run([require("jq"), "-c", program, path], capture_output=True, check=True, timeout=120)
    return [json.loads(line) for line in made.stdout.splitlines()]


def test_jq(folder: Path, rows: dict[str, list[dict[str, Any]]]) -> None:
    check(jq(".", folder / "all.json"), of_objects(rows["all"]))
    # Numbers are numbers, and arrays are arrays.
    program = 'select(.rcode == "NOERROR" and .ancount > 0 and (.flags | index("aa"))) | .answer_types | length'
    expected = [
        len(row["answer_types"])
        for row in rows["all"]
        if row["rcode"] == "NOERROR" and row["ancount"] and "aa" in row["flags"]
    ]
    assert jq(program, folder / "all.json") == expected != []


@pytest.mark.parametrize("name", CHOICES)
def test_duckdb(name: str, folder: Path, rows: dict[str, list[dict[str, Any]]]) -> None:
    connection = library("duckdb").connect()
    connection.execute("SET TimeZone = 'UTC'")

    def select(suffix: str) -> list[dict[str, Any]]:
        found = connection.sql(f"SELECT * FROM '{folder / name}.{suffix}'")
        types = dict(zip(found.columns, map(str, found.types), strict=True))
        assert (types["time"], types["size"], types["rd"]) == ("TIMESTAMP WITH TIME ZONE", "BIGINT", "BOOLEAN")
        return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]

    check(select("json"), of_objects(rows[name]))
    check(select("csv"), of_tables(rows[name]))
    check(select("tsv"), of_tables(rows[name]))


@pytest.mark.parametrize("name", CHOICES)
def test_pandas(name: str, folder: Path, rows: dict[str, list[dict[str, Any]]]) -> None:
    pandas = library("pandas")
    check(pandas.read_json(folder / f"{name}.json", lines=True).to_dict("records"), of_objects(rows[name]))
    # By itself, it takes the record types NULL and None (0) for what is absent, too.
    lossy = [
        {field: None if value in ("NULL", "None") else value for field, value in row.items()}
        for row in of_tables(rows[name])
    ]
    assert lossy != of_tables(rows[name])
    check(pandas.read_csv(folder / f"{name}.csv").to_dict("records"), lossy)
    exactly = {"keep_default_na": False, "na_values": [""]}
    check(pandas.read_csv(folder / f"{name}.csv", **exactly).to_dict("records"), of_tables(rows[name]))
    check(pandas.read_csv(folder / f"{name}.tsv", sep="\t", **exactly).to_dict("records"), of_tables(rows[name]))


def test_polars(folder: Path, rows: dict[str, list[dict[str, Any]]]) -> None:
    polars = library("polars")
    check(polars.read_ndjson(folder / "usual.json").select(USUAL).to_dicts(), of_objects(rows["usual"]))
    check(polars.read_csv(folder / "usual.csv").to_dicts(), of_tables(rows["usual"]))
    # By itself, it takes the types from the first 100 lines, where some fields are always absent.
    everything = polars.read_ndjson(folder / "all.json", infer_schema_length=None)
    check(everything.select(list(FIELDS)).to_dicts(), of_objects(rows["all"]))
    table = polars.read_csv(folder / "all.csv", infer_schema_length=None)
    check(table.to_dicts(), of_tables(rows["all"]))


def test_python(folder: Path, rows: dict[str, list[dict[str, Any]]]) -> None:
    """The csv module, which has no types."""
    for suffix, delimiter in ("csv", ","), ("tsv", "\t"):
        with (folder / f"usual.{suffix}").open(newline="") as file:
            found = list(csv.DictReader(file, delimiter=delimiter, strict=True))
        expected = of_tables(rows["usual"])
        assert [row["qname"] or None for row in found] == [row["qname"] for row in expected]
        assert [int(row["size"]) for row in found] == [row["size"] for row in expected]
