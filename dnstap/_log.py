"""The logger `dnstap`, for reports that a program did not ask to be given itself."""

from __future__ import annotations

import logging

__all__ = ["log_line"]

_log = logging.getLogger("dnstap")


def log_line(line: str) -> None:
    """Log a warning."""
    _log.warning("%s", line)
