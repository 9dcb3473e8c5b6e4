"""The text of many payloads."""

from __future__ import annotations

from dnstap import Dnstap, DnstapType, Message, MessageType, Style
from dnstap.pipeline.outputs.text_batches import Text, Texts

GOOD = bytes.fromhex("7801")
LINE = b"[no Message]\n"


def test_texts() -> None:
    texts = Texts("quiet")
    assert texts([]) == Text(b"")
    assert texts([GOOD, GOOD]) == Text(LINE * 2, 0, None)


def test_bad_payloads_cost_only_themselves() -> None:
    text = Texts("quiet")([GOOD, b"\x0a", GOOD, b"junk", GOOD])
    assert (text.octets, text.bad) == (LINE * 3, 2)
    assert text.first_bad is not None
    assert (text.first_bad[0], str(text.first_bad[1])) == (1, "Dnstap: the last field is cut off, at byte 1")
    assert Texts("quiet")([b"junk"]).octets == b""


def test_octets_that_are_no_text() -> None:
    payload = bytes(Dnstap(b"\xff\xc3\xbc", type=DnstapType.MESSAGE, message=Message(MessageType.AUTH_QUERY)))
    assert Texts("quiet", Style(fields=("identity",), escape=False))([payload]).octets == b"\xff\xc3\xbc\n"
