"""Text of batches of payloads."""

from __future__ import annotations

from dnstap import Dnstap, DnstapType, Message, MessageType, Style
from dnstap.pairing import Pairs
from dnstap.pipeline.outputs.text_batches import BatchRenderer, RenderedBatch
from tests.dnstap.pairing.messages import query, response

GOOD = bytes.fromhex("7801")
LINE = b"[no Message]\n"


def test_texts() -> None:
    render = BatchRenderer("quiet").render
    assert render([]) == RenderedBatch(b"")
    assert render([GOOD, GOOD]) == RenderedBatch(LINE * 2, 0, None)


def test_bad_payloads_cost_only_themselves() -> None:
    batch = BatchRenderer("quiet").render([GOOD, b"\x0a", GOOD, b"junk", GOOD])
    assert (batch.text, batch.left_out) == (LINE * 3, 2)
    assert batch.first_left_out is not None
    assert (batch.first_left_out[0], str(batch.first_left_out[1])) == (
        1,
        "Dnstap: the last field is cut off, at byte 1",
    )
    assert BatchRenderer("quiet").render([b"junk"]).text == b""


def test_octets_that_are_no_text() -> None:
    payload = bytes(Dnstap(b"\xff\xc3\xbc", type=DnstapType.MESSAGE, message=Message(MessageType.AUTH_QUERY)))
    renderer = BatchRenderer("quiet", Style(fields=("identity",), escape=False))
    assert renderer.render([payload]).text == b"\xff\xc3\xbc\n"


def test_the_header() -> None:
    style = Style(fields=("identity",))
    assert [BatchRenderer(name, style).header for name in ("csv", "json", "quiet")] == [b"identity\n", b"", b""]


def test_what_pairing_found() -> None:
    """Only fields that show it need room for it."""
    payloads = Pairs(hold_queries=True)([query(0), response(1)])
    for fields, text in (("answered", b"true\n-\n"), ("latency", b"-\n1000.000ms\n"), ("id", b"1\n1\n")):
        renderer = BatchRenderer("quiet", Style(fields=(fields,)))
        assert renderer.shows_answered is (fields == "answered")
        renderer.expect_paired()
        assert renderer.render(payloads).text == text
