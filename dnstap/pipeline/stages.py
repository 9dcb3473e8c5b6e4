"""Pipeline stages: each takes a batch of payloads and returns those to keep."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, TypeAlias

from dnstap.codec.paired import carry_over
from dnstap.pipeline.counters import Counter
from dnstap.pipeline.parts import Part
from framestream.arguments import check_callable, check_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dnstap.anonymize import Anonymizer
    from dnstap.filters.selecting import Filter
    from dnstap.pairing import Pairs
    from dnstap.pipeline.sources import Source
    from framestream.sockets import PeerAddress

__all__ = [
    "Anonymizing",
    "AnyStage",
    "FunctionStage",
    "Head",
    "Matching",
    "Pairing",
    "Parts",
    "Sample",
    "Stage",
    "as_stage",
]

AnyStage: TypeAlias = "Stage | Filter | Callable[[list[bytes]], list[bytes]]"
"""A stage, a filter, or a function from a list of payloads to those that go on."""

Parts: TypeAlias = "Sequence[tuple[list[bytes], Source]]"
"""Payloads, and the stream that they came from."""


class Stage(Part, ABC):
    """A step between inputs and outputs.

    Attributes: removed: number of payloads that did not go on, counted by the Dispatcher.
    """

    removed: int = 0

    @abstractmethod
    def process(self, payloads: list[bytes]) -> list[bytes]:
        """Return the payloads that go on, in their order."""

    def changed_peer(self, peer: PeerAddress | None) -> PeerAddress | None:
        """Return the sender that the parts after this stage are told."""
        return peer


class Pairing(Stage):
    """A stage that passes payloads on with what Pairs finds.

    Queries may go on later than they came, so it returns payloads in parts, each with the stream that it came from.

    Args: clock: returns a time in seconds.
    """

    def __init__(self, pairs: Pairs, *, clock: Callable[[], float] = time.monotonic) -> None:
        # Not at the top of the module: see as_stage.
        from dnstap.pairing import Pairs

        check_type("pairs", pairs, Pairs, "Pairs")
        self._pairs = pairs
        self._clock = clock
        self._received_at = clock()

    @property
    def held(self) -> int:
        """Number of payloads that have not gone on."""
        return self._pairs.held

    def hold(self) -> None:
        """Hold queries until it is known whether they are answered."""
        self._pairs.hold_queries = True

    def process(self, payloads: list[bytes]) -> list[bytes]:
        return self._pairs(payloads)

    def pass_on(self, payloads: list[bytes], source: Source) -> Parts:
        """Return payloads that go on."""
        self._received_at = self._clock()
        return self._pairs.sorted(payloads, source)

    def tick(self) -> Parts:
        """Return payloads that go on because nothing was received for a while."""
        # Time in messages stands still while none come.
        silent_s = self._clock() - self._received_at
        return self._pairs.release() if self._pairs.held and silent_s > self._pairs.timeout_s else ()

    def release(self) -> Parts:
        """Return all payloads that were held."""
        return self._pairs.release()

    def counters(self) -> Sequence[Counter]:
        counts = self._pairs.counts
        return (
            Counter("paired_queries", "Queries with a response.", counts.paired),
            Counter("unanswered_queries", "Queries without a response within the timeout.", counts.unanswered),
            Counter("given_up_queries", "Queries that there was no room for until their response.", counts.given_up),
            Counter("orphaned_responses", "Responses without a query.", counts.orphaned),
        )

    def summary(self) -> str:
        counts = self._pairs.counts
        return (
            f"{counts.paired} of {counts.queries} queries paired, {counts.unanswered} unanswered, {counts.given_up}"
            f" given up, {counts.outstanding} outstanding; {counts.orphaned} of {counts.responses} responses orphaned"
        )


class Matching(Stage):
    """A stage that keeps the payloads that match a filter."""

    def __init__(self, wanted: Filter) -> None:
        self._filter = wanted
        # It may have been used before.
        self._bad_before = wanted.bad
        self.uses_source = wanted.reads_peer
        self.uses_answered = wanted.reads_answered

    def set_source(self, source: Source) -> None:
        self._filter.peer.set(source.peer)

    @property
    def bad(self) -> int:
        """Number of payloads that did not decode."""
        return self._filter.bad - self._bad_before

    @property
    def unmatched(self) -> int:
        """Number of payloads that decode and do not match."""
        return self.removed - self.bad

    def expect_paired(self) -> None:
        self._filter.expect_paired()

    def process(self, payloads: list[bytes]) -> list[bytes]:
        return self._filter.select(payloads)

    def counters(self) -> Sequence[Counter]:
        return (
            Counter("matched_frames", "Frames that match the filter.", self._filter.matched),
            Counter("filtered_out_frames", "Frames that do not match the filter.", self.removed),
            Counter("unmatchable_frames", "Frames that do not decode, so match nothing.", self._filter.problems.count),
        )

    def new_reports(self) -> Iterable[str]:
        return self._filter.problems.new_reports(self._filter.payloads)

    def summary(self) -> str:
        return (
            f"{self._filter.matched} of them match the filter; {self.removed} filtered out,"
            f" of which {self._filter.problems.count} could not be matched"
        )


class Sample(Stage):
    """A stage that keeps the first of every N payloads."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._next = 0

    def process(self, payloads: list[bytes]) -> list[bytes]:
        # `_next` counts from the start of the batch, and may lie in a later one: the sample is the same however
        # payloads are divided into batches.
        chosen = payloads[self._next :: self._every]
        self._next = (self._next - len(payloads)) % self._every
        return chosen

    def counters(self) -> Sequence[Counter]:
        return (Counter("sampled_out_frames", "Frames left out by --sample.", self.removed),)

    def summary(self) -> str:
        return f"{self.removed} sampled out"


