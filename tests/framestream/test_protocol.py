"""framestream.protocol: both ends of the handshake, without I/O."""

import time
import traceback
from collections.abc import Callable
from functools import partial

import pytest

from framestream.control import ControlType
from framestream.errors import (
    ContentTypeError,
    ControlFrameError,
    FrameTooLargeError,
    LocalProtocolError,
    RemoteProtocolError,
    TruncatedStreamError,
    UnexpectedFrameError,
)
from framestream.frames import MAX_DATA_BYTES, EncodedFrames
from framestream.protocol import (
    TRANSITIONS,
    ReaderProtocol,
    Role,
    State,
    Transport,
    WriterProtocol,
    checked_content_types,
)
from tests.framestream.wire import (
    ACCEPT,
    DNSTAP,
    FINISH,
    READY,
    START,
    STOP,
    control,
    data,
    decode,
    read,
    singly,
    word,
    write,
)
from tests.wait import DEADLINE_S

ANY_READY, ANY_ACCEPT, ANY_START = control(4), control(1), control(2)

dnstap_reader = partial(ReaderProtocol, [DNSTAP])
unidirectional_reader = partial(ReaderProtocol, transport=Transport.UNIDIRECTIONAL)
bidirectional_reader = partial(ReaderProtocol, transport=Transport.BIDIRECTIONAL)
file_reader = partial(ReaderProtocol, transport=Transport.UNIDIRECTIONAL, require_stop=True)
small_reader = partial(ReaderProtocol, max_data_bytes=4)
skipping_reader = partial(ReaderProtocol, max_data_bytes=4, oversize="skip")

dnstap_writer = partial(WriterProtocol, [DNSTAP])
file_writer = partial(WriterProtocol, [DNSTAP], transport=Transport.UNIDIRECTIONAL)


class TestTable:
    def test_one_sender_a_state(self) -> None:
        """In no state may both ends send, so neither has to guess which was first."""
        for transport in Transport:
            for state in State:
                assert len({sender for t, s, sender, _ in TRANSITIONS if (t, s) == (transport, state)}) <= 1

    def test_finished_is_the_only_end(self) -> None:
        for transport in Transport:
            reached = {state for (t, *_), state in TRANSITIONS.items() if t is transport}
            left = {state for t, state, *_ in TRANSITIONS if t is transport}
            assert reached - left == {State.FINISHED}
            assert left - reached == {State.IDLE}

    def test_the_first_control_frame_tells_the_transport(self) -> None:
        first = {frame: transport for transport, state, _, frame in TRANSITIONS if state is State.IDLE}
        assert first == {ControlType.READY: Transport.BIDIRECTIONAL, ControlType.START: Transport.UNIDIRECTIONAL}


def read_joined(wire: bytes, size: int, *, encoded: bool) -> RemoteProtocolError:
    """Read joined files in pieces of this size, and return their fault."""
    reader = ReaderProtocol(joined=True, max_data_bytes=100)
    try:
        for start in range(0, len(wire), size):
            reader.receive_data(wire[start : start + size])
            while reader.encoded() if encoded else reader.payloads():
                pass
            if reader.state is State.FINISHED:
                reader.next_stream()
                reader.payloads()
    except RemoteProtocolError as error:
        return error
    raise AssertionError("there is no fault")


