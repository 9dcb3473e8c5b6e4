"""The number of connections to a collector, limited so that outputs always find a file descriptor."""

from __future__ import annotations

__all__ = ["MAX_CONNECTIONS", "places"]

MAX_CONNECTIONS = 1024
"""Connections at the same time, unless the caller says otherwise. Each takes some 20 KiB, and more while it is read."""

RESERVED = 32
"""Descriptors that connections do not get: for metrics (8), and what libraries open, such as to look up host names."""

RESERVED_EACH = 4
"""The same for each output: a new file beside the old one, the two of a compression, a new connection."""


def places(wanted: int | None, spare: int | None, *, outputs: int, inputs: int) -> int:
    """Return how many connections are allowed at the same time: at least one.

    Args:
        wanted: by the caller; None for MAX_CONNECTIONS.
        spare: descriptors that this process may still open; None for any number.
        outputs: number of outputs.
        inputs: number of descriptors that the inputs have open, beside connections.
    """
    most = wanted or MAX_CONNECTIONS
    return most if spare is None else min(most, max(1, spare - RESERVED - RESERVED_EACH * outputs - inputs))
