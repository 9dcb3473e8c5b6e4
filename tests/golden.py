"""Golden files: generated source as it was at the last review.

A test compares what is generated now with a file in tests/data/generated. To renew the files after a change, run the
tests with RENEW_GOLDEN=1, and read the difference in git.
"""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "data" / "generated"


def assert_golden(name: str, text: str) -> None:
    """Compare a text with the golden file of a name, or write the file if RENEW_GOLDEN is set."""
    path = FOLDER / f"{name}.txt"
    if os.environ.get("RENEW_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), f"{path} differs; RENEW_GOLDEN=1 writes it anew"
