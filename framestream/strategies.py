"""Hypothesis strategies for Frame Streams: frames, streams and conversations, valid and invalid.

For tests of any program that reads or writes Frame Streams. docs/testing.md shows how to use them with
framestream.testing. Only this module needs Hypothesis: `pip install hypothesis`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from framestream.arguments import check_type
from framestream.control import MAX_CONTENT_TYPE_BYTES, MAX_SENT_CONTROL_BYTES, ControlFrame, ControlType
from framestream.conversations import Conversation, Turn, wire_of
from framestream.protocol import DATA, TRANSITIONS, Role, State, Transport

try:
    from hypothesis import strategies as st
    from hypothesis.strategies import SearchStrategy
except ImportError as error:
    raise ImportError("framestream.strategies needs Hypothesis: pip install hypothesis") from error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import DrawFn

__all__ = [
    "BrokenControlFrame",
    "Stream",
    "broken_control_frames",
    "chunkings",
    "content_types",
    "control_frames",
    "conversations",
    "hostile",
    "mutations",
    "payload_lists",
    "payloads",
    "refused_conversations",
    "streams",
    "unknown_control_frames",
]

MAX_BYTES = 100
"""Default for the longest payload. Short ones make tests fast, and find the same faults as longer ones."""


@dataclass(frozen=True, slots=True)
class BrokenControlFrame:
    """A control frame payload that every reader must refuse, and the reason."""

    payload: bytes
    why: str

    @property
    def wire(self) -> bytes:
        """The whole frame, with its escape sequence and length."""
        return struct.pack(">II", 0, len(self.payload)) + self.payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A complete stream as a writer sends it, and its contents for a reader that accepts any content type.

    Attributes:
        wire: its bytes, from READY or START to STOP.
        transport: bidirectional if it begins with READY.
        content_type: content type of START; None if it names none.
        payloads: payloads of the data frames.
        unknown_control_frames: number of control frames of unknown type among the data frames.
    """

    wire: bytes
    transport: Transport
    content_type: bytes | None
    payloads: tuple[bytes, ...]
    unknown_control_frames: int


def content_types() -> SearchStrategy[bytes]:
    """Generate content types of any valid length; short ones often, so that some are equal."""
    known = st.sampled_from([b"", b"a", b"b", b"protobuf:dnstap.Dnstap"])
    return known | st.binary(max_size=MAX_CONTENT_TYPE_BYTES)


def payloads(max_bytes: int = MAX_BYTES) -> SearchStrategy[bytes]:
    """Generate payloads of data frames, 1 to `max_bytes` long."""
    return st.binary(min_size=1, max_size=max_bytes)


def payload_lists(
    max_bytes: int = MAX_BYTES, max_size: int = 12, *, payloads: SearchStrategy[bytes] | None = None
) -> SearchStrategy[list[bytes]]:
    """Generate lists of payloads.

    Args:
        max_bytes: longest payload, unless there is a strategy for them.
        max_size: most payloads of a list.
        payloads: strategy for payloads; `payloads(max_bytes)` by default. Empty ones, which no data frame can have, are
            left out.
    """
    return st.lists(_payloads(payloads, max_bytes), max_size=max_size)


def unknown_control_frames() -> SearchStrategy[ControlFrame]:
    """Generate control frames of undefined types, which are to be ignored among data frames."""
    numbers = st.sampled_from([0, 6, 0xFFFFFFFF]) | st.integers(6, 0xFFFFFFFF)
    return numbers.map(ControlFrame)


def control_frames() -> SearchStrategy[ControlFrame]:
    """Generate control frames that are valid for every peer, of all types and of unknown ones."""
    several = st.lists(content_types(), max_size=4).map(tuple).filter(_fit)
    return st.one_of(
        st.builds(ControlFrame, st.sampled_from([ControlType.READY, ControlType.ACCEPT]), several),
        st.builds(ControlFrame, st.just(ControlType.START), st.lists(content_types(), max_size=1).map(tuple)),
        st.sampled_from([ControlFrame(ControlType.STOP), ControlFrame(ControlType.FINISH)]),
        unknown_control_frames(),
    )


