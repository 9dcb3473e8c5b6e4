"""The dispatcher: stages, outputs, and what it counts of both; without sockets, files and threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dnstap import (
    Anonymizer,
    DecodeError,
    Dnstap,
    DnstapType,
    Message,
    MessageType,
    compile_filter,
    truncate,
)
from dnstap.pairing import Pairs
from dnstap.pipeline.dispatcher import Dispatcher
from dnstap.pipeline.stages import Head, Matching, Pairing, Sample
from framestream import EncodedFrames
from framestream.sockets import PeerAddress
from tests.dnstap.pairing.messages import query, response
from tests.dnstap.pipeline.kept import FILE, SOCKET, Full, Kept, KeptBlocking, KeptEncoded, KeptWithPeers

if TYPE_CHECKING:
    from dnstap.pipeline.outputs.base import Output
    from dnstap.pipeline.stages import AnyStage


def test_stages_and_then_every_output() -> None:
    """The counts of what each stage removed and of what reached each output add up."""
    outputs = [Kept(), Kept()]
    dispatcher = Dispatcher(outputs, [Sample(2), lambda payloads: payloads[:2]])
    dispatcher.write([b"%d" % number for number in range(10)], FILE)
    assert [output.payloads for output in outputs] == [[b"0", b"2"]] * 2
    assert [stage.removed for stage in dispatcher.stages] == [5, 3]
    assert [output.reached for output in outputs] == [2, 2]
    assert [output.counts.left for output in outputs] == [0, 0]


def test_nothing_is_written_if_the_stages_keep_nothing() -> None:
    output = Kept()
    Dispatcher([output], [lambda _: []]).write([b"1"], FILE)
    assert output.batches == 0


@pytest.mark.parametrize(
    ("outputs", "stages", "encoded"),
    [
        ([], [], False),
        ([KeptEncoded()], [], True),
        ([KeptEncoded(), KeptEncoded()], [], True),
        ([KeptEncoded(), Kept()], [], False),
        ([KeptEncoded()], [Head(1, print)], False),
        ([KeptBlocking()], [], False),
    ],
)
def test_frames_stay_encoded_if_nothing_looks_into_them(
    outputs: list[Output], stages: list[Any], encoded: bool
) -> None:
    assert Dispatcher(outputs, stages).encoded is encoded


def test_encoded_frames() -> None:
    """They reach an output that inherits write_encoded as payloads."""
    output = KeptEncoded()
    dispatcher = Dispatcher([output])
    dispatcher.write(EncodedFrames.of([b"1", b"22"]), FILE)
    assert output.payloads == [b"1", b"22"]
    assert output.reached == 2


def test_reports_of_all_parts() -> None:
    output = Kept()
    dispatcher = Dispatcher([output])
    output.write_many([b"1"])
    output.problems.add(1, DecodeError("cut off", 0, "Dnstap"))
    assert list(dispatcher.new_reports()) == [
        "1 of 1 payloads left out; the first was payload 1: Dnstap: cut off, at byte 0"
    ]


def test_an_output_that_fails_costs_no_other() -> None:
    """It is given nothing more, and what it was to write is counted."""
    outputs = [Full(), Kept(), Full()]
    dispatcher = Dispatcher(outputs)
    with pytest.raises(OSError, match="disk full"):
        dispatcher.write([b"1"], FILE)
    dispatcher.write([b"2", b"3"], FILE)
    assert outputs[1].payloads == [b"1", b"2", b"3"]
    assert [output.counts.left for output in outputs] == [3, 0, 3]


class TestPeers:
    """The sender of payloads is told to those that ask for it."""

    PEER = PeerAddress("192.0.2.77", 4711)

    def test_outputs_and_filters(self) -> None:
        output, other = KeptWithPeers(), Kept()
        payload = Dnstap(type=DnstapType.MESSAGE, message=Message(type=MessageType.CLIENT_QUERY)).encode()
        stages: list[Any] = [Matching(compile_filter("peer = 192.0.2.77")), lambda payloads: payloads[:1]]
        dispatcher = Dispatcher([output, other], stages)
        assert dispatcher.uses_source
        dispatcher.write([payload] * 2, SOCKET._replace(peer=self.PEER))
        dispatcher.write([payload] * 2, SOCKET._replace(peer=PeerAddress("192.0.2.78", 1)))
        dispatcher.write([payload] * 2, FILE)
        assert (output.peers, other.payloads) == ([self.PEER], [payload])

    @pytest.mark.parametrize(
        ("ports", "peer", "shown"),
        [
            (False, PEER, PeerAddress("192.0.2.0", 4711)),
            (True, PEER, PeerAddress("192.0.2.0", 0)),
            (True, PeerAddress("2001:db8:1:2::3", 5), PeerAddress("2001:db8:1::", 0)),
            (True, PeerAddress(pid=1, uid=2, path="/s"), PeerAddress(pid=1, uid=2, path="/s")),
            (True, None, None),
        ],
    )
    def test_anonymized_like_any_address(
        self, ports: bool, peer: PeerAddress | None, shown: PeerAddress | None
    ) -> None:
        """Behind the anonymizer; filters before it see the real one."""
        payload = Dnstap(type=DnstapType.MESSAGE, message=Message(type=MessageType.CLIENT_QUERY)).encode()
        output = KeptWithPeers()
        wanted = compile_filter("peer in 192.0.2.77 or not peer in 192.0.2.0/24")
        stages: list[Any] = [Matching(wanted), Anonymizer(truncate(), ports=ports)]
        Dispatcher([output], stages).write([payload], SOCKET._replace(peer=peer))
        assert output.peers == [shown]

    def test_nobody_asks(self) -> None:
        dispatcher = Dispatcher([Kept()], [Sample(1)])
        assert not dispatcher.uses_source
        dispatcher.write([b"1"], SOCKET._replace(peer=self.PEER))


PEERS = [PeerAddress("192.0.2.1", 4711), PeerAddress("192.0.2.2", 4711)]
STREAMS = [SOCKET._replace(peer=peer) for peer in PEERS]


def test_pairs_of_several_streams() -> None:
    """A query that was held reaches stages and outputs with the stream that it came from."""
    output = KeptWithPeers()
    dispatcher = Dispatcher([output], [Head(3, print), Pairs(), compile_filter("has answered or latency > 1ns")])
    for payloads, source in (
        ([query(0), query(0, query_port=1)], STREAMS[0]),
        ([response(1, query_port=1)], STREAMS[1]),
    ):
        dispatcher.write(payloads, source)
    assert output.payloads == [query(0, query_port=1), response(1, query_port=1)]
    assert [stage.removed for stage in dispatcher.stages] == [0, 1, 0]
    dispatcher.write([b"more than 3"], FILE)
    dispatcher.finish()
    assert output.payloads == [query(0, query_port=1), response(1, query_port=1), query(0)]
    assert output.peers == [PEERS[0], PEERS[1], PEERS[0]]
    assert [stage.removed for stage in dispatcher.stages] == [1, 0, 0]


def test_queries_are_not_held_if_nothing_asks_for_it() -> None:
    output = Kept()
    dispatcher = Dispatcher([output], [Pairs(), compile_filter("latency > 1ns or qr = Q")])
    dispatcher.write([query(0)], FILE)
    assert output.payloads == [query(0)]


def test_nothing_to_release() -> None:
    output = Kept()
    for stages in [], [Pairs(hold_queries=True)]:
        dispatcher = Dispatcher([output], stages)
        dispatcher.finish()
        dispatcher.tick()
        assert output.payloads == []


def test_all_that_was_held_is_counted_if_an_output_fails() -> None:
    good, full = Kept(), Full()
    dispatcher = Dispatcher([full, good], [Pairs(hold_queries=True)])
    for number, source in enumerate(STREAMS):
        dispatcher.write([query(0, query_port=number)], source)
    with pytest.raises(OSError, match="disk full"):
        dispatcher.finish()
    assert [output.reached for output in (full, good)] == [2, 2]
    assert full.counts.left == 2
    assert good.payloads == [query(0, query_port=0), query(0, query_port=1)]


def test_what_is_held_long_goes_on() -> None:
    now = 0.0
    output = Kept()
    dispatcher = Dispatcher([output], [Pairing(Pairs(5, hold_queries=True), clock=lambda: now)])
    dispatcher.write([query(0)], FILE)
    dispatcher.tick()
    assert output.payloads == []
    now = 6.0
    dispatcher.tick()
    assert output.payloads == [query(0)]


def test_answered_needs_pairs() -> None:
    unanswered = compile_filter("answered = no")
    # A filter after it does not help one before.
    alone: list[AnyStage] = [unanswered]
    for stages in (alone, [*alone, Pairs(), *alone]):
        with pytest.raises(
            ValueError, match="filter: answered: expected `pairs`, which finds out which queries were answered"
        ):
            Dispatcher([Kept()], stages)
    with pytest.raises(ValueError, match="stages: expected Pairs once"):
        Dispatcher([Kept()], [Pairs(), Pairs()])
