"""The scoreboard of the conformance kit: every peer that is here is put to all cases, several times.

    python -m tests.interop.scoreboard [--times N] [--only PATTERN] [--page]

It writes tests/data/scoreboard.json, and from that docs/scoreboard.md; peers that are not run keep what they had.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from tests.interop.scoreboard_page import DATA, PAGE, page
from tests.interop.scoreboard_peers import PEERS, Peer

__all__ = ["main", "measured"]

JsonObject = dict[str, Any]

SHOWN = 300
"""Characters that are kept of what was expected and of what came."""


def measured(peer: Peer, times: int, *words: str) -> JsonObject:
    """Put a peer to the cases some times, and return its entry of the scoreboard.

    Args: words: more words of the command line, such as --cases.
    Raises: RuntimeError: it cannot be run.
    """
    runs = [_run(peer, *words) for _ in range(times)]
    first = {record["id"]: record for record in runs[0]}
    changing = {}
    for case in first:
        seen = [next(record["verdict"] for record in run if record["id"] == case) for run in runs]
        if len({*seen}) > 1:
            changing[case] = dict(Counter(seen))
    counts = Counter(record["verdict"] for record in runs[0])
    return {
        "peer": peer.name,
        "version": peer.version(),
        "role": peer.role,
        "command": peer.shown,
        "times": times,
        "counts": {verdict: counts[verdict] for verdict in ("pass", "non-strict", "fail", "unimplemented")},
        "faults": [_fault(record) for record in runs[0] if record["verdict"] in ("non-strict", "fail")],
        "changing": changing,
    }


def _run(peer: Peer, *words: str) -> list[JsonObject]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = ["-m", "framestream", "check", peer.role, "--spawn", peer.command(), *peer.options]
        process = subprocess.run(
            [sys.executable, *command, "--json", str(report), *words], capture_output=True, text=True, check=False
        )
        if not report.exists():
            raise RuntimeError(f"{peer.name} as {peer.role} cannot be run: {process.stderr.strip()}")
        records: list[JsonObject] = json.loads(report.read_text())
    return records


def _fault(record: JsonObject) -> JsonObject:
    kept = {name: record[name] for name in ("id", "verdict", "rule")}
    return {**kept, "expected": _shown(record["expected"]), "got": _shown(record["got"])}


def _shown(text: str) -> str:
    """Return a text without what differs from run to run and from machine to machine, shortened."""
    text = re.sub(rf"{re.escape(tempfile.gettempdir())}/framestream-\w+/", "", text)
    text = re.sub(r"; it printed .*", "", text, flags=re.DOTALL)
    text = re.sub(r"frame-\d{8,}", "frame-N", text)
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description="Put all peers to the conformance kit.")
    parser.add_argument("--times", type=int, default=1, help="number of runs of each peer")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="peers and roles, such as 'dnstap (Go)/reader'")
    parser.add_argument("--page", action="store_true", help="only make the page anew")
    words = parser.parse_args(argv)
    for peer in PEERS:
        if not words.page and fnmatchcase(f"{peer.name}/{peer.role}", words.only):
            try:
                entry = measured(peer, words.times)
            except (RuntimeError, pytest.fail.Exception) as error:
                print(error, file=sys.stderr)  # noqa: T201
            else:
                print(peer.name, peer.role, entry["counts"], entry["changing"], flush=True)  # noqa: T201
                _keep(entry)
    PAGE.write_text(page(json.loads(DATA.read_text())))


def _keep(entry: JsonObject) -> None:
    """Put an entry in place of the one before. It is read again, for another run of the script may have written."""
    entries = {(one["peer"], one["role"]): one for one in json.loads(DATA.read_text())}
    entries[entry["peer"], entry["role"]] = entry
    order = [(peer.name, peer.role) for peer in PEERS]
    DATA.write_text(json.dumps([entries[key] for key in order if key in entries], indent=1) + "\n")


if __name__ == "__main__":
    # Programs that are missing are told, and not skipped.
    os.environ["REQUIRE_PEERS"] = "1"
    main()
