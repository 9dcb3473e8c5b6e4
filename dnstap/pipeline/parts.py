"""Common base of stages and outputs: counters, reports of problems, one line for the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dnstap.pipeline.counters import Counter
    from dnstap.pipeline.sources import Source

__all__ = ["Part"]


class Part:
    """A part of a pipeline. The defaults are those of a part that counts nothing.

    Attributes:
        uses_source: whether it asks for the stream of payloads. If no part does, nothing is spent on it.
        uses_answered: whether it asks which queries were answered. If a part does, they are held until that is known.
    """

    uses_source: bool = False
    uses_answered: bool = False

    def set_source(self, source: Source) -> None:
        """Set the stream of the payloads that come next."""

    def expect_paired(self) -> None:
        """Prepare for payloads that carry what pairing found (dnstap.codec.paired). Called before the first."""

    def counters(self) -> Sequence[Counter]:
        """Return the counters of this part, for metrics."""
        return ()

    def new_reports(self) -> Iterable[str]:
        """Return lines about problems since the last call; usually none."""
        return ()

    def summary(self) -> str:
        """Return one line for the end of a run, or "" for none."""
        return ""