class TestReader:
    def test_unidirectional_stream(self) -> None:
        outcome = read(START + data(b"a", b"b") + STOP)
        assert outcome.payloads == [b"a", b"b"]
        assert outcome.sent == b""
        assert (outcome.state, outcome.content_type, outcome.unread) == (State.FINISHED, DNSTAP, 0)

    def test_bidirectional_stream(self) -> None:
        """All of it may come at once: a writer need not wait for what it can guess."""
        outcome = read(READY + START + data(b"a", b"b") + STOP)
        assert outcome.payloads == [b"a", b"b"]
        assert outcome.sent == ACCEPT + FINISH
        assert (outcome.state, outcome.content_type, outcome.unread) == (State.FINISHED, DNSTAP, 0)

    def test_answers_as_soon_as_it_can(self) -> None:
        reader = ReaderProtocol()
        steps = [(READY, [], ACCEPT), (START, [], b""), (data(b"a"), [b"a"], b""), (STOP, [], FINISH)]
        states = []
        for wire, payloads, answer in steps:
            assert reader.payloads() == []
            reader.receive_data(wire)
            assert reader.payloads() == payloads
            assert reader.data_to_send() == (answer if not payloads else b"")
            states.append(reader.state)
        assert states == [State.ACCEPTED, State.STREAMING, State.STREAMING, State.FINISHED]
        assert reader.transport is Transport.BIDIRECTIONAL

    def test_finish_is_not_sent_before_the_payloads_have_been_taken(self) -> None:
        reader = ReaderProtocol()
        reader.receive_data(READY + START + data(b"a") + STOP)
        assert reader.payloads() == [b"a"]
        assert reader.data_to_send() == ACCEPT
        assert reader.payloads() == []
        assert reader.data_to_send() == FINISH

    def test_offset_and_unread(self) -> None:
        reader = ReaderProtocol(offset=100)
        reader.receive_data(START + data(b"a") + b"\0\0")
        assert (reader.offset, reader.unread) == (100, 49)
        assert reader.payloads() == [b"a"]
        assert reader.payloads() == []
        assert (reader.offset, reader.unread) == (147, 2)

    @pytest.mark.parametrize(
        ("ours", "offered", "accepted"),
        [
            pytest.param([], [], [], id="neither names any"),
            pytest.param([], [b"a", b"b"], [b"a"], id="we take any"),
            pytest.param([b"a", b"b"], [], [b"a"], id="the writer takes any"),
            pytest.param([b"a"], [b"b", b"a"], [b"a"], id="one in common"),
            pytest.param([b"b", b"x", b"a"], [b"a", b"b", b"c"], [b"b"], id="two in common, our first"),
            pytest.param([b""], [b"", b"a"], [b""], id="the empty one is one"),
            pytest.param([], [b""], [b""], id="the empty one is one where we take any"),
        ],
    )
    def test_accept(self, ours: list[bytes], offered: list[bytes], accepted: list[bytes]) -> None:
        outcome = read(control(4, *offered), partial(ReaderProtocol, ours))
        assert outcome.sent == control(1, *accepted)
        assert outcome.state is State.ACCEPTED

    @pytest.mark.parametrize("offered", [[b"b"], [b""], [b"A"], [b"a\0"], [b"b", b"c"]])
    def test_nothing_in_common(self, offered: list[bytes]) -> None:
        """The answer is none: an empty ACCEPT would be taken for a yes."""
        outcome = read(control(4, *offered), partial(ReaderProtocol, [b"a"]))
        assert isinstance(outcome.error, ContentTypeError)
        assert outcome.error.offset == 0
        assert outcome.sent == b""
        assert outcome.state is State.IDLE

    @pytest.mark.parametrize(
        ("ours", "before", "started", "good"),
        [
            pytest.param([], b"", [b"a"], True, id="any"),
            pytest.param([b"a"], b"", [], True, id="unnamed"),
            pytest.param([b"a", b"b"], b"", [b"b"], True, id="one of ours"),
            pytest.param([b"a", b"b"], b"", [b"c"], False, id="none of ours"),
            pytest.param([b"a"], b"", [b""], False, id="the empty one"),
            pytest.param([b""], b"", [b""], True, id="ours is the empty one"),
            pytest.param([], control(4), [b"a"], True, id="nothing was offered, nothing asked for"),
            pytest.param([], control(4, b"a", b"b"), [b"a"], True, id="accepted"),
            pytest.param([b"b", b"a"], control(4, b"a", b"b"), [b"b"], True, id="our first"),
            pytest.param([b"b", b"a"], control(4, b"a", b"b"), [b"a"], False, id="the writer's first"),
            pytest.param([], control(4, b"a", b"b"), [], True, id="accepted, then unnamed"),
            pytest.param([], control(4, b"a", b"b"), [b"b"], False, id="offered, but not accepted"),
            pytest.param([], control(4, b"a", b"b"), [b"c"], False, id="not offered"),
            pytest.param([b"a", b"b"], control(4, b"a"), [b"b"], False, id="ours, but not accepted"),
            pytest.param([b"a"], control(4), [b"a"], True, id="nothing was offered, ours comes"),
            pytest.param([b"a"], control(4), [b"b"], False, id="nothing was offered, another comes"),
        ],
    )
    def test_start(self, ours: list[bytes], before: bytes, started: list[bytes], good: bool) -> None:
        outcome = read(before + control(2, *started) + data(b"x"), partial(ReaderProtocol, ours))
        if good:
            assert outcome.payloads == [b"x"]
            assert outcome.content_type == (started[0] if started else None)
        else:
            assert isinstance(outcome.error, ContentTypeError)
            assert outcome.error.offset == len(before)
            assert outcome.payloads == []
            assert outcome.content_type is None

    @pytest.mark.parametrize("size", range(503, 513))
    def test_accept_is_shorter_than_a_long_ready(self, size: int) -> None:
        """Up to 512 bytes come in, and 503 may go out."""
        offered = [bytes(256), bytes(size - 4 - 8 - 256 - 8)]
        ready = control(4, *offered)
        assert len(ready) == 8 + size
        assert read(ready).sent == control(1, offered[0])

    def test_one_of_many_is_accepted(self) -> None:
        many = [b"%03d" % number for number in range(200)]
        ready = control(4, *many)
        for ours in ([], many[150:]):
            reader = partial(ReaderProtocol, ours, max_control_bytes=len(ready))
            assert read(ready, reader).sent == control(1, ours[0] if ours else many[0])

    @pytest.mark.parametrize(
        ("make", "before", "frame", "state"),
        [
            pytest.param(ReaderProtocol, b"", ACCEPT, State.IDLE, id="ACCEPT first"),
            pytest.param(ReaderProtocol, b"", STOP, State.IDLE, id="STOP first"),
            pytest.param(ReaderProtocol, b"", FINISH, State.IDLE, id="FINISH first"),
            pytest.param(ReaderProtocol, b"", control(9), State.IDLE, id="an unknown control frame first"),
            pytest.param(ReaderProtocol, b"", data(b"a"), State.IDLE, id="data first"),
            pytest.param(ReaderProtocol, b"", b"GET / HTTP/1.1\r\n", State.IDLE, id="another protocol"),
            pytest.param(ReaderProtocol, b"", b"\xff\xff\xff\xff", State.IDLE, id="ffffffff first"),
            pytest.param(unidirectional_reader, b"", READY, State.IDLE, id="READY in a file"),
            pytest.param(bidirectional_reader, b"", START, State.IDLE, id="START without READY"),
            pytest.param(ReaderProtocol, READY, READY, State.ACCEPTED, id="READY twice"),
            pytest.param(ReaderProtocol, READY, STOP, State.ACCEPTED, id="STOP without START, as Unbound sends it"),
            pytest.param(ReaderProtocol, READY, data(b"a"), State.ACCEPTED, id="data before START"),
            pytest.param(ReaderProtocol, READY, control(9), State.ACCEPTED, id="unknown before START"),
            *(
                pytest.param(ReaderProtocol, before, frame, State.STREAMING, id=f"{name} among data, {way}")
                for way, before in (("bidirectional", READY + START), ("unidirectional", START))
                for name, frame in (("READY", READY), ("ACCEPT", ACCEPT), ("START", START), ("FINISH", FINISH))
            ),
        ],
    )
    def test_out_of_order(self, make: "partial[ReaderProtocol]", before: bytes, frame: bytes, state: State) -> None:
        payloads = [b"a", b"b"] if state is State.STREAMING else []
        before += data(*payloads)
        outcome = read(before + frame, make)
        assert isinstance(outcome.error, UnexpectedFrameError)
        assert outcome.error.state == state.name
        assert outcome.error.offset == len(before)
        assert outcome.state is state
        assert outcome.payloads == payloads

    def test_what_is_no_stream_is_found_by_its_first_word(self) -> None:
        """It is not waited for as a frame of its length, nor skipped as one."""
        for make in (ReaderProtocol, skipping_reader):
            outcome = read(b"\0\0\0\x80", make)
            assert isinstance(outcome.error, UnexpectedFrameError)
            assert outcome.error.got == r"a data frame, b'\x00\x00\x00\x80'"
        assert read(b"\0\0\0").error is None

    def test_unknown_control_frames_among_data_are_counted(self) -> None:
        unknown = control(9) + control(0, fields=b"bytes of its own") + control(0xFFFFFFFF)
        for before, answer in ((START, b""), (READY + START, ACCEPT)):
            outcome = read(before + unknown + data(b"a") + unknown + STOP)
            assert outcome.payloads == [b"a"]
            assert outcome.unknown_control_frames == 6
            assert outcome.state is State.FINISHED
            assert outcome.sent == answer + (FINISH if answer else b"")

    @pytest.mark.parametrize(
        ("bad", "error"),
        [
            pytest.param(word(5), FrameTooLargeError, id="too large"),
            pytest.param(word(0xFFFFFFFF), FrameTooLargeError, id="4 GiB"),
            pytest.param(word(0) + word(0), ControlFrameError, id="a control frame of nothing"),
            pytest.param(word(0) + word(513), ControlFrameError, id="a control frame too long"),
            pytest.param(control(3, b"a"), ControlFrameError, id="STOP of a content type"),
            pytest.param(
                control(2, fields=b"x"), ControlFrameError, id="a malformed frame that would be unexpected too"
            ),
        ],
    )
    def test_good_payloads_before_bad_bytes(self, bad: bytes, error: type[RemoteProtocolError]) -> None:
        before = READY + START + data(b"a", b"bcd")
        outcome = read(before + bad + data(b"e"), small_reader)
        assert outcome.payloads == [b"a", b"bcd"]
        assert type(outcome.error) is error
        assert outcome.error.offset == len(before)

    def test_skip(self) -> None:
        reader = skipping_reader()
        reader.receive_data(START + data(b"a", b"bcdef", b"g") + STOP)
        assert reader.payloads() == [b"a"]
        assert reader.payloads() == [b"g"]
        assert reader.payloads() == []
        assert reader.state is State.FINISHED
        assert (reader.decoder.skipped_frames, reader.decoder.skipped_bytes) == (1, 5)

    @pytest.mark.parametrize(
        ("wire", "payloads"),
        [(START, []), (START + data(b"a"), [b"a"]), (READY + START + data(b"a", b"b"), [b"a", b"b"])],
    )
    def test_a_live_stream_may_end_between_frames(self, wire: bytes, payloads: list[bytes]) -> None:
        outcome = read(wire, eof=True)
        assert outcome.payloads == payloads
        assert outcome.error is None
        assert outcome.state is State.STREAMING

    @pytest.mark.parametrize(
        ("make", "wire", "inside_frame", "offset"),
        [
            pytest.param(ReaderProtocol, b"", False, 0, id="nothing"),
            pytest.param(file_reader, b"", False, 0, id="an empty file"),
            pytest.param(ReaderProtocol, READY, False, 42, id="after READY"),
            pytest.param(file_reader, START, False, 42, id="a file after START"),
            pytest.param(file_reader, START + data(b"a"), False, 47, id="a file after data"),
            pytest.param(ReaderProtocol, READY[:3], True, 3, id="inside the escape sequence"),
            pytest.param(ReaderProtocol, READY[:41], True, 41, id="inside READY"),
            pytest.param(ReaderProtocol, START + data(b"abc")[:6], True, 48, id="inside data"),
            pytest.param(file_reader, START + data(b"abc")[:6], True, 48, id="a file inside data"),
            pytest.param(ReaderProtocol, START + STOP[:5], True, 47, id="inside STOP"),
            pytest.param(skipping_reader, START + data(b"abcdef")[:7], True, 49, id="inside a frame that is skipped"),
        ],
    )
    def test_truncated(self, make: "partial[ReaderProtocol]", wire: bytes, inside_frame: bool, offset: int) -> None:
        outcome = read(wire, make, eof=True)
        assert isinstance(outcome.error, TruncatedStreamError)
        assert outcome.error.inside_frame is inside_frame
        assert outcome.error.offset == offset == len(wire)
        assert outcome.error.got == "the end of input"

    def test_payloads_before_a_cut_come_first(self) -> None:
        reader = file_reader()
        reader.receive_data(START + data(b"a"))
        reader.receive_eof()
        assert reader.payloads() == [b"a"]
        with pytest.raises(TruncatedStreamError):
            reader.payloads()

    def test_the_end_of_input_changes_nothing_about_a_fault(self) -> None:
        reader = ReaderProtocol()
        reader.receive_data(STOP)
        with pytest.raises(UnexpectedFrameError) as caught:
            reader.payloads()
        reader.receive_eof()
        with pytest.raises(UnexpectedFrameError) as again:
            reader.payloads()
        assert again.value is caught.value

    def test_a_fault_that_is_raised_for_ever_takes_no_more_memory(self) -> None:
        reader = ReaderProtocol()
        reader.receive_data(STOP)
        depths = set()
        for _ in range(10):
            with pytest.raises(UnexpectedFrameError) as caught:
                reader.payloads()
            depths.add(len(list(traceback.walk_tb(caught.value.__traceback__))))
        assert max(depths) < 10

    def test_after_the_end(self) -> None:
        outcome = read(START + STOP, file_reader, eof=True)
        assert outcome.error is None
        assert outcome.state is State.FINISHED
        outcome = read(START + STOP + b"more", file_reader)
        assert outcome.unread == 4

    def test_next_stream(self) -> None:
        reader = dnstap_reader()
        with pytest.raises(LocalProtocolError):
            reader.next_stream()
        reader.receive_data(START + data(b"a") + STOP + ANY_START + data(b"b") + STOP + control(2, b"other"))
        assert reader.payloads() == [b"a"]
        with pytest.raises(LocalProtocolError):
            reader.next_stream()
        assert reader.payloads() == []
        assert (reader.state, reader.content_type) == (State.FINISHED, DNSTAP)
        reader.next_stream()
        assert (reader.state, reader.content_type) == (State.IDLE, None)
        assert reader.payloads() == [b"b"]
        assert reader.payloads() == []
        assert (reader.state, reader.content_type) == (State.FINISHED, None)
        reader.next_stream()
        with pytest.raises(ContentTypeError) as caught:
            reader.payloads()
        # Counted from the start of the first stream.
        assert caught.value.offset == 42 + 5 + 12 + 12 + 5 + 12

    def test_start_after_a_stream_without_stop(self) -> None:
        """Counted where files may be joined, and an error anywhere else."""
        joined = partial(ReaderProtocol, [DNSTAP], joined=True)
        wire = START + data(b"a") + ANY_START + data(b"b") + START + STOP
        outcome = read(wire, joined)
        assert (outcome.payloads, outcome.state, outcome.content_type) == ([b"a", b"b"], State.FINISHED, DNSTAP)
        reader = joined()
        reader.receive_data(wire)
        while reader.payloads():
            pass
        assert reader.unfinished_streams == 2
        outcome = read(START + data(b"a") + control(2, b"other"), joined)
        assert (outcome.payloads, type(outcome.error)) == ([b"a"], ContentTypeError)
        outcome = read(wire, dnstap_reader)
        assert (outcome.payloads, type(outcome.error)) == ([b"a"], UnexpectedFrameError)

    @pytest.mark.parametrize(
        ("lost", "size"), [(1, 1), (3, 7), (3, 200), (20, 1), (20, 200), (41, 200), (50, 1), (50, 200)]
    )
    @pytest.mark.parametrize("encoded", [False, True])
    def test_a_cut_stream_that_is_joined_with_another(self, encoded: bool, lost: int, size: int) -> None:
        """The length of the cut frame takes in a part of the next START or all of it; the error names its place."""
        cut = START + data(b"a", bytes(range(60)))[:-lost]
        error = read_joined(cut + START + data(b"\xff" * 100) + STOP, size, encoded=encoded)
        place = f"START stands inside the frame before, at byte {len(cut)}: a file that was cut may be joined there"
        assert (error.hint, str(error).endswith(f"; {place}")) == (place, True)

    @pytest.mark.parametrize(
        "wire",
        [
            pytest.param(START + data(b"a") + b"\xff" * 4, id="no START"),
            pytest.param(START + data(START, b"a") + b"\xff" * 4, id="START in a frame before"),
            pytest.param(START + data(ANY_START) + b"\xff" * 4, id="another START"),
            pytest.param(START + b"\xff" * 4, id="no frame"),
            pytest.param(START + data(START) + STOP + b"\xff" * 4, id="after STOP"),
        ],
    )
    def test_errors_without_a_hint(self, wire: bytes) -> None:
        error = read_joined(wire, 200, encoded=False)
        assert error.hint == ""
        assert "stands inside" not in str(error)

    def test_no_hint_where_nothing_is_joined(self) -> None:
        reader = ReaderProtocol(max_data_bytes=100)
        reader.receive_data(START + data(START) + b"\xff" * 4)
        assert reader.encoded() == EncodedFrames(data(START), 1)
        with pytest.raises(FrameTooLargeError) as caught:
            reader.encoded()
        assert caught.value.hint == ""

    def test_next_stream_of_a_socket_forgets_what_was_accepted(self) -> None:
        reader = ReaderProtocol()
        reader.receive_data(
            control(4, b"a") + control(2, b"a") + STOP + control(4, b"b") + control(2, b"b") + data(b"x")
        )
        assert reader.payloads() == []
        reader.next_stream()
        assert reader.payloads() == [b"x"]
        assert reader.content_type == b"b"

    def test_joined_streams_in_one_chunk_take_linear_time(self) -> None:
        """Were the rest of the chunk copied for each of them, it would be 320 GB."""
        reader = ReaderProtocol()
        reader.receive_data(5_000 * (START + data(b"a") + STOP) + bytes(64 << 20))
        end = time.monotonic() + DEADLINE_S
        for number in range(5_000):
            if number:
                reader.next_stream()
            assert reader.payloads() == [b"a"]
            assert reader.payloads() == []
            assert time.monotonic() < end
        assert reader.unread == 64 << 20


