"""Messages of payloads for programs: bad payloads are counted and left out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from dnstap.codec.learned import Decoder
from dnstap.codec.paired import paired_decoder
from dnstap.codec.projections import for_fields
from dnstap.errors import DecodeError, MissingFieldError
from dnstap.fields.catalogue import reads
from dnstap.fields.rows import row_maker
from dnstap.filters.selecting import as_filter
from dnstap.messages import Dnstap
from dnstap.problems import Problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dnstap.filters.selecting import Filter
    from dnstap.messages import Message

    class DnstapMessage(Dnstap):
        """A Dnstap whose `message` is there. Only type checkers see this class: it is Dnstap when a program runs."""

        message: Message  # type: ignore[misc] # the fields before it have defaults, as it has in Dnstap
else:
    DnstapMessage = Dnstap

__all__ = ["Decoding", "DnstapMessage"]


class Decoding:
    """Decoding of payloads to messages or rows, and the counts of those that were left out.

    Args:
        condition: yield only messages that match it.
        fields: names of fields: yield rows of them, as `row_reader` gives them, and not messages.
        lenient: yield also messages without their required `type`, and those without a `message`.
    Raises: FilterError; TypeError: not a condition; ValueError, TypeError, MissingLibraryError: as row_reader.

    Attributes:
        payloads: number of payloads so far, good and bad.
        unmatched: number of messages that did not match.
        problems: payloads that do not decode, or have no message.
        reads_answered: whether the condition asks if a query was answered.
        shows_answered: whether rows have that among their fields.
    """

    def __init__(
        self, condition: str | Filter | None = None, fields: Sequence[str] | None = None, *, lenient: bool = False
    ) -> None:
        self.payloads = 0
        self.unmatched = 0
        self.problems = Problems("do not decode and were left out")
        self._lenient = lenient
        wanted = None if condition is None else as_filter(condition)
        self._matches = None if wanted is None else wanted.matches
        self._row = None if fields is None else row_maker(fields)
        self.reads_answered = wanted is not None and wanted.reads_answered
        self.shows_answered = False
        kind: type[Any] = Dnstap
        if fields is not None:
            shown = reads(fields)
            self.shows_answered = "answered" in shown
            kind = for_fields(shown if wanted is None else shown | wanted.reads)
        self._has_answered = kind is Dnstap or self.reads_answered or self.shows_answered
        self._decode: Callable[[bytes], Any] = Decoder(kind).decode
        if lenient:
            self._decode = partial(self._decode, lenient=True)

    def expect_paired(self) -> None:
        """Put into messages what payloads carry that Pairs has returned."""
        self._decode = paired_decoder(self._decode, answered=self._has_answered)

    def messages(self, payloads: list[bytes]) -> Iterator[Any]:
        """Yield the messages in payloads that decode and match, or their rows, and count the others."""
        # One at a time: with a list of all of them, the garbage collector takes 7 % of the time.
        decode, lenient, matches, row = self._decode, self._lenient, self._matches, self._row
        first = self.payloads + 1
        self.payloads += len(payloads)
        for number, payload in enumerate(payloads, first):
            try:
                message = decode(payload)
                if message.message is None and not lenient:
                    raise MissingFieldError("message", "Dnstap")
            except DecodeError as error:
                self.add_problem(number, error)
                continue
            if matches is None or matches(message):
                yield message if row is None else row(message)
            else:
                self.unmatched += 1

    def add_problem(self, number: int, error: DecodeError) -> None:
        """Count a payload that was left out."""
        self.problems.add(number, error.with_traceback(None))
