"""The encoder: the same bytes as Google's serializer, and errors that name the field."""

from __future__ import annotations

import contextlib
import inspect
import textwrap
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dnstap import Dnstap, DnstapType, EncodeError, HttpProtocol, Message, MessageType, Policy, PolicyAction
from dnstap.codec import encode, encoder_of
from dnstap.codec.encoder import MessageEncoder, values_of
from dnstap.codec.tables import table_of
from dnstap.strategies import WireField, fields_of
from framestream import TruncatedStreamError, read_file
from tests.golden import assert_golden
from tests.judge import google
from tests.threads import start
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).parents[2] / "data"
MESSAGE = DnstapType.MESSAGE


def full(**changes: Any) -> Dnstap:
    """Return a message with all fields, each with a value of its own."""
    fields: dict[str, Any] = {
        "type": MessageType.CLIENT_RESPONSE,
        "socket_family": 2,
        "socket_protocol": 7,
        "query_address": b"\x20\x01" + bytes(14),
        "response_address": b"",
        "query_port": 65535,
        "response_port": 0,
        "query_time_sec": 2**64 - 1,
        "query_time_nsec": 2**32 - 1,
        "query_message": b"q" * 300,
        "query_zone": b"\0",
        "response_time_sec": 127,
        "response_time_nsec": 0,
        "response_message": b"r" * 20000,
        "policy": Policy(type="RPZ é", rule=b"\0", action=PolicyAction.DROP, match=None, value=b""),
        "http_protocol": HttpProtocol.HTTP3,
    }
    return Dnstap(identity=b"id", version=b"", extra=b"x", type=MESSAGE, message=Message(**(fields | changes)))


def test_as_google_writes_it() -> None:
    ours = full()
    theirs: Any = google("Dnstap")()
    theirs.identity, theirs.version, theirs.extra, theirs.type = b"id", b"", b"x", 1
    assert ours.message is not None
    for name in ours.message._names():
        if name != "policy":
            setattr(theirs.message, name, getattr(ours.message, name))
    theirs.message.policy.type = "RPZ é"
    theirs.message.policy.rule, theirs.message.policy.action, theirs.message.policy.value = b"\0", 4, b""
    assert bytes(ours) == theirs.SerializeToString()
    assert Dnstap.parse(bytes(ours)) == ours


@pytest.mark.parametrize("wrap", [bytearray, memoryview])
def test_other_buffers(wrap: type[Any]) -> None:
    assert bytes(Dnstap(identity=wrap(b"a"), type=MESSAGE)) == bytes(Dnstap(identity=b"a", type=MESSAGE))


@pytest.mark.parametrize("number", [0, 15, 128, 2**31 - 1, -1, -(2**31)])
def test_enum_numbers_without_a_name(number: int) -> None:
    message = Message(type=MessageType(number))
    assert Message.parse(bytes(message)) == message
    assert bytes(Message(type=number)) == bytes(message)  # type: ignore[arg-type]


def test_text_that_is_no_utf8_comes_out_as_it_came() -> None:
    encoded = bytes.fromhex("0a02fffe")
    assert bytes(Policy.parse(encoded)) == encoded


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"query_port": 70_000_000_000}, "message.query_port: 70000000000 does not fit in uint32, 0 to 4294967295"),
        ({"query_port": -1}, "message.query_port: -1 does not fit in uint32, 0 to 4294967295"),
        (
            {"query_time_sec": 1 << 64},
            f"message.query_time_sec: {1 << 64} does not fit in uint64, 0 to {(1 << 64) - 1}",
        ),
        ({"query_time_nsec": 1 << 32}, "message.query_time_nsec: 4294967296 does not fit in fixed32, 0 to 4294967295"),
        ({"type": 1 << 31}, "message.type: 2147483648 does not fit in enum, -2147483648 to 2147483647"),
        ({"type": "CLIENT_QUERY"}, "message.type: 'CLIENT_QUERY' is str; MessageType expected"),
        ({"type": None}, "message.type: is required, but None; MessageType expected"),
        ({"query_port": "53"}, "message.query_port: '53' is str; int expected"),
        ({"query_port": 53.0}, "message.query_port: 53.0 is float; int expected"),
        ({"query_address": "127.0.0.1"}, "message.query_address: '127.0.0.1' is str; bytes expected"),
        ({"query_address": 4}, "message.query_address: 4 is int; bytes expected"),
        ({"policy": Message()}, "message.policy: Message() is Message; Policy expected"),
        ({"policy": Policy(type=b"RPZ")}, "message.policy.type: b'RPZ' is bytes; str expected"),  # type: ignore[arg-type]
        ({"policy": Policy(type="\ud800")}, "message.policy.type: '\\ud800' has no UTF-8: surrogates not allowed"),
        ({"query_message": ["x" * 100]}, f"message.query_message: ['{'x' * 58} is list; bytes expected"),
    ],
)
def test_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(EncodeError) as caught:
        bytes(full(**changes))
    assert str(caught.value) == text
    assert caught.value.field == text.partition(":")[0]


