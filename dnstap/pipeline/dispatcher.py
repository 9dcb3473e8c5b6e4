"""The engine of every pipeline: from batches of payloads, through stages, to outputs.

It does no input and knows no event loop. FileRunner uses it as it is: a write blocks until every output has the batch.
Collector uses the one of queues.py, in which each output has a queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnstap.pipeline.outputs.custom import as_output
from dnstap.pipeline.stages import as_stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dnstap.pipeline.outputs.base import Output
    from dnstap.pipeline.outputs.custom import Writable
    from dnstap.pipeline.outputs.handlers import MessageHandler
    from dnstap.pipeline.sources import Source
    from dnstap.pipeline.stages import Stage

__all__ = ["Dispatcher"]


class Dispatcher:
    """Stages and outputs.

    It counts what reaches each output and what each stage removes, so that these add up to what was received.

    Args:
        outputs: each is given every payload that the stages keep.
        stages: applied in this order; functions are allowed, too.

    Attributes:
        uses_source: whether a stage or output asks for the stream of payloads.
        encoded: whether batches are EncodedFrames instead of lists of payloads, because nothing has to look into them
            and every output takes them so without waiting.
    """

    def __init__(
        self,
        outputs: Sequence[MessageHandler | Output | Writable],
        stages: Sequence[Stage | Callable[[list[bytes]], list[bytes]]] = (),
    ) -> None:
        self.outputs = [as_output(output) for output in outputs]
        self.stages = [as_stage(stage) for stage in stages]
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
        for stage in self.stages:
            before = len(batch)
            if self.uses_source:
                stage.set_source(source)
                source = source._replace(peer=stage.changed_peer(source.peer))
            batch = stage.process(batch)
            stage.removed += before - len(batch)
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

    def new_reports(self) -> Iterator[str]:
        """Yield lines about problems since the last call."""
        for part in (*self.stages, *self.outputs):
            yield from part.new_reports()

    def _give(self, output: Output, batch: Any, number: int, source: Source) -> None:
        output.given += number
        if self.encoded:
            output.write_encoded(batch)
        else:
            if output.uses_source:
                output.set_source(source)
            output.write_many(batch)
