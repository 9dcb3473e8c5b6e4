"""Metrics as Prometheus gets them."""

from __future__ import annotations

import re
import sys
import urllib.request
from pathlib import Path

import pytest

from dnstap import Anonymizer, truncate
from dnstap.content_type import CONTENT_TYPE
from dnstap.pipeline.collector import Collector
from dnstap.pipeline.outputs.custom import CustomOutput
from dnstap.pipeline.outputs.recording import Recording
from dnstap.pipeline.prometheus import serving
from dnstap.pipeline.stages import Anonymizing
from framestream import MissingLibraryError, open_writer
from tests.dnstap.beside import run_beside
from tests.dnstap.pipeline.streams import Payloads
from tests.wait import DEADLINE_S, wait_for

DATA = Path(__file__).parents[2] / "data"


def scraped(port: int) -> dict[str, float]:
    """Return the samples served at a port."""
    with urllib.request.urlopen(f"http://localhost:{port}/metrics", timeout=DEADLINE_S) as answer:
        text = answer.read().decode()
    return {name: float(value) for name, value in re.findall(r"^(dnstap_\S+) (\S+)$", text, re.MULTILINE)}


def test_while_the_command_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "s", tmp_path / "out"
    found: list[dict[str, float]] = []

    def scrape() -> None:
        port = wait_for(lambda: re.search(r"metrics at port (\d+)", capfd.readouterr().err), "the port")
        assert port
        with open_writer(path, [CONTENT_TYPE]) as writer:
            writer.write_many([b"\x78\x01", b"junk"])
            wait_for(lambda: scraped(int(port[1]))["dnstap_frames_total"] == 2, "the frames")
            found.append(scraped(int(port[1])))

    arguments = ["-u", str(path), "-q", "-w", str(out), "--metrics", ":0", "--filter", "not has qname"]
    assert run_beside(scrape, *arguments) == 0
    assert found == [
        {
            "dnstap_open_inputs": 1.0,
            "dnstap_connections_total": 1.0,
            "dnstap_broken_streams_total": 0.0,
            "dnstap_ended_connections_total": 0.0,
            "dnstap_connections_without_stop_total": 0.0,
            "dnstap_frames_total": 2.0,
            "dnstap_payload_bytes_total": 6.0,
            "dnstap_oversize_frames_total": 0.0,
            "dnstap_files_total": 0.0,
            "dnstap_dropped_frames_total": 0.0,
            "dnstap_ignored_control_frames_total": 0.0,
            "dnstap_ignored_bytes_total": 0.0,
            "dnstap_unfinished_streams_total": 0.0,
            "dnstap_matched_frames_total": 1.0,
            "dnstap_unmatchable_frames_total": 1.0,
            "dnstap_filtered_out_frames_total": 1.0,
            f'dnstap_output_frames_total{{output="{out}"}}': 1.0,
            f'dnstap_output_written_frames_total{{output="{out}"}}': 1.0,
            f'dnstap_output_rejected_frames_total{{output="{out}"}}': 0.0,
            f'dnstap_output_dropped_frames_total{{output="{out}"}}': 0.0,
            f'dnstap_output_left_frames{{output="{out}"}}': 0.0,
        }
    ]


def test_without_a_filter() -> None:
    with serving("127.0.0.1", 0, Collector(print), [], [CustomOutput(Payloads())]) as port:
        assert "dnstap_matched_frames_total" not in scraped(port)


def test_several_outputs(tmp_path: Path) -> None:
    outputs = [Recording(str(tmp_path / name)) for name in ("a", "b")]
    outputs[1].write_many([b"1"])
    outputs[1].reached = outputs[1].given = 3
    with serving("127.0.0.1", 0, Collector(print), [], outputs) as port:
        samples = {
            name: value for name, value in scraped(port).items() if re.search("_(output|written|left)_frames", name)
        }
    for output in outputs:
        output.close()
    assert samples == {
        f'dnstap_output_frames_total{{output="{tmp_path}/a"}}': 0.0,
        f'dnstap_output_frames_total{{output="{tmp_path}/b"}}': 3.0,
        f'dnstap_output_written_frames_total{{output="{tmp_path}/a"}}': 0.0,
        f'dnstap_output_written_frames_total{{output="{tmp_path}/b"}}': 1.0,
        f'dnstap_output_left_frames{{output="{tmp_path}/a"}}': 0.0,
        f'dnstap_output_left_frames{{output="{tmp_path}/b"}}': 2.0,
    }


def test_what_was_anonymized() -> None:
    stage = Anonymizing(Anonymizer(truncate()))
    with serving("127.0.0.1", 0, Collector(print), [stage], []) as port:
        message = b"r\x1d\x08\5R\x19\0\x29\0\x08\0\5" + b"\xff" * 19
        assert len(stage.process([b"junk", message + b"x\1", message + b"x\1\xa2\6\1x"])) == 2
        samples = {name: value for name, value in scraped(port).items() if "anonymize" in name}
    assert samples == {
        "dnstap_anonymize_left_out_frames_total": 1.0,
        "dnstap_anonymize_cut_messages_total": 2.0,
        "dnstap_anonymize_stripped_frames_total": 1.0,
    }


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with (
        pytest.raises(MissingLibraryError, match=re.escape("pip install '.[metrics]'")),
        serving("", 0, Collector(print), [], []),
    ):
        pass