class TestWriter:
    def test_bidirectional_stream(self) -> None:
        outcome = write(ACCEPT, FINISH, dnstap_writer, payloads=[b"a", b"bc"])
        assert outcome.sent == [READY, START, data(b"a", b"bc") + STOP]
        assert (outcome.state, outcome.content_type, outcome.error) == (State.FINISHED, DNSTAP, None)

    def test_unidirectional_stream(self) -> None:
        writer = file_writer()
        writer.start()
        assert writer.data_to_send() == START
        writer.send([b"a"])
        writer.send([b"b", b"c"])
        assert writer.data_to_send() == data(b"a", b"b", b"c")
        writer.stop()
        assert writer.data_to_send() == STOP
        assert (writer.state, writer.content_type) == (State.FINISHED, DNSTAP)
        writer.receive_eof()

    def test_unidirectional_stream_takes_no_answer(self) -> None:
        writer = file_writer()
        writer.start()
        with pytest.raises(UnexpectedFrameError):
            writer.receive_data(ACCEPT)

    def test_the_first_content_type_is_that_of_a_file(self) -> None:
        writer = WriterProtocol([b"a", b"b"], transport=Transport.UNIDIRECTIONAL)
        writer.start()
        assert writer.data_to_send() == control(2, b"a")

    @pytest.mark.parametrize(
        ("ours", "accepted", "started"),
        [
            pytest.param([], [], [], id="neither names any"),
            pytest.param([], [b"a", b"b"], [], id="we name none"),
            pytest.param([b"a", b"b"], [], [b"a"], id="the reader takes any"),
            pytest.param([b"a", b"b"], [b"b"], [b"b"], id="only our second"),
            pytest.param([b"a", b"b"], [b"b", b"a"], [b"a"], id="both: ours is the order"),
            pytest.param([b"", b"a"], [b""], [b""], id="the empty one is one"),
        ],
    )
    def test_accept(self, ours: list[bytes], accepted: list[bytes], started: list[bytes]) -> None:
        outcome = write(control(1, *accepted), make=partial(WriterProtocol, ours))
        assert outcome.sent == [control(4, *ours), control(2, *started)]
        assert outcome.state is State.STREAMING
        assert outcome.content_type == (started[0] if started else None)

    def test_accept_of_another_type(self) -> None:
        outcome = write(control(1, b"c"), make=partial(WriterProtocol, [b"a", b"b"]))
        assert isinstance(outcome.error, ContentTypeError)
        assert outcome.sent == [control(4, b"a", b"b")]
        assert outcome.state is State.OFFERED

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(READY, id="READY"),
            pytest.param(START, id="START"),
            pytest.param(STOP, id="STOP"),
            pytest.param(FINISH, id="FINISH"),
            pytest.param(data(b"a"), id="data"),
            pytest.param(control(9), id="unknown"),
            pytest.param(b"HTTP/1.1 400 Bad Request\r\n", id="another protocol"),
        ],
    )
    def test_out_of_order(self, answer: bytes) -> None:
        outcome = write(answer, make=dnstap_writer)
        assert isinstance(outcome.error, UnexpectedFrameError)
        assert (outcome.error.expected, outcome.error.state, outcome.error.offset) == ("ACCEPT", "OFFERED", 0)
        outcome = write(ACCEPT, answer if answer != FINISH else ACCEPT, dnstap_writer)
        assert isinstance(outcome.error, UnexpectedFrameError)
        assert (outcome.error.expected, outcome.error.state, outcome.error.offset) == ("FINISH", "STOPPED", 42)
        outcome = write(ACCEPT + answer, make=dnstap_writer)
        assert isinstance(outcome.error, UnexpectedFrameError)
        assert (outcome.error.expected, outcome.error.state, outcome.error.offset) == ("nothing", "STREAMING", 42)

    def test_malformed(self) -> None:
        outcome = write(word(0) + word(3), make=dnstap_writer)
        assert outcome.error is None
        outcome = write(word(0) + word(3) + bytes(3), make=dnstap_writer)
        assert isinstance(outcome.error, ControlFrameError)

    def test_max_control_bytes(self) -> None:
        long = control(1, bytes(256), bytes(256))
        assert isinstance(write(long).error, ControlFrameError)
        assert write(long, make=partial(WriterProtocol, max_control_bytes=len(long))).state is State.STREAMING

    @pytest.mark.parametrize(
        ("accept", "finish", "inside_frame", "offset"),
        [
            pytest.param(b"", None, False, 0, id="instead of ACCEPT"),
            pytest.param(ACCEPT[:5], None, True, 5, id="inside ACCEPT"),
            pytest.param(ACCEPT, None, False, 42, id="among data"),
            pytest.param(ACCEPT, b"", False, 42, id="instead of FINISH"),
            pytest.param(ACCEPT, FINISH[:11], True, 53, id="inside FINISH"),
        ],
    )
    def test_truncated(self, accept: bytes, finish: bytes | None, inside_frame: bool, offset: int) -> None:
        outcome = write(accept, finish, dnstap_writer, eof=True)
        assert isinstance(outcome.error, TruncatedStreamError)
        assert outcome.error.inside_frame is inside_frame
        assert outcome.error.offset == offset

    def test_the_end_of_input_after_finish_and_after_a_fault(self) -> None:
        assert write(ACCEPT, FINISH, dnstap_writer, eof=True).error is None
        writer = dnstap_writer()
        writer.start()
        with pytest.raises(UnexpectedFrameError) as caught:
            writer.receive_data(STOP)
        with pytest.raises(UnexpectedFrameError) as again:
            writer.receive_eof()
        assert again.value is caught.value

    def test_before_the_start(self) -> None:
        writer = dnstap_writer()
        with pytest.raises(LocalProtocolError):
            writer.send([b"a"])
        with pytest.raises(LocalProtocolError):
            writer.stop()
        assert writer.data_to_send() == b""
        assert writer.state is State.IDLE

    def test_resume(self) -> None:
        writer = file_writer()
        writer.resume(b"of the file")
        assert (writer.state, writer.content_type) == (State.STREAMING, b"of the file")
        writer.send([b"a"])
        with pytest.raises(LocalProtocolError, match="cannot continue a stream in state STREAMING"):
            writer.resume(None)
        assert writer.data_to_send() == data(b"a")
        with pytest.raises(LocalProtocolError):
            dnstap_writer().resume(DNSTAP)

    def test_before_the_reader_has_accepted(self) -> None:
        writer = dnstap_writer()
        writer.start()
        for call in (writer.start, writer.stop, partial(writer.send, [b"a"])):
            with pytest.raises(LocalProtocolError):
                call()
        assert writer.data_to_send() == READY
        assert writer.state is State.OFFERED

    def test_after_stop(self) -> None:
        writer = file_writer()
        writer.start()
        writer.stop()
        for call in (writer.start, writer.stop, partial(writer.send, [b"a"])):
            with pytest.raises(LocalProtocolError):
                call()
        assert writer.data_to_send() == START + STOP

    @pytest.mark.parametrize("payload", [b"", bytes(5)], ids=["empty", "too long"])
    def test_refused_payloads(self, payload: bytes) -> None:
        """None of a batch is sent if one of it cannot be, and the stream goes on."""
        writer = WriterProtocol(transport=Transport.UNIDIRECTIONAL, max_data_bytes=4)
        writer.start()
        assert writer.data_to_send() == ANY_START
        with pytest.raises(LocalProtocolError):
            writer.send([b"good", payload])
        assert writer.data_to_send() == b""
        writer.send([b"good"])
        assert writer.data_to_send() == data(b"good")

    def test_content_types_that_do_not_fit(self) -> None:
        writer = WriterProtocol([bytes(256), b"%d" % 2 * 228])
        with pytest.raises(LocalProtocolError):
            writer.start()
        assert writer.data_to_send() == b""
        assert writer.state is State.IDLE

    def test_a_reader_that_goes_is_named(self) -> None:
        writer = WriterProtocol()
        writer.start()
        writer.receive_data(ANY_ACCEPT)
        with pytest.raises(TruncatedStreamError) as caught:
            writer.receive_eof()
        assert caught.value.expected == "a reader that stays"

    def test_roles(self) -> None:
        assert (WriterProtocol.role, WriterProtocol.peer) == (Role.WRITER, Role.READER)
        assert (ReaderProtocol.role, ReaderProtocol.peer) == (Role.READER, Role.WRITER)


