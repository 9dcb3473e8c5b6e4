"""The ten names that clients asked for most in recordings: python top_names.py FILE...

    python top_names.py /var/log/dnstap '*.fstrm.gz'
    dnstap -u dnstap.sock -w - --format frames | python top_names.py -

Ctrl-C, or a recording that is broken or still being written, shows the names so far.
"""

import sys
from collections import Counter
from contextlib import suppress

import dnstap

names: Counter[str] = Counter()
with dnstap.read(*sys.argv[1:], filter="type = CLIENT_QUERY", errors="log") as reader, suppress(KeyboardInterrupt):
    for d in reader:
        if d.message.qname:
            names[d.message.qname.lower()] += 1
for name, number in names.most_common(10):
    print(f"{number:8} {name}")
print(f"{reader.payloads} payloads, {reader.skipped} of them bad, {reader.failed_files} broken files", file=sys.stderr)
