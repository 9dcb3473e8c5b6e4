"""dnstap.dns.dnspython: what is logged parses, whatever is behind it, signed or truncated."""

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rrset
import dns.tsig
import dns.update
import pytest

from dnstap.dns.dnspython import DnspythonMessage, parse

KEY = dns.tsig.Key("key.", b"secret")


def response(*records: str) -> DnspythonMessage:
    """The response to a question for example.net., with records in their presentation format."""
    message = dns.message.make_response(dns.message.make_query("example.net.", "A"))
    message.answer = [dns.rrset.from_text("example.net.", 60, "IN", *record.split(maxsplit=1)) for record in records]
    return message


def test_message() -> None:
    message = response("A 192.0.2.1", "MX 1 mail.example.net.")
    parsed = parse(message.to_wire())
    assert isinstance(parsed, dns.message.QueryMessage)
    assert parsed == message
    assert parsed.id == message.id


def test_records_of_a_kind_are_one_set() -> None:
    (rrset,) = parse(response("A 192.0.2.1", "A 192.0.2.2").to_wire()).answer
    assert [record.to_text() for record in rrset] == ["192.0.2.1", "192.0.2.2"]


def test_octets_behind_the_last_record() -> None:
    message = response("A 192.0.2.1")
    assert parse(message.to_wire() + b"\0\xff") == message


def test_truncated() -> None:
    message = response()
    message.flags |= dns.flags.TC
    assert parse(message.to_wire()).flags & dns.flags.TC


def test_signed_by_a_key_that_nobody_has() -> None:
    message = response("A 192.0.2.1")
    message.use_tsig(KEY)
    parsed = parse(message.to_wire())
    assert parsed.had_tsig
    assert parsed.keyname == KEY.name
    assert parsed.answer == message.answer


def test_update() -> None:
    update = dns.update.UpdateMessage("example.net.", keyring=KEY)
    update.add("www", 60, "A", "192.0.2.1")
    update.delete("old", "A")
    parsed = parse(update.to_wire())
    assert isinstance(parsed, dns.update.UpdateMessage)
    assert parsed.opcode() == dns.opcode.UPDATE
    assert [rrset.name.to_text() for rrset in parsed.update] == ["www.example.net.", "old.example.net."]


@pytest.mark.parametrize("length", [0, 11, 12, 20])
def test_cut(length: int) -> None:
    with pytest.raises(dns.exception.DNSException):
        parse(response().to_wire()[:length])


def test_longer_than_any_message() -> None:
    message = response("A 192.0.2.1")
    wire = message.to_wire()
    assert parse(wire.ljust(65_535, b"\0")) == message
    with pytest.raises(dns.exception.FormError, match="at most 65535 octets"):
        parse(wire.ljust(65_536, b"\0"))
