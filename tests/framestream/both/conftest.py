"""Fixtures for tests through both front ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.framestream.fronts import FRONTS, using

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=FRONTS)
def _front(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run a test through each front end."""
    with using(request.param):
        yield


@pytest.fixture(params=[1 << 18, 1], ids=["whole", "byte by byte"])
def _cut(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit reads to all that the peer has sent, or to a single byte."""
    for name in (
        "framestream.files.READ_BYTES",
        "framestream.sync.channels.READ_BYTES",
        "asyncio.selector_events._SelectorTransport.max_size",
    ):
        monkeypatch.setattr(name, request.param)
