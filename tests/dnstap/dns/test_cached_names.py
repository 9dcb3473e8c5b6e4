"""dnstap.dns.cached_names: texts of names, with and without pointers."""

from __future__ import annotations

import pytest

from dnstap.dns.cached_names import NameTexts
from dnstap.dns.walker import WalkError

WIRE = bytes(12) + b"\1A\3org\0" + b'\1"\xc0\x0e' + b"\1b\xc0\x12"


def test_names_of_one_message_and_of_the_next() -> None:
    names = NameTexts(lambda text: text.replace('"', "<quote>"), 3)
    for _ in range(2):
        names.begin(12, "A.org.", 250)
        assert names[12] == "A.org."
        for offset, after, text in ((12, 19, "A.org."), (14, 19, "org."), (19, 23, "\\<quote>.org.")):
            assert names.read(WIRE, offset) == after
            assert names[offset] == text
    assert names.plain_text(b"\0") == "."


def test_names_without_room() -> None:
    names = NameTexts(str, 3)
    names.begin(12, "A.org.", 6)
    with pytest.raises(WalkError, match="long name"):
        names.read(WIRE, 19)


def test_a_pointer_to_the_root() -> None:
    names = NameTexts(str, 3)
    names.begin(12, "A.org.", 250)
    assert names.read(WIRE, 23) == 27
    assert names[23] == "b."


def test_what_is_no_name() -> None:
    with pytest.raises(WalkError, match="not a name"):
        NameTexts(str, 3).plain_text(b"\1a")
