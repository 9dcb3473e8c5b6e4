"""Appended recordings, read by other programs: all of their frames, in one stream."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from framestream import read_file, write_file
from tests.framestream.fronts import FRONTS, using
from tests.framestream.fronts import write_file as write_by
from tests.interop.peers import require
from tests.wait import DEADLINE_S

DATA = Path(__file__).parents[1] / "data"
SAMPLE = DATA / "nsd-auth.fstrm"
DNSTAP = b"protobuf:dnstap.Dnstap"


def output(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=True).stdout


@pytest.fixture
def sample() -> list[bytes]:
    with read_file(SAMPLE) as reader:
        return list(reader)


@pytest.fixture(params=FRONTS)
def appended(request: pytest.FixtureRequest, tmp_path: Path, sample: list[bytes]) -> Path:
    """Return a recording that was ended by STOP, then by a kill inside a frame, and was appended to after each."""
    path = tmp_path / "appended.fstrm"
    with write_file(path, [DNSTAP]) as writer:
        writer.write_many(sample[:10])
    with using(request.param):
        with write_by(path, [DNSTAP], mode="append") as writer:
            writer.write_many(sample[10:21])
        # STOP and a part of the last frame are gone.
        path.write_bytes(path.read_bytes()[:-20])
        with write_by(path, [DNSTAP], mode="append") as writer:
            writer.write_many(sample[20:])
    return path


def test_it_is_as_if_written_at_once(appended: Path) -> None:
    assert appended.read_bytes() == SAMPLE.read_bytes()


def test_go(appended: Path, sample: list[bytes]) -> None:
    lines = output(require("dnstap"), "-r", appended, "-j").splitlines()
    assert len(lines) == len(sample)
    assert all(json.loads(line)["type"] == "MESSAGE" for line in lines)


def test_fstrm_dump(appended: Path) -> None:
    dump = require("fstrm_dump")
    assert output(dump, appended) == output(dump, SAMPLE)


def test_bind(appended: Path) -> None:
    """It leaves out messages whose DNS message it cannot parse."""
    read = require("dnstap-read")
    assert output(read, appended) == output(read, SAMPLE)


def test_ldns(appended: Path, sample: list[bytes]) -> None:
    assert len(output(require("dnstap-ldns"), "-r", appended, "-q").splitlines()) == len(sample)
