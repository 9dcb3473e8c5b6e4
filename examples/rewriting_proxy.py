"""Between DNS servers and a collector, rewrite each message: python rewriting_proxy.py LISTEN COLLECTOR SITE

    python rewriting_proxy.py unix:/run/dnstap.sock tcp:collector.example.net:6000 fra1

This one puts a site before each server's identity, or its address, and removes `extra`. A collector that is away is
waited for, and servers wait with it. INT and TERM end it, once what was received is sent.
"""

import asyncio
import signal
import sys

from dnstap import CONTENT_TYPE, Collector, DnstapMessage, Source
from framestream import aio

listen, receiver, site = sys.argv[1:]
writer = aio.ReconnectingWriter(lambda: aio.open_writer(receiver, [CONTENT_TYPE]))


async def rewrite(messages: list[DnstapMessage], source: Source) -> None:
    for d in messages:
        d.identity, d.extra = f"{site}/".encode() + (d.identity or str(source.peer).encode()), None
    await writer.write_many([bytes(d) for d in messages])


async def main() -> None:
    async with writer, Collector() as collector:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, collector.stop)
        await collector.listen(listen)
        await collector.run(rewrite)
    print(f"{writer.frames} messages sent, {writer.dropped} dropped, {collector.skipped} payloads did not decode")


asyncio.run(main())
