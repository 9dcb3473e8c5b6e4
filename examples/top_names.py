"""The ten names that clients asked for most in recordings: python top_names.py FILE..."""

import sys
from collections import Counter

import dnstap

names: Counter[str] = Counter()
with dnstap.read(*sys.argv[1:], filter="type = CLIENT_QUERY") as reader:
    for d in reader:
        if d.message.qname:
            names[d.message.qname.lower()] += 1
for name, number in names.most_common(10):
    print(f"{number:8} {name}")
print(f"{reader.payloads} payloads, {reader.skipped} of them bad", file=sys.stderr)