@st.composite
def broken_control_frames(draw: DrawFn) -> BrokenControlFrame:
    """Generate control frame payloads that every reader must refuse, each with the reason."""
    kind = draw(st.sampled_from(["short", "cut", "bytes left", "field type", "long", "many"]))
    if kind == "short":
        return BrokenControlFrame(draw(st.binary(max_size=3)), "a type word needs 4 bytes")
    several = draw(st.sampled_from([ControlType.READY, ControlType.ACCEPT, ControlType.START]))
    head = struct.pack(">I", several)
    value = draw(st.binary(max_size=20))
    field = struct.pack(">II", 1, len(value)) + value
    if kind == "cut":
        return BrokenControlFrame(head + field[: draw(st.integers(1, len(field) - 1))], "the field is cut short")
    if kind == "bytes left":
        return BrokenControlFrame(head + field + draw(st.binary(min_size=1, max_size=7)), "bytes are left over")
    if kind == "field type":
        number = draw(st.integers(0, 0xFFFFFFFF).filter(lambda number: number != 1))
        return BrokenControlFrame(head + struct.pack(">I", number) + field[4:], f"{number} is not a field type")
    if kind == "long":
        size = draw(st.integers(MAX_CONTENT_TYPE_BYTES + 1, 300))
        return BrokenControlFrame(
            head + struct.pack(">II", 1, size) + bytes(size), f"a content type of {size} bytes is over the limit"
        )
    few, most = draw(st.sampled_from([(ControlType.START, 1), (ControlType.STOP, 0), (ControlType.FINISH, 0)]))
    count = draw(st.integers(most + 1, 3))
    return BrokenControlFrame(struct.pack(">I", few) + count * field, f"{few.name} has at most {most} content types")


def streams(
    max_bytes: int = MAX_BYTES, *, content_type: bytes | None = None, payloads: SearchStrategy[bytes] | None = None
) -> SearchStrategy[Stream]:
    """Generate complete streams that are valid for every reader that accepts their content type, or any.

    Args:
        max_bytes: longest payload, unless there is a strategy for them.
        content_type: content type of all streams; by default they have any, or none.
        payloads: strategy for payloads, as for `payload_lists`.
    """
    return _streams(_one_name(content_type), _payloads(payloads, max_bytes))


@st.composite
def _streams(draw: DrawFn, name: SearchStrategy[bytes] | None, payloads: SearchStrategy[bytes]) -> Stream:
    sent = draw(st.lists(payloads | unknown_control_frames(), max_size=12))
    named = draw(st.lists(content_types(), max_size=1).map(tuple) if name is None else st.tuples(name))
    transport = draw(st.sampled_from(Transport))
    frames: list[bytes | ControlFrame] = [ControlFrame(ControlType.START, named), *sent, ControlFrame(ControlType.STOP)]
    if transport is Transport.BIDIRECTIONAL:
        frames.insert(0, ControlFrame(ControlType.READY, (*named, b"other")))
    found = tuple(frame for frame in sent if isinstance(frame, bytes))
    return Stream(
        wire=b"".join(map(wire_of, frames)),
        transport=transport,
        content_type=named[0] if named else None,
        payloads=found,
        unknown_control_frames=len(sent) - len(found),
    )


@st.composite
def chunkings(draw: DrawFn, data: bytes) -> list[bytes]:
    """Generate ways to cut bytes into chunks: one, single bytes, equal chunks, or any, including empty ones."""
    size = draw(st.sampled_from([None, len(data) or 1, 1, 2, 3, 5]))
    if size is not None:
        return [data[start : start + size] for start in range(0, len(data), size)]
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@st.composite
def mutations(draw: DrawFn, data: bytes) -> bytes:
    """Generate variants of the bytes with some of them changed, removed, doubled or cut off."""
    mutated = bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(mutated)))
        end = min(len(mutated), start + draw(st.integers(0, 8)))
        mutated[start:end] = draw(st.one_of(st.binary(max_size=4), st.just(2 * mutated[start:end])))
    return bytes(mutated)


def hostile(max_bytes: int = MAX_BYTES) -> SearchStrategy[bytes]:
    """Generate bytes that resemble a stream, with many lengths around `max_bytes`, the limit of the reader."""
    near = [0, 1, 2, 3, 4, 5, 6, 12, max_bytes, max_bytes + 1, 255, 256, 257, 512, 513, 0x7FFFFFFF, 0xFFFFFFFF]
    parts = st.one_of(
        st.sampled_from(near).map(struct.Struct(">I").pack),
        st.binary(max_size=8),
        payloads(max_bytes).map(wire_of),
        control_frames().map(wire_of),
        broken_control_frames().map(lambda broken: broken.wire),
        st.sampled_from([wire_of(ControlFrame(kind)) for kind in ControlType]),
        st.sampled_from([wire_of(ControlFrame(kind, (b"a",))) for kind in ControlType]),
    )
    return st.lists(parts, max_size=12).map(b"".join)


