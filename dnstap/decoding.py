"""Messages of payloads for programs: bad payloads are counted and left out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dnstap.codec.learned import Decoder
from dnstap.codec.paired import paired_decoder
from dnstap.errors import DecodeError, MissingFieldError
from dnstap.filters.selecting import as_filter
from dnstap.messages import Dnstap
from dnstap.problems import Problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dnstap.filters.selecting import Filter
    from dnstap.messages import Message

    class DnstapMessage(Dnstap):
        """A Dnstap whose `message` is there. Only type checkers see this class: it is Dnstap when a program runs."""

        message: Message  # type: ignore[misc] # the fields before it have defaults, as it has in Dnstap
else:
    DnstapMessage = Dnstap

__all__ = ["Decoding", "DnstapMessage"]


class Decoding:
    """Decoding of payloads to messages, and the counts of those that were left out.

    Args:
        condition: yield only messages that match it.
        lenient: yield also messages without their required `type`, and those without a `message`.
    Raises: FilterError; TypeError: not a condition.

    Attributes:
        payloads: number of payloads so far, good and bad.
        unmatched: number of messages that did not match.
        problems: payloads that do not decode, or have no message.
        reads_answered: whether the condition asks if a query was answered.
    """

    def __init__(self, condition: str | Filter | None = None, *, lenient: bool = False) -> None:
        self.payloads = 0
        self.unmatched = 0
        self.problems = Problems("do not decode and were left out")
        self._lenient = lenient
        self._decode: Callable[[bytes], Dnstap] = Decoder(Dnstap).decode
        if lenient:
            self._decode = partial(Decoder(Dnstap).decode, lenient=True)
        wanted = None if condition is None else as_filter(condition)
        self.reads_answered = wanted is not None and wanted.reads_answered
        self._matches = None if wanted is None else wanted.matches

    def expect_paired(self) -> None:
        """Put into messages what payloads carry that Pairs has returned."""
        self._decode = paired_decoder(self._decode, answered=True)

    def messages(self, payloads: list[bytes]) -> Iterator[Dnstap]:
        """Yield the messages in payloads that decode and match, and count the others."""
        # One at a time: with a list of all of them, the garbage collector takes 7 % of the time.
        decode, lenient, matches = self._decode, self._lenient, self._matches
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
                yield message
            else:
                self.unmatched += 1

    def add_problem(self, number: int, error: DecodeError) -> None:
        """Count a payload that was left out."""
        self.problems.add(number, error.with_traceback(None))
