"""The logger for reports."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dnstap._log import log_line

if TYPE_CHECKING:
    import pytest


def test_a_line_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """It is not taken for a format."""
    log_line("100 % of it")
    assert caplog.record_tuples == [("dnstap", logging.WARNING, "100 % of it")]