def conversations(
    *,
    content_type: bytes | None = None,
    names: SearchStrategy[bytes] | None = None,
    payloads: SearchStrategy[bytes] | None = None,
    transports: Sequence[Transport] = tuple(Transport),
    max_bytes: int = MAX_BYTES,
) -> SearchStrategy[Conversation]:
    """Generate valid conversations, for a writer that offers `offered` or a reader that accepts `accepted`.

    Both ends prefer the same one of the content types that both have, so that a peer may name only that, or all.

    Args:
        content_type: the only content type that both ends have, as in programs that know one.
        names: strategy for content types otherwise, of which each end has several, one or none; `content_types()` by
            default.
        payloads: strategy for payloads, as for `payload_lists`.
        transports: kinds of stream to choose from.
        max_bytes: longest payload, unless there is a strategy for them.
    Raises: TypeError; ValueError: both `content_type` and `names`, or no transports.
    """
    return _conversations(
        _names(content_type, names), _payloads(payloads, max_bytes), _transports(transports), content_type is not None
    )


def refused_conversations(
    refused_by: Role,
    *,
    content_type: bytes | None = None,
    names: SearchStrategy[bytes] | None = None,
    payloads: SearchStrategy[bytes] | None = None,
    transports: Sequence[Transport] = tuple(Transport),
    max_bytes: int = MAX_BYTES,
) -> SearchStrategy[Conversation]:
    """Generate conversations that end with a fault of one end, which the other end, `refused_by`, must refuse.

    Faults are a frame out of order, a content type that was not offered or accepted, a broken control frame, a length
    of 4 GiB, bytes that are not a frame, and a frame that is cut short.

    Args:
        refused_by: the end under test. Only bidirectional conversations are made for a writer, as it receives nothing
            in others.
        content_type, names, payloads, transports, max_bytes: as for `conversations`.
    Raises: as conversations.
    """
    check_type("refused_by", refused_by, Role, "a Role")
    chosen = _transports(transports) if refused_by is Role.READER else [Transport.BIDIRECTIONAL]
    good = conversations(
        content_type=content_type, names=names, payloads=payloads, transports=chosen, max_bytes=max_bytes
    )
    return good.flatmap(lambda conversation: _refused(conversation, refused_by))


def _payloads(given: SearchStrategy[bytes] | None, max_bytes: int) -> SearchStrategy[bytes]:
    if given is None:
        return payloads(max_bytes)
    check_type("payloads", given, SearchStrategy, "a strategy")
    return given.filter(bool)


def _one_name(content_type: bytes | None) -> SearchStrategy[bytes] | None:
    if content_type is None:
        return None
    check_type("content_type", content_type, bytes, "bytes")
    return st.just(content_type)


def _names(content_type: bytes | None, names: SearchStrategy[bytes] | None) -> SearchStrategy[bytes]:
    only = _one_name(content_type)
    if names is None:
        return content_types() if only is None else only
    check_type("names", names, SearchStrategy, "a strategy")
    if only is not None:
        raise ValueError("names: expected none beside content_type")
    return names


def _transports(transports: Sequence[Transport]) -> Sequence[Transport]:
    check_type("transports", transports, (tuple, list), "a list of Transports")
    for transport in transports:
        check_type("transports", transport, Transport, "a list of Transports")
    if not transports:
        raise ValueError("transports: expected at least one")
    return transports


@st.composite
def _conversations(
    draw: DrawFn,
    names: SearchStrategy[bytes],
    payloads: SearchStrategy[bytes],
    transports: Sequence[Transport],
    one_name: bool,
) -> Conversation:
    offered = draw(st.lists(names, min_size=one_name, max_size=4, unique=True).filter(_fit))
    accepted: list[bytes] = []
    if one_name or draw(st.booleans()):
        first = offered[:1] or draw(st.lists(names, max_size=1))
        others = st.lists(st.sampled_from([*offered, *first]) | names if first else names, max_size=3)
        accepted = draw(others.map(lambda others: list(dict.fromkeys([*first, *others]))).filter(_fit))
    good = Conversation.of(
        draw(payload_lists(payloads=payloads)),
        offered=offered,
        accepted=accepted,
        transport=draw(st.sampled_from(transports)),
    )
    return replace(good, turns=tuple(_cut(draw, turn) for turn in good.turns))


