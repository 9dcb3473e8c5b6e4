"""Opening for asyncio."""

from __future__ import annotations

import pytest

from framestream import aio
from framestream.endpoints import TcpEndpoint
from framestream.errors import LocalProtocolError
from tests.framestream.aio.running import (
    run,
)


def test_endpoints_that_are_none() -> None:
    async def main() -> None:
        with pytest.raises(LocalProtocolError):
            await aio.open_reader("host")
        with pytest.raises(LocalProtocolError):
            await aio.listen_reader(TcpEndpoint("x" * 64, 1))

    run(main)
