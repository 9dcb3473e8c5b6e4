"""Places for connections, and the descriptors that are kept for outputs."""

from __future__ import annotations

import pytest

from dnstap.pipeline.places import MAX_CONNECTIONS, places


@pytest.mark.parametrize(
    ("wanted", "spare", "outputs", "inputs", "expected"),
    [
        (None, None, 1, 1, MAX_CONNECTIONS),
        (5000, None, 1, 1, 5000),
        (5000, 100_000, 1, 1, 5000),
        (None, 137, 1, 1, 100),
        (500, 137, 1, 1, 100),
        (50, 137, 1, 1, 50),
        (None, 137, 3, 33, 60),
        (None, 0, 1, 1, 1),
    ],
)
def test_places(wanted: int | None, spare: int | None, outputs: int, inputs: int, expected: int) -> None:
    assert places(wanted, spare, outputs=outputs, inputs=inputs) == expected
