"""Queries of clients, from DNS servers into SQLite, with asyncio: python collector_sqlite.py ENDPOINT FILE"""

import asyncio
import signal
import sqlite3
import sys

from dnstap import Collector, DnstapMessage, Source


async def main(endpoint: str, path: str) -> None:
    database = sqlite3.connect(path, check_same_thread=False)
    database.execute("CREATE TABLE IF NOT EXISTS queries (time, peer, server, client, qname, qtype)")

    async def insert(batch: list[DnstapMessage], source: Source) -> None:
        found = [(d.identity, d.message) for d in batch]
        rows = [(str(m.time), str(source.peer), who, m.client, m.qname, m.qtype) for who, m in found]
        # A thread waits for the disk, and messages that come meanwhile wait for it.
        await asyncio.to_thread(database.executemany, "INSERT INTO queries VALUES (?, ?, ?, ?, ?, ?)", rows)
        await asyncio.to_thread(database.commit)

    async with Collector() as collector:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, collector.stop)
        print("listening on", await collector.listen(endpoint), flush=True)
        await collector.run(insert, filter="type = CLIENT_QUERY")
    database.close()
    print(f"{collector.counts.frames} payloads, {collector.skipped} of them bad")


asyncio.run(main(*sys.argv[1:]))
