"""Queries of clients, from DNS servers into SQLite, without asyncio: python collector_threads.py ENDPOINT FILE"""

import signal
import sqlite3
import sys

from dnstap import BlockingCollector, DnstapMessage, Source

database = sqlite3.connect(sys.argv[2])
database.execute("CREATE TABLE IF NOT EXISTS queries (time, peer, server, client, qname, qtype)")


def insert(batch: list[DnstapMessage], source: Source) -> None:
    found = [(d.identity, d.message) for d in batch]
    rows = [(str(m.time), str(source.peer), who, m.client, m.qname, m.qtype) for who, m in found]
    # This thread waits for the disk, and another one receives meanwhile.
    with database:
        database.executemany("INSERT INTO queries VALUES (?, ?, ?, ?, ?, ?)", rows)


with BlockingCollector() as collector:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: collector.stop())
    print("listening on", collector.listen(sys.argv[1]), flush=True)
    collector.run(insert, filter="type = CLIENT_QUERY")
database.close()
print(f"{collector.counts.frames} payloads, {collector.skipped} of them bad")