@st.composite
def _refused(draw: DrawFn, good: Conversation, refused_by: Role) -> Conversation:
    """Generate variants of a valid conversation that end with a fault."""
    turns = [number for number, turn in enumerate(good.turns) if turn.sender is not refused_by]
    number = draw(st.sampled_from(turns))
    turn = good.turns[number]
    kept = turn.frames[: draw(st.just(0) | st.integers(0, len(turn.frames) - 1))]
    state = _state(good, number, kept)
    missing = wire_of(turn.frames[len(kept)])
    cut = draw(st.sampled_from([False, False, False, True]))
    if cut:
        fault, wire = "a frame cut short", missing[: draw(st.integers(1, len(missing) - 1))]
    else:
        fault, wire = _fault(draw, good, turn.sender, state)
    whole = b"".join(map(wire_of, kept)) + wire
    turns_sent = (*good.turns[:number], Turn(turn.sender, kept, tuple(draw(chunkings(whole)))))
    return replace(
        good,
        payloads=tuple(frame for turn in turns_sent for frame in turn.frames if isinstance(frame, bytes)),
        turns=turns_sent,
        fault=f"{fault} in state {state.name}",
        hangs_up=cut,
    )


def _fit(names: Sequence[bytes]) -> bool:
    """Return whether they all fit into one control frame that every peer accepts."""
    return 4 + sum(8 + len(name) for name in names) <= MAX_SENT_CONTROL_BYTES


def _cut(draw: DrawFn, turn: Turn) -> Turn:
    return replace(turn, chunks=tuple(draw(chunkings(b"".join(turn.chunks)))))


def _state(conversation: Conversation, number: int, kept: Sequence[bytes | ControlFrame]) -> State:
    """Return the state after the turns before that number, and the kept frames of that turn."""
    state = State.IDLE
    for sender, frames in [
        *((turn.sender, turn.frames) for turn in conversation.turns[:number]),
        (conversation.turns[number].sender, kept),
    ]:
        for frame in frames:
            kind = DATA if isinstance(frame, bytes) else ControlType(frame.type)
            state = TRANSITIONS[conversation.transport, state, sender, kind]
    return state


def _fault(draw: DrawFn, conversation: Conversation, sender: Role, state: State) -> tuple[str, bytes]:
    """Draw something that a sender must not send in a state, as its description and bytes."""
    # A reader learns the transport from the first frame, which is valid if it is valid in either.
    allowed = {
        frame
        for transport, before, end, frame in TRANSITIONS
        if (before, end) == (state, sender) and (state is State.IDLE or transport is conversation.transport)
    }
    faults = [[(kind.name, wire_of(ControlFrame(kind))) for kind in ControlType if kind not in allowed]]
    broken = draw(broken_control_frames())
    never = [
        (f"a control frame that is broken ({broken.why})", broken.wire),
        ("a control frame of 4 GiB", struct.pack(">II", 0, 0xFFFFFFFF)),
        ("a data frame of 4 GiB", struct.pack(">I", 0xFFFFFFFF)),
    ]
    faults.append(never)
    if DATA not in allowed:
        never.append(("a data frame", wire_of(draw(payloads()))))
        never.append(("a control frame of unknown type", wire_of(draw(unknown_control_frames()))))
        never.append(("HTTP", b"GET / HTTP/1.1\r\n\r\n"))
        # An end that accepts any content type cannot be sent a wrong one.
        wanted = conversation.accepted if sender is Role.WRITER else conversation.offered
        named = allowed & {ControlType.READY, ControlType.ACCEPT, ControlType.START}
        if wanted and named:
            other = draw(st.binary(max_size=8).filter(lambda name: name not in wanted))
            faults.append(
                [
                    (f"{kind.name} of another content type", wire_of(ControlFrame(kind, (other,))))
                    for kind in ControlType
                    if kind in named
                ]
            )
    return draw(st.sampled_from(draw(st.sampled_from(faults))))
