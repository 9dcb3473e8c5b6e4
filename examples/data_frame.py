"""Recordings as a pandas DataFrame: python -i data_frame.py FILE...

    pip install pandas
    python -i data_frame.py '/var/log/dnstap/*.fstrm'
    >>> frame[frame.rcode == "SERVFAIL"].groupby("qname").size().nlargest(10)

It prints the number of responses and their latency for each query type. Payloads that do not decode are left
out, and recordings that are broken or still being written are read as far as they go.
"""

import sys

import pandas as pd

import dnstap

FIELDS = ["time", "type", "client", "qname", "qtype", "rcode", "latency"]

with dnstap.read(*sys.argv[1:], fields=FIELDS, errors="log") as reader:
    frame = pd.DataFrame(reader, columns=FIELDS)
frame["time"] = pd.to_datetime(frame["time"], utc=True, errors="coerce")
frame["latency"] = pd.to_timedelta(frame["latency"], errors="coerce")
responses = frame[frame["rcode"].notna()]
print(responses.groupby("qtype")["latency"].agg(["size", "median", "max"]).sort_values("size", ascending=False))
print(f"{len(frame)} messages, {reader.skipped} bad payloads, {reader.failed_files} broken files", file=sys.stderr)
