"""The engine of every pipeline: from batches of payloads, through stages, to outputs.

It does no input and knows no event loop. FileRunner uses it as it is: a write blocks until every output has the batch.
Collector uses the one of queues.py, in which each output has a queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnstap.pipeline.outputs.custom import as_output
from dnstap.pipeline.stages import Pairing, as_stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dnstap.pipeline.outputs.base import Output
    from dnstap.pipeline.outputs.custom import Writable
    from dnstap.pipeline.outputs.handlers import MessageHandler
    from dnstap.pipeline.sources import Source
    from dnstap.pipeline.stages import AnyStage, Parts, Stage

__all__ = ["Dispatcher"]


class Dispatcher:
    """Stages and outputs.

    It counts what reaches each output and what each stage removes, so that these add up to what was received.

    Args:
        outputs: each is given every payload that the stages keep.
        stages: applied in this order; functions are allowed, too.

    Raises: ValueError: a filter with `answered` without Pairs before it, or there are several Pairs.

    Attributes:
        uses_source: whether a stage or output asks for the stream of payloads.
        encoded: whether batches are EncodedFrames instead of lists of payloads, because nothing has to look into them
            and every output takes them so without waiting.
    """

    def __init__(
        self,
        outputs: Sequence[MessageHandler | Output | Writable],
        stages: Sequence[AnyStage] = (),
    ) -> None:
        self.outputs = [as_output(output) for output in outputs]
        self.stages = [as_stage(stage) for stage in stages]
        pairing = [stage for stage in self.stages if isinstance(stage, Pairing)]
        if len(pairing) > 1:
            raise ValueError("stages: expected Pairs once")
        self._pairing = pairing[0] if pairing else None
        first = self.stages.index(self._pairing) if self._pairing else len(self.stages)
        self._before, self._after = self.stages[:first], self.stages[first + 1 :]
        if any(stage.uses_answered for stage in self._before):
            from dnstap.pairing.pairs import NEEDS_PAIRS

            raise ValueError(f"filter: {NEEDS_PAIRS}")
        if self._pairing:
            for part in (*self._after, *self.outputs):
                part.expect_paired()
                if part.uses_answered:
                    self._pairing.hold()
        self.uses_source = any(part.uses_source for part in (*self.stages, *self.outputs))
        # Stages need payloads. Encoded frames are written in the thread of the event loop, so no output may block, and
        # an output that would have to take them apart gains nothing from them.
        self.encoded = (
            bool(outputs)
            and not stages
            and all(output.takes_encoded and not output.blocking for output in self.outputs)
        )

    def write(self, batch: Any, source: Source) -> None:
        """Pass a batch to all outputs.

        Raises: the first exception of an output or a stage. An output that has failed is given nothing more, and the
            others get the batch all the same.
        """
        batch, source = self._staged(self._before, batch, source)
        if self._pairing is None:
            self._distribute(batch, source)
        else:
            self._distribute_parts(self._pairing, self._pairing.pass_on(batch, source))

    def tick(self) -> None:
        """Pass on what was held long enough, and have outputs do what is due.

        Raises: OSError; as `write`.
        """
        if self._pairing:
            self._distribute_parts(self._pairing, self._pairing.tick())

    def finish(self) -> None:
        """Pass on what is still held. Called when everything was received.

        Raises: as `write`.
        """
        if self._pairing:
            self._distribute_parts(self._pairing, self._pairing.release())

    def new_reports(self) -> Iterator[str]:
        """Yield lines about problems since the last call."""
        for part in (*self.stages, *self.outputs):
            yield from part.new_reports()

    def _staged(self, stages: Sequence[Stage], batch: Any, source: Source) -> tuple[Any, Source]:
        """Return what stages keep of a batch, and its source as parts after them are told."""
        for stage in stages:
            before = len(batch)
            if self.uses_source:
                stage.set_source(source)
                source = source._replace(peer=stage.changed_peer(source.peer))
            batch = stage.process(batch)
            stage.removed += before - len(batch)
        return batch, source

    def _distribute_parts(self, pairing: Pairing, parts: Parts) -> None:
        """Pass on what pairing has let go."""
        pairing.removed = pairing.held
        failure: Exception | None = None
        for payloads, source in parts:
            try:
                self._distribute(*self._staged(self._after, payloads, source))
            except Exception as error:  # noqa: BLE001 (it is raised below)
                # What is left must reach the outputs all the same, to be counted.
                failure = failure or error
        if failure:
            raise failure

    def _distribute(self, batch: Any, source: Source) -> None:
        """Give a batch to all outputs."""
        number = batch.number if self.encoded else len(batch)
        if not number:
            return
        failure: Exception | None = None
        for output in self.outputs:
            output.reached += number
            if output.failed:
                output.waiting += number
                continue
            try:
                self._give(output, batch, number, source)
            except Exception as error:  # noqa: BLE001 (it is raised below)
                output.failed = True
                failure = failure or error
        if failure:
            raise failure

    def _give(self, output: Output, batch: Any, number: int, source: Source) -> None:
        output.given += number
        if self.encoded:
            output.write_encoded(batch)
        else:
            if output.uses_source:
                output.set_source(source)
            output.write_many(batch)
