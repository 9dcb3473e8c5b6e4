"""The programs that tests compare with are not our own."""

from __future__ import annotations

import subprocess

from tests.interop.peers import require


def test_the_go_tool_is_not_ours() -> None:
    process = subprocess.run([require("dnstap"), "-h"], capture_output=True, check=False)
    assert b"write dnstap payloads to tcp/ip address" in process.stderr
