"""dnstap.rendering.fields: the names that the Go tool has for enums."""

from __future__ import annotations

import pytest

from dnstap.rendering.fields import DNSTAP_TYPES, FAMILIES, MESSAGE_TYPES, PROTOCOLS, EnumTexts, enum_text
from dnstap.schema.enums import DnstapType, MessageType, SocketFamily, SocketProtocol


def test_names_are_those_of_the_schema() -> None:
    assert {member.name: int(member) for member in DnstapType} == {
        name: number for number, name in DNSTAP_TYPES.items()
    }
    assert {int(member): member.name for member in SocketFamily} == FAMILIES
    assert {int(member): member.name for member in MessageType} == MESSAGE_TYPES


def test_transports_after_doh_have_no_name() -> None:
    known = {int(member): member.name for member in SocketProtocol}
    assert [known[number] for number in known if number not in PROTOCOLS] == ["DNSCryptUDP", "DNSCryptTCP", "DOQ"]
    assert all(known[number] == name for number, name in PROTOCOLS.items())


@pytest.mark.parametrize(("number", "text"), [(1, "UDP"), (4, "DOH"), (7, "7"), (-1, "-1"), (SocketProtocol.DOQ, "7")])
def test_the_text_of_a_number(number: int, text: str) -> None:
    assert enum_text(PROTOCOLS, number) == text
    assert EnumTexts("<%s>", PROTOCOLS)[number] == f"<{text}>"


def test_the_text_of_an_absent_enum() -> None:
    assert EnumTexts("<%s>", PROTOCOLS)[None] == ""
    assert EnumTexts("<%s>", PROTOCOLS, "none")[None] == "none"


def test_numbers_without_a_name_are_not_kept() -> None:
    texts = EnumTexts("%s", PROTOCOLS)
    for number in range(1000):
        assert texts[number]
    assert len(texts) == len(PROTOCOLS) + 1
