"""The Filter class, which selects the payloads and messages that match an expression."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dnstap.codec.learned import Decoder
from dnstap.codec.paired import paired_decoder
from dnstap.codec.projections import for_fields
from dnstap.errors import DnstapError
from dnstap.filters.compiling import compile_tree
from dnstap.filters.grammar import AllOf, fields_of, parse_expression
from dnstap.peer import CurrentPeer
from dnstap.problems import Problems
from framestream.arguments import check_type, refuse_type

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dnstap.messages import Dnstap

__all__ = ["Filter", "as_filter", "compile_filter"]


class Filter:
    """A compiled expression, which matches messages and selects payloads. It is not thread-safe.

    Args:
        text: an expression, or a list of expressions that must all match; docs/filters.md has the grammar.
        time_zone: of times that are written without a zone: "utc", "local" (set by TZ), or a name.
        now_ns: the time that relative times such as -1h count from, in nanoseconds since 1970; None for the present.
        files: whether the expression may name files with @; False for expressions that others write.
    Raises: FilterError; OSError: a file that it names cannot be read; ValueError: unknown time zone; TypeError;
        MissingLibraryError: a field needs a library that is not installed.

    Attributes:
        text: the expression.
        payloads: number of payloads given to `select`.
        matched: number of payloads that it returned.
        problems: payloads that did not decode, and therefore did not match.
        peer: the sender of what is given to `matches` and `select` next, which a Collector sets; none at first.
        reads: attributes of a Dnstap and its Message that the expression reads, beside their types.
        reads_peer: whether the expression asks for the sender.
        reads_answered: whether the expression asks if a query was answered.
    """

    def __init__(
        self,
        text: str | Sequence[str],
        time_zone: str = "utc",
        *,
        now_ns: int | None = None,
        files: bool = True,
    ) -> None:
        expressions = [text] if isinstance(text, str) else text
        check_type("text", expressions, (list, tuple), "text, or a list of texts")
        for expression in expressions:
            check_type("text", expression, str, "text, or a list of texts")
        if not expressions:
            raise ValueError("text: expected an expression, got none")
        check_type("now_ns", now_ns, (int, type(None)), "nanoseconds since 1970, or None")
        check_type("files", files, bool, "True or False")
        # A line feed ends a comment.
        joined = " and ".join([f"({expression}\n)" for expression in expressions])
        self.text = expressions[0] if len(expressions) == 1 else joined
        self.payloads = 0
        self.matched = 0
        self.problems = Problems("cannot be matched")
        self.peer = CurrentPeer()
        trees = [parse_expression(expression, files=files) for expression in expressions]
        tree = trees[0] if len(trees) == 1 else AllOf(tuple(trees))
        self.reads_peer = "peer" in fields_of(tree)
        self.reads_answered = "answered" in fields_of(tree)
        self._matches, self.reads = compile_tree(
            tree, time_zone, self.peer, time.time_ns() if now_ns is None else now_ns
        )
        self._decode: Callable[[bytes], Dnstap] = Decoder(for_fields(self.reads)).decode

    def matches(self, message: Dnstap) -> bool:
        """Return whether a message matches, whatever is in it.

        Raises: TypeError: not a Dnstap.
        """
        try:
            return self._matches(message)
        except AttributeError:
            refuse_type("message", "a Dnstap, as Dnstap.parse returns it", message)

    def select(self, payloads: list[bytes]) -> list[bytes]:
        """Return the payloads that match, in their order.

        Only the fields that the expression reads are decoded; the rest of each payload is checked, not stored.

        Raises: TypeError: not a list of bytes.
        """
        check_type("payloads", payloads, (list, tuple), "a list of bytes")
        matches, decode = self._matches, self._decode
        try:
            selected = [payload for payload in payloads if matches(decode(payload))]
        except DnstapError:
            # Start again, one payload at a time: the loop above is faster without a call and a try for each.
            selected = [
                payload
                for number, payload in enumerate(payloads, self.payloads + 1)
                if self._matches_payload(number, payload)
            ]
        self.payloads += len(payloads)
        self.matched += len(selected)
        return selected

    def expect_paired(self) -> None:
        """Have `select` read what payloads carry that Pairs has returned."""
        self._decode = paired_decoder(self._decode, answered=self.reads_answered)

    @property
    def bad(self) -> int:
        """Number of payloads that did not decode, and therefore did not match."""
        return self.problems.count

    @property
    def first_bad(self) -> tuple[int, DnstapError] | None:
        """Number of the first such payload, counted from 1, and its error."""
        return self.problems.first

    def _matches_payload(self, number: int, payload: bytes) -> bool:
        try:
            return self._matches(self._decode(payload))
        except DnstapError as error:
            self.problems.add(number, error)
            return False


def compile_filter(
    text: str | Sequence[str],
    time_zone: str = "utc",
    *,
    now_ns: int | None = None,
    files: bool = True,
) -> Filter:
    """Compile an expression such as `type = CQ and qname under example.org`.

    Args:
        text: an expression, or a list of expressions that must all match.
        time_zone: of times that are written without a zone: "utc", "local" (set by TZ), or a name.
        now_ns: the time that relative times such as -1h count from, in nanoseconds since 1970; None for the present.
        files: whether the expression may name files with @; False for expressions that others write.
    Raises:
        FilterError: the expression, or a file that it names, is wrong; the text of the error shows where.
        OSError: a file that it names cannot be read.
        ValueError: unknown time zone.
        MissingLibraryError: a field needs a library that is not installed.
    """
    return Filter(text, time_zone, now_ns=now_ns, files=files)


def as_filter(condition: str | Filter) -> Filter:
    """Return a Filter as it is, and compile an expression.

    Raises: FilterError; TypeError: neither, named as the argument `filter`.
    """
    check_type("filter", condition, (str, Filter), "an expression, or a Filter of compile_filter")
    return Filter(condition) if isinstance(condition, str) else condition
