"""Checks after each test of a tap."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from dnstap.tap.base import open_taps
from tests.wait import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """No thread of a tap is left, and no tap to close at the end of the program."""
    yield
    wait_for(lambda: not [t for t in threading.enumerate() if t.name.startswith("dnstap tap")], "the end of threads")
    assert not open_taps
