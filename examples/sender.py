"""Send recordings to a collector: python sender.py ENDPOINT FILE...

    python sender.py tcp:collector.example.net:6000 '/var/log/dnstap/*.fstrm.gz'

It waits for a collector that is away, and says so. Ctrl-C ends it. Payloads that do not decode are counted, not sent.
Recordings that are broken or still being written are sent as far as they go; with `follow=True`, `read` goes on.
"""

import sys
from contextlib import suppress

import dnstap
from framestream import ReconnectingWriter, open_writer

endpoint, *files = sys.argv[1:]
with (
    dnstap.read(*files, errors="log") as reader,
    ReconnectingWriter(lambda: open_writer(endpoint, [dnstap.CONTENT_TYPE])) as writer,
    suppress(KeyboardInterrupt),
):
    for d in reader:
        writer.write(bytes(d))
print(
    f"{writer.frames} of {reader.payloads} payloads sent, {reader.skipped} bad ones, {reader.failed_files} broken files"
)
