"""Payloads that carry what pairing has found out about them, and decoders that put it into their messages.

The bytes of such a payload are those that were received, so that recordings and relays need not know of pairing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PairedPayload", "carry_over", "paired_decoder"]


class PairedPayload(bytes):
    """The payload of a query or response, with what is known by its counterpart.

    Attributes:
        query_time: of a response, seconds since 1970 UTC and nanoseconds of its query; None if there is nothing to add.
        answered: of a query, whether a response was seen; None if that is not known.
    """

    query_time: tuple[int, int | None] | None = None
    answered: bool | None = None


def paired_decoder(decode: Callable[..., Any], *, answered: bool) -> Callable[..., Any]:
    """Return a function that decodes payloads as another does, and puts in what pairing knows.

    Args: answered: whether its messages have room for `answered`.
    """

    def decode_paired(payload: bytes) -> Any:
        dnstap = decode(payload)
        if payload.__class__ is PairedPayload:
            if payload.query_time is not None:
                # Only messages that have a Message are paired.
                message = dnstap.message
                message.query_time_sec, message.query_time_nsec = payload.query_time
            elif answered:
                dnstap.answered = payload.answered
        return dnstap

    return decode_paired


def carry_over(payload: bytes, changed: bytes) -> bytes:
    """Return a payload that was made of another, with what is known of that."""
    if not isinstance(payload, PairedPayload):
        return changed
    carrying = PairedPayload(changed)
    carrying.query_time = payload.query_time
    carrying.answered = payload.answered
    return carrying
