"""The package as a new user gets it: built from the repository, installed into an empty environment."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import dnstap

ROOT = Path(__file__).parents[1]
NOT_THE_PROJECT = shutil.ignore_patterns(
    ".git", ".venv*", "*.egg-info", "build", "dist", "__pycache__", ".*_cache", "tests"
)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project's files, without anything built."""
    return Path(shutil.copytree(ROOT, tmp_path_factory.mktemp("clone") / "project", ignore=NOT_THE_PROJECT))


def clean_environment() -> dict[str, str]:
    """Return our environment variables, without those that would lead back to this checkout."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "COV"))}


def test_the_wheel_is_pure_python(clone: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir", str(tmp_path), str(clone)]
    subprocess.run(command, check=True, env=clean_environment())
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == f"dnstap-{dnstap.__version__}-py3-none-any.whl"
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"framestream", "dnstap", f"dnstap-{dnstap.__version__}.dist-info"}
    for package in ("framestream", "dnstap"):
        # Modules, and what lies beside them: py.typed, a JSON Schema.
        files = {str(path.relative_to(ROOT)) for path in ROOT.glob(f"{package}/**/*") if path.is_file()}
        files = {name for name in files if not name.endswith(".pyc")}
        assert files == {name for name in names if name.startswith(f"{package}/")}


def test_the_run_command_of_the_readme(clone: Path, tmp_path: Path) -> None:
    """Runs with this Python as python3, and nothing else from its environment."""
    (command,) = re.findall(r"^    (python3 -m venv .*)$", (clone / "README.md").read_text(), re.MULTILINE)
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    environment = {**clean_environment(), "TZ": "UTC", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment["PATH"] = f"{python.parent}:{environment['PATH']}"
    process = subprocess.run(
        ["sh", "-c", command], cwd=clone, env=environment, capture_output=True, text=True, check=True
    )
    assert process.stdout.endswith((clone / "examples" / "coredns.q.txt").read_text())
    assert "Successfully installed" in process.stdout