def test_missing_type() -> None:
    with pytest.raises(EncodeError) as caught:
        bytes(Dnstap())
    assert str(caught.value) == "type: is required, but None; DnstapType expected"
    assert encode(Dnstap(identity=b"a", message=Message()), lenient=True) == bytes.fromhex("0a0161 7200")
    assert Dnstap(message=Message(query_port=1)).encode(lenient=True) == bytes.fromhex("72023001")


def again(message: Any) -> bytes:
    """Return the bytes of the fast path, which the careful one has prepared."""
    first: bytes = message.encode()
    assert message.encode() == first
    return first


LOOKED_UP: dict[str, list[Any]] = {
    "query_port": [1, 127, 128, 16383, 16384, 65535, 65536, 2**32 - 1],
    "query_time_sec": [1, 2**35, 2**64 - 1],
    "query_time_nsec": [1, 2**32 - 1],
    "type": [MessageType.AUTH_QUERY, MessageType(300), MessageType(-1)],
    "http_protocol": [HttpProtocol.HTTP1, HttpProtocol(300), None],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in LOOKED_UP.items() for value in values])
def test_numbers_that_are_looked_up(name: str, value: Any) -> None:
    fields: dict[str, Any] = {"type": MessageType.AUTH_QUERY, name: value}
    message = Message(**fields)
    assert Message.parse(again(message)) == message
    if type(value) is int:
        dnstap: Any = google("Dnstap")()
        theirs = dnstap.message
        theirs.type = 1
        setattr(theirs, name, value)
        assert theirs.SerializeToString() == again(message)


@pytest.mark.parametrize("name", ["query_port", "query_time_sec", "query_time_nsec", "type", "http_protocol"])
@pytest.mark.parametrize("number", [1, 300])
def test_a_float_is_not_found_among_the_numbers(name: str, number: int) -> None:
    fields: dict[str, Any] = {"type": MessageType.AUTH_QUERY, name: number}
    again(Message(**fields))
    fields[name] = float(number)
    with pytest.raises(EncodeError, match=f"^{name}: {number}.0 is float; "):
        Message(**fields).encode()


def test_true_is_1() -> None:
    message = Message(type=MessageType.AUTH_QUERY, query_port=True, query_time_sec=True, query_time_nsec=True)
    same = Message(type=MessageType.AUTH_QUERY, query_port=1, query_time_sec=1, query_time_nsec=1)
    assert again(message) == again(same) == again(message)


def test_errors_after_messages_that_are_good() -> None:
    for field, value in ("query_port", 2**32), ("query_address", "::1"), ("query_message", [1]), ("policy", Message()):
        again(full())
        with pytest.raises(EncodeError, match=f"^message.{field}: "):
            full(**{field: value}).encode()
        again(full())
    wrong: dict[str, Any] = {"message": Policy(), "identity": "x", "extra": 1, "type": 1.0}
    for field, value in wrong.items():
        with pytest.raises(EncodeError, match=f"^{field}: "):
            Dnstap(**{"type": MESSAGE, field: value}).encode()


def test_what_is_lenient_is_not_remembered() -> None:
    again(full())
    messages: list[Any] = [Message(), Dnstap(), Dnstap(type=MESSAGE, message=Message())]
    for message in messages:
        message.encode(lenient=True)
        message.encode(lenient=True)
        with pytest.raises(EncodeError, match="type: is required"):
            message.encode()


@pytest.mark.parametrize("wrap", [bytearray, memoryview])
def test_other_buffers_after_bytes(wrap: type[Any]) -> None:
    plain = full(query_address=b"1234", query_message=b"q")
    other = full(query_address=wrap(b"1234"), query_message=wrap(b"q"))
    other.version = wrap(b"")
    assert again(plain) == again(other) == again(plain)