class TestBoth:
    @pytest.mark.parametrize("make", [ReaderProtocol, WriterProtocol])
    def test_a_content_type_that_is_too_long(self, make: Callable[[list[bytes]], object]) -> None:
        make([b"short", bytes(256)])
        with pytest.raises(LocalProtocolError, match="at most 256 bytes long, not 257"):
            make([b"short", bytes(257)])

    @pytest.mark.parametrize("transport", Transport)
    @pytest.mark.parametrize("size", [1, 7, 1 << 20])
    def test_a_writer_and_a_reader(self, transport: Transport, size: int) -> None:
        """Each end understands the other, in pieces of any size; both states agree at the end."""
        writer = WriterProtocol([DNSTAP, b"other"], transport=transport)
        reader = ReaderProtocol([b"unknown", DNSTAP])
        got: list[bytes] = []

        def exchange() -> None:
            while sent := writer.data_to_send():
                for start in range(0, len(sent), size):
                    reader.receive_data(sent[start : start + size])
                    while payloads := reader.payloads():
                        got.extend(payloads)
                    writer.receive_data(reader.data_to_send())

        writer.start()
        exchange()
        assert (writer.state, reader.state) == (State.STREAMING, State.STREAMING)
        payloads = [b"a", bytes(4), bytes(range(256))]
        writer.send(payloads)
        exchange()
        assert got == payloads
        writer.stop()
        exchange()
        assert (writer.state, reader.state) == (State.FINISHED, State.FINISHED)
        assert writer.content_type == reader.content_type == DNSTAP

    def test_what_a_writer_sends_is_what_a_decoder_finds(self) -> None:
        outcome = write(ANY_ACCEPT, FINISH, payloads=[bytes(300)])
        assert outcome.sent[:2] == [ANY_READY, ANY_START]
        assert decode(outcome.sent[2]).frames[0] == bytes(300)

    def test_longest_payload(self) -> None:
        writer = WriterProtocol(transport=Transport.UNIDIRECTIONAL)
        reader = ReaderProtocol()
        writer.start()
        writer.send([bytes(MAX_DATA_BYTES)])
        with pytest.raises(LocalProtocolError):
            writer.send([bytes(MAX_DATA_BYTES + 1)])
        reader.receive_data(writer.data_to_send())
        assert reader.payloads() == [bytes(MAX_DATA_BYTES)]

    def test_every_byte_of_ready_matters(self) -> None:
        """READY with any one byte changed is refused, or offers another content type."""
        for position in range(len(READY)):
            changed = bytearray(READY)
            changed[position] ^= 0x80
            reader = dnstap_reader()
            for byte in singly(bytes(changed)):
                try:
                    reader.receive_data(byte)
                    reader.payloads()
                except RemoteProtocolError:
                    break
            assert reader.data_to_send() == b"", position


@pytest.mark.parametrize("content_types", [DNSTAP, "text", 5, [5], [b"a", "text"]])
@pytest.mark.parametrize("end", [ReaderProtocol, WriterProtocol])
def test_content_types_that_are_no_list_of_bytes(end: Callable[..., object], content_types: object) -> None:
    with pytest.raises(TypeError, match=r"^content_types: expected a list of bytes, got "):
        end(content_types)
    assert checked_content_types(iter([b"a", b"b"])) == (b"a", b"b")
