"""Tools of analysts read the objects and tables that the command prints, without options."""

from __future__ import annotations

import csv
import json
import math
import re
import subprocess
from collections import Counter
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from dnstap import row_reader
from dnstap.fields.catalogue import FIELDS
from dnstap.fields.kinds import TIME
from tests.interop.command import run
from tests.interop.peers import missing, require
from tests.made_messages import DATA, read_frames

DOCS = Path(__file__).parents[2] / "docs" / "formats.md"

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
NAMES = {"all": "all", "usual": ",".join(USUAL)}


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
    reads: list[str | Path] = [argument for path in CAPTURES for argument in ("-r", path)]
    for file in "all.json", "all.csv", "all.tsv", "usual.json", "usual.csv":
        name, _, suffix = file.partition(".")
        options: list[str | Path] = ["--fields", NAMES[name], "--format", suffix, "-w", folder / file]
        assert run(*reads, *options).returncode == 0
    return folder


@pytest.fixture(scope="module")
def rows() -> dict[str, list[dict[str, Any]]]:
    """Return the values of all fields and of the usual ones in each message."""
    payloads = [payload for path in CAPTURES for payload in read_frames(path)]
    readers = {name: row_reader(fields) for name, fields in CHOICES.items()}
    return {name: [read(payload)._asdict() for payload in payloads] for name, read in readers.items()}


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


def test_duckdb(folder: Path, rows: dict[str, list[dict[str, Any]]]) -> None:
    connection = library("duckdb").connect()
    connection.execute("SET TimeZone = 'UTC'")

    def select(suffix: str) -> list[dict[str, Any]]:
        found = connection.sql(f"SELECT * FROM '{folder / 'all'}.{suffix}'")
        types = dict(zip(found.columns, map(str, found.types), strict=True))
        assert (types["time"], types["size"], types["rd"]) == ("TIMESTAMP WITH TIME ZONE", "BIGINT", "BOOLEAN")
        return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]

    check(select("json"), of_objects(rows["all"]))
    check(select("csv"), of_tables(rows["all"]))
    check(select("tsv"), of_tables(rows["all"]))


def test_pandas(folder: Path, rows: dict[str, list[dict[str, Any]]]) -> None:
    pandas = library("pandas")
    check(pandas.read_json(folder / "all.json", lines=True).to_dict("records"), of_objects(rows["all"]))
    # By itself, it takes the record types NULL and None (0) for what is absent, too.
    lossy = [
        {field: None if value in ("NULL", "None") else value for field, value in row.items()}
        for row in of_tables(rows["all"])
    ]
    assert lossy != of_tables(rows["all"])
    check(pandas.read_csv(folder / "all.csv").to_dict("records"), lossy)
    exactly = {"keep_default_na": False, "na_values": [""]}
    check(pandas.read_csv(folder / "all.csv", **exactly).to_dict("records"), of_tables(rows["all"]))
    check(pandas.read_csv(folder / "all.tsv", sep="\t", **exactly).to_dict("records"), of_tables(rows["all"]))


def test_polars(folder: Path, rows: dict[str, list[dict[str, Any]]]) -> None:
    polars = library("polars")
    check(polars.read_ndjson(folder / "usual.json").select(USUAL).to_dicts(), of_objects(rows["usual"]))
    check(polars.read_csv(folder / "usual.csv").to_dicts(), of_tables(rows["usual"]))
    # By itself, it takes the types from the first 100 lines, where some fields are always absent.
    everything = polars.read_ndjson(folder / "all.json", infer_schema_length=None)
    check(everything.select(list(FIELDS)).to_dicts(), of_objects(rows["all"]))
    table = polars.read_csv(folder / "all.csv", infer_schema_length=None)
    check(table.to_dicts(), of_tables(rows["all"]))


def test_the_queries_of_the_docs(tmp_path: Path) -> None:
    """Each answers the question that it is there for."""
    commands = re.findall(r"^    ((?:dnstap|jq|duckdb) .*log\.(?:fstrm|json).*)$", DOCS.read_text(), re.MULTILINE)
    (command,) = [line for line in commands if line.startswith("dnstap")]
    (jq_line,) = [line for line in commands if line.startswith("jq")]
    (query,) = [line.split('"')[1] for line in commands if line.startswith("duckdb")]
    capture = DATA / "named-recursor.fstrm"
    (tmp_path / "log.fstrm").symlink_to(capture)
    assert run(*[tmp_path / word if word.startswith("log.") else word for word in command.split()[1:]]).returncode == 0
    found = row_reader(["rcode", "registered_domain", "query_address"])
    rows = [found(payload) for payload in read_frames(capture)]
    expected = Counter([row[1:] for row in rows if row.rcode == "NXDOMAIN"])
    assert sum(expected.values()) > 10
    path = require("jq")
    counted = subprocess.run(
        ["bash", "-c", jq_line.replace("jq", path, 1)], cwd=tmp_path, capture_output=True, check=True
    )
    domains = Counter([domain for domain, _ in expected.elements()])
    lines = [line.split() for line in counted.stdout.decode().splitlines()]
    assert [int(number) for number, _ in lines] == [number for _, number in domains.most_common(10)]
    assert all(domains[None if domain == "null" else domain] == int(number) for number, domain in lines)
    answer = library("duckdb").sql(query.replace("log.json", str(tmp_path / "log.json"))).fetchall()
    assert [number for _, _, number in answer] == [number for _, number in expected.most_common(10)]
    assert all(expected[domain, address] == number for domain, address, number in answer)


def test_python(folder: Path, rows: dict[str, list[dict[str, Any]]]) -> None:
    """The csv module, which has no types."""
    for suffix, delimiter in ("csv", ","), ("tsv", "\t"):
        with (folder / f"all.{suffix}").open(newline="") as file:
            found = list(csv.DictReader(file, delimiter=delimiter, strict=True))
        expected = of_tables(rows["all"])
        assert [row["qname"] or None for row in found] == [row["qname"] for row in expected]
        assert [int(row["size"]) for row in found] == [row["size"] for row in expected]
