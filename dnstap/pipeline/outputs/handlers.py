"""Handlers: functions of programs that are called with each batch of messages or payloads, and with its source."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import TYPE_CHECKING, Any, TypeAlias

from dnstap.codec.learned import Decoder
from dnstap.codec.projections import for_fields
from dnstap.decoding import Decoding, DnstapMessage
from dnstap.errors import DecodeError
from dnstap.pipeline.outputs.called import CalledOutput, name_of
from dnstap.pipeline.sources import Source
from framestream.arguments import check_callable, refuse_type

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Iterator

__all__ = ["MessageHandler", "MessageOutput", "PayloadHandler", "PayloadOutput", "check_handler"]

MessageHandler: TypeAlias = Callable[[list[DnstapMessage], Source], object]
PayloadHandler: TypeAlias = Callable[[list[bytes], Source], object]


class HandlerOutput(CalledOutput):
    """Common base of outputs that call a handler.

    Args:
        argument: name of the argument that has the handler, for errors.
        batch: what the handler is called with, for errors.
    """

    uses_source = True

    def __init__(self, handler: Callable[[Any, Source], object], argument: str, batch: str) -> None:
        check_handler(argument, handler, batch)
        super().__init__(name_of(handler))
        self._handler = handler
        self._source = Source("", file=True)

    def set_source(self, source: Source) -> None:
        self._source = source

    def _call(self, batch: list[Any], identities: Iterable[bytes | None]) -> Awaitable[object] | None:
        identity = next((identity for identity in identities if identity is not None), None)
        return self._count(self._handler(batch, self._source._replace(identity=identity)), len(batch))


class MessageOutput(HandlerOutput):
    """An output that calls a handler with messages; payloads that do not decode are counted and left out."""

    def __init__(self, handler: MessageHandler) -> None:
        super().__init__(handler, "outputs", "messages")
        self._decoding = Decoding()

    def expect_paired(self) -> None:
        self._decoding.expect_paired()

    @property
    def rejected(self) -> int:
        return self._decoding.problems.count

    def write_many(self, payloads: list[bytes], /) -> Awaitable[object] | None:
        messages = list(self._decoding.messages(payloads))
        # A handler is never called with nothing.
        return self._call(messages, (message.identity for message in messages)) if messages else None

    def new_reports(self) -> Iterable[str]:
        return self._decoding.problems.new_reports(self._decoding.payloads)


class PayloadOutput(HandlerOutput):
    """An output that calls a handler with payloads, whatever they are."""

    def __init__(self, handler: PayloadHandler) -> None:
        super().__init__(handler, "payloads", "payloads")
        self._decode = Decoder(for_fields(frozenset(["identity"]))).decode

    def write_many(self, payloads: list[bytes], /) -> Awaitable[object] | None:
        return self._call(payloads, self._identities(payloads))

    def _identities(self, payloads: list[bytes]) -> Iterator[bytes | None]:
        # Mostly the first payload has one, and no other is decoded.
        for payload in payloads:
            try:
                yield self._decode(payload).identity
            except DecodeError:
                continue


def check_handler(argument: str, handler: Callable[[Any, Source], object], batch: str) -> None:
    """Check that a handler can be called with a batch and its source.

    Raises: TypeError.
    """
    expected = f"a function of {batch} and their source"
    check_callable(argument, handler, expected)
    try:
        signature(handler).bind((), ())
    except TypeError as error:
        refuse_type(argument, f"{expected} ({error})", handler)
    except ValueError:  # Some functions written in C do not tell.
        pass
