"""Metrics of a run for Prometheus, by its client library (extra `metrics`)."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from framestream.errors import MissingLibraryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client import Metric

    from dnstap.pipeline.collector import Collector
    from dnstap.pipeline.outputs.base import Output
    from dnstap.pipeline.stages import Stage

__all__ = ["serving"]


@contextmanager
def serving(
    host: str, port: int, collector: Collector, stages: Sequence[Stage], outputs: Sequence[Output]
) -> Iterator[int]:
    """Answer requests for http://HOST:PORT/metrics in a thread while the body runs. Gives the port.

    Args: host: an address; "" for all.
    Raises: MissingLibraryError: prometheus-client is not installed; OSError.
    """
    try:
        from prometheus_client import CollectorRegistry, MetricsHandler
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
    except ImportError:
        raise MissingLibraryError("metrics", "metrics") from None
    from dnstap.pipeline.http_server import LimitedServer

    class Metrics:
        # Called by the thread of the server for each request, so a run without requests spends nothing on metrics.
        def collect(self) -> Iterator[Metric]:
            counts = collector.counts
            yield GaugeMetricFamily("dnstap_open_inputs", "Inputs that are read.", counts.open)
            for counter in (*counts.counters(), *(counter for stage in stages for counter in stage.counters())):
                yield CounterMetricFamily(f"dnstap_{counter.name}", counter.help, counter.value)
            # One family for all outputs, each of which is a label.
            families: dict[str, CounterMetricFamily] = {}
            for output in outputs:
                for counter in output.counters():
                    if counter.name not in families:
                        name = f"dnstap_output_{counter.name}"
                        families[counter.name] = CounterMetricFamily(name, counter.help, labels=["output"])
                    families[counter.name].add_metric([output.name], counter.value)
            yield from families.values()
            # Not a counter: it may fall.
            left = GaugeMetricFamily(
                "dnstap_output_left_frames", "Frames that an output has not written yet.", labels=["output"]
            )
            for output in outputs:
                left.add_metric([output.name], output.counts.left)
            yield left

    # Not the library's default registry, which all users in a process share and which adds metrics of Python itself.
    registry = CollectorRegistry()
    registry.register(Metrics())
    # Not the library's server: its threads wait for silent clients without end.
    server = LimitedServer(host, port, MetricsHandler.factory(registry))
    thread = threading.Thread(target=server.serve_forever, name="dnstap metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