class Head(Stage):
    """A stage that keeps the first N payloads, and then none.

    Args: done: called once there have been N, and for each further batch.
    """

    def __init__(self, number: int, done: Callable[[], object]) -> None:
        self._left = number
        self._done = done

    def process(self, payloads: list[bytes]) -> list[bytes]:
        chosen = payloads[: self._left]
        self._left -= len(chosen)
        # Batches that were on their way still arrive after the first call, because the runner stops only between
        # batches.
        if not self._left:
            self._done()
        return chosen

    def counters(self) -> Sequence[Counter]:
        return (Counter("over_count_frames", "Frames left out after those of --count.", self.removed),)

    def summary(self) -> str:
        return f"{self.removed} left out after the last of --count"


class Anonymizing(Stage):
    """A stage that replaces the addresses in payloads."""

    def __init__(self, anonymizer: Anonymizer) -> None:
        self._anonymizer = anonymizer
        self._paired = False

    def expect_paired(self) -> None:
        self._paired = True

    def process(self, payloads: list[bytes]) -> list[bytes]:
        if not self._paired:
            return self._anonymizer(payloads)
        # One by one, because some may be left out.
        return [carry_over(payload, changed) for payload in payloads for changed in self._anonymizer([payload])]

    def changed_peer(self, peer: PeerAddress | None) -> PeerAddress | None:
        if peer is None or (address := peer.packed) is None:
            return peer
        return peer.replaced(self._anonymizer.anonymize_address(address), self._anonymizer.anonymize_port(peer.port))

    def counters(self) -> Sequence[Counter]:
        anonymizer = self._anonymizer
        left_out = "Frames that do not decode, left out by --anonymize."
        return (
            Counter("anonymize_left_out_frames", left_out, anonymizer.problems.count),
            Counter("anonymize_cut_messages", "DNS messages that --anonymize cut.", anonymizer.cut),
            Counter("anonymize_stripped_frames", "Frames of which --anonymize left fields out.", anonymizer.stripped),
        )

    def new_reports(self) -> Iterable[str]:
        return self._anonymizer.new_reports()

    def summary(self) -> str:
        return self._anonymizer.summary()


class FunctionStage(Stage):
    """A stage made of a function, which programs may give to a Collector."""

    def __init__(self, function: Callable[[list[bytes]], list[bytes]]) -> None:
        self._function = function

    def process(self, payloads: list[bytes]) -> list[bytes]:
        return self._function(payloads)


def as_stage(stage: AnyStage) -> Stage:
    """Return a stage as it is, and wrap a filter or a function.

    Raises: TypeError: neither.
    """
    if isinstance(stage, Stage):
        return stage
    # Not at the top of the module, so that a run of the command loads those only that it needs.
    from dnstap.anonymize.anonymizer import Anonymizer
    from dnstap.filters.selecting import Filter
    from dnstap.pairing import Pairs

    if isinstance(stage, Filter):
        return Matching(stage)
    check_callable("stages", stage, "a function from a list of payloads to those that go on")
    if isinstance(stage, Pairs):
        return Pairing(stage)
    # It is also a function, but one with something to report.
    return Anonymizing(stage) if isinstance(stage, Anonymizer) else FunctionStage(stage)
