"""What a Collector and its outputs count, for Prometheus, by its client library (extra `metrics`)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from framestream.errors import MissingLibraryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client import Metric

    from dnstap.anonymize import Anonymizer
    from dnstap.filters.selecting import Filter
    from dnstap.pipeline.collector import Collector

__all__ = ["serving"]


@contextmanager
def serving(
    host: str,
    port: int,
    collector: Collector,
    outputs: Sequence[object],
    wanted: Filter | None = None,
    anonymizer: Anonymizer | None = None,
) -> Iterator[int]:
    """Answer requests for http://HOST:PORT/metrics, in a thread, while the body runs; the port.

    Args: host: an address; "": all.
    Raises: MissingLibraryError: prometheus-client is not installed; OSError.
    """
    try:
        from prometheus_client import CollectorRegistry, start_http_server
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
    except ImportError:
        raise MissingLibraryError("metrics", "metrics") from None

    class Counts:
        def collect(self) -> Iterator[Metric]:
            counts = collector.counts
            yield GaugeMetricFamily("dnstap_open_inputs", "Inputs that are read.", counts.open)
            samples = [
                ("connections", "Connections accepted or made.", counts.connections),
                ("files", "Files read, or being read.", counts.files),
                ("broken_streams", "Streams that ended by a fault.", counts.broken),
                ("frames", "Data frames received.", counts.frames),
                ("payload_bytes", "Their payloads.", counts.bytes),
                ("oversize_frames", "Data frames over the limit, left out.", counts.left_out),
                ("dropped_frames", "Data frames dropped, because the outputs were behind.", counts.dropped),
                ("ignored_control_frames", "Control frames of unknown type.", counts.ignored_control_frames),
                ("ignored_bytes", "Bytes behind STOP.", counts.ignored_bytes),
            ]
            if wanted:
                samples += [
                    ("matched_frames", "Frames that match the filter.", wanted.matched),
                    ("unmatchable_frames", "Frames that do not decode, so match nothing.", wanted.bad),
                ]
            for name, what, number in samples:
                yield CounterMetricFamily(f"dnstap_{name}", what, number)
            for name, attribute, what in (
                ("left_out_frames", "bad", "Frames that do not decode, left out by --anonymize."),
                ("cut_messages", "cut", "DNS messages that --anonymize cut."),
                ("stripped_frames", "stripped", "Frames of which --anonymize left fields out."),
            ):
                if anonymizer:
                    yield CounterMetricFamily(f"dnstap_anonymize_{name}", what, getattr(anonymizer, attribute))
            for name, attribute, what in (
                ("frames", "frames", "Frames given to an output."),
                ("bad_frames", "bad", "Frames that an output left out, because they do not decode."),
                ("sent_frames", "sent", "Frames that a relay has sent."),
                ("reconnects", "reconnects", "Connections that a relay has made again."),
            ):
                family = CounterMetricFamily(f"dnstap_output_{name}", what, labels=["output"])
                for output in outputs:
                    value = (
                        output.problems.count
                        if attribute == "bad" and hasattr(output, "problems")
                        else getattr(output, attribute, None)
                    )
                    if value is not None:
                        family.add_metric([str(getattr(output, "name", ""))], value)
                yield family

    registry = CollectorRegistry()
    registry.register(Counts())
    server, thread = start_http_server(port, host or "::", registry)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
