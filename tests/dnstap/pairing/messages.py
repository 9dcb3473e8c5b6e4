"""Payloads for the tests of pairing."""

from __future__ import annotations

from dnstap import Dnstap, DnstapType, Message, MessageType, SocketProtocol

__all__ = ["QUESTION", "START", "query", "response"]

START = 1_795_000_000
QUESTION = b"\3www\7example\0\0\1\0\1"


def query(at: float | None = 0.0, kind: str = "CLIENT", **changes: object) -> bytes:
    """Return the payload of a query.

    Args:
        at: seconds after START; None for a message without a time.
        changes: `identifier`, `question` (None for none) and fields of the Message.
    """
    return _payload("query", at, kind, changes)


def response(at: float | None = 0.0, kind: str = "CLIENT", **changes: object) -> bytes:
    """Return the payload of a response. Args: as of `query`."""
    return _payload("response", at, kind, changes)


def _payload(side: str, at: float | None, kind: str, changes: dict[str, object]) -> bytes:
    identifier, question = changes.pop("identifier", b"\0\1"), changes.pop("question", QUESTION)
    assert isinstance(identifier, bytes)
    assert isinstance(question, bytes | None)
    wire = identifier + bytes((1, 0, 0, question is not None, 0, 0, 0, 0, 0, 0)) + (question or b"")
    message = Message(
        MessageType[f"{kind}_{side.upper()}"],
        socket_protocol=SocketProtocol.UDP,
        query_address=b"\n\0\0\1",
        response_address=b"\n\0\0\2",
        query_port=4711,
        response_port=53,
    )
    values: dict[str, object] = {f"{side}_message": wire}
    if at is not None:
        nanoseconds = round(at * 10**9)
        values[f"{side}_time_sec"] = START + nanoseconds // 10**9
        values[f"{side}_time_nsec"] = nanoseconds % 10**9
    for name, value in (values | changes).items():
        setattr(message, name, value)
    return Dnstap(message=message, type=DnstapType.MESSAGE).encode()