def test_what_is_remembered_has_a_limit() -> None:
    ours = MessageEncoder(table_of(Message), max_entries=2)
    for number in [*range(5), 4, 3]:
        message = Message(type=MessageType(number), query_time_sec=number, query_message=bytes(number))
        assert Message.parse(ours.encode(message)) == message
        assert ours.encode(message) == ours.encode_values(ours.values(message)) == message.encode()
    remembered = [*ours._numbers.values(), *(known for _, known in ours._runs.values())]
    assert max(map(len, remembered)) == 2


def test_a_class_made_of_ours() -> None:
    class Mine(Dnstap):
        pass

    class MyMessage(Message):
        pass

    ours = full()
    assert ours.message is not None
    mine = Mine(ours.identity, ours.version, ours.extra, MyMessage(*ours.message._values()), ours.type)
    assert again(mine) == again(ours) == again(mine)


def test_threads() -> None:
    """Entries are forgotten all the time by one thread while others look them up."""
    encode = MessageEncoder(table_of(Message), max_entries=3).encode
    messages = [full(query_time_sec=number).message for number in range(200)]
    payloads = [message.encode() for message in messages if message]
    wrong: list[int] = []

    def work() -> None:
        wrong.extend(n for _ in range(5) for n in range(200) if encode(messages[n]) != payloads[n])

    for working in [start(work) for _ in range(4)]:
        working.result(DEADLINE_S)
    assert wrong == []


def test_threads_share_one_encoder() -> None:
    """One of two would learn nothing, since the careful path adds to the other."""

    class Mine(Policy):
        """A class without an encoder."""

    barrier = threading.Barrier(4)
    encoders = []

    def work() -> None:
        barrier.wait(DEADLINE_S)
        encoders.append(encoder_of(Mine))

    for working in [start(work) for _ in range(4)]:
        working.result(DEADLINE_S)
    assert set(encoders) == {encoder_of(Mine)}


@pytest.mark.parametrize("cls", [Policy, Dnstap])
def test_generated_source(cls: type[Any]) -> None:
    assert_golden(f"{cls.__name__}.encode", inspect.getsource(encoder_of(cls)))


def test_generated_source_of_values() -> None:
    assert_golden("Policy.encode_values", inspect.getsource(values_of(Policy)[1]))


def test_docstring_quotes_the_generated_source() -> None:
    quoted = textwrap.indent(inspect.getsource(encoder_of(Policy)), "    ")
    assert quoted in inspect.cleandoc(MessageEncoder.__doc__ or "")


@pytest.mark.parametrize(
    "message",
    [
        Message(type=MessageType.CLIENT_QUERY, query_port="53"),  # type: ignore[arg-type]
        Message(type=MessageType.CLIENT_QUERY, query_port=-1),
        Message(type=MessageType.CLIENT_QUERY, policy=Policy(type="\ud800")),
        Message(),
    ],
    ids=repr,
)
@pytest.mark.parametrize(
    "encode", [Message.encode, lambda message: values_of(Message)[1](values_of(Message)[0](message))]
)
def test_traceback_is_of_one_error(message: Message, encode: Callable[[Message], bytes]) -> None:
    with pytest.raises(EncodeError) as caught:
        encode(message)
    text = "".join(traceback.format_exception(caught.value))
    assert text.count("Traceback") == 1
    assert "KeyError" not in text
    assert "return careful(" in text


def in_order(fields: tuple[WireField, ...]) -> bool:
    """Return whether fields ascend by number, and those in them."""
    numbers = [field.number for field in fields]
    inner = [field.value for field in fields if isinstance(field.value, tuple)]
    return numbers == sorted(numbers) and all(map(in_order, inner))


@pytest.mark.parametrize("path", sorted(DATA.glob("*.fstrm")), ids=lambda path: path.stem)
def test_captures_come_out_as_they_came(path: Path) -> None:
    """A server that writes in the order of the numbers gets the same bytes, any other an equal message."""
    ordered = []
    with read_file(path) as reader, contextlib.suppress(TruncatedStreamError):  # one is cut off, on purpose
        for payload in reader:
            message = Dnstap.parse(payload)
            encoded = again(message)
            assert Dnstap.parse(encoded) == message
            assert len(encoded) == len(payload)
            ordered.append(in_order(fields_of(payload)))
            assert (encoded == payload) is ordered[-1]
    assert ordered
