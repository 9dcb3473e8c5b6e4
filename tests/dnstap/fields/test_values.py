"""dnstap.fields.values: values of fields of a Message, and of a Dnstap as a dict."""

from __future__ import annotations

import inspect
from textwrap import indent

import pytest

from dnstap import Dnstap, row_reader
from dnstap.fields.catalogue import FIELDS
from dnstap.fields.generated import namespace
from dnstap.fields.values import dict_reader, message_reader
from tests.dnstap.filters.examples import DNSTAP as EVERYTHING
from tests.golden import assert_golden


def test_a_dict_is_a_row_with_keys() -> None:
    read = dict_reader(("all",), namespace(None))
    row = row_reader(["all"])
    for dnstap in (EVERYTHING, Dnstap(type=EVERYTHING.type)):
        assert read(dnstap) == row(bytes(dnstap))._asdict()
    assert list(read(EVERYTHING)) == list(FIELDS)


def test_names_that_were_given_are_the_keys() -> None:
    read = dict_reader(("client", "query_address", "answers"), namespace(None))
    assert read(EVERYTHING) == {"client": "192.0.2.1", "query_address": "192.0.2.1", "answers": 1}
    assert read(Dnstap()) == {"client": None, "query_address": None, "answers": None}


@pytest.mark.parametrize(
    ("fields", "said"),
    [(("what",), "unknown field"), (("time", "all"), "given more than once"), ((), "name of a field, got none")],
)
def test_wrong_fields(fields: tuple[str, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        dict_reader(fields, namespace(None))


OF_A_DNSTAP = ("dnstap_type", "identity", "version", "extra", "answered")
"""Fields that a Message does not have."""


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in OF_A_DNSTAP])
def test_a_field_of_a_message(name: str) -> None:
    space = namespace(None)
    expected = dict_reader((name,), space)(EVERYTHING)[name]
    assert message_reader(name, space)(EVERYTHING.message) == expected
    # With an alias too.
    for alias in FIELDS[name].aliases:
        assert message_reader(alias, space)(EVERYTHING.message) == expected


def test_functions_with_the_same_globals_share_what_they_remember() -> None:
    space = namespace(None)
    first = message_reader("qname", space)(EVERYTHING.message)
    assert first is message_reader("qname", space)(EVERYTHING.message)
    assert first is dict_reader(("qname",), space)(EVERYTHING)["qname"]
    assert first is not message_reader("qname", namespace(None))(EVERYTHING.message)


def test_generated_source() -> None:
    source = inspect.getsource(message_reader("rcode", namespace(None)))
    assert_golden("Message.rcode", source)
    assert indent(source, " " * 8) in (message_reader.__doc__ or "")
    assert_golden("Dnstap.as_dict", inspect.getsource(dict_reader(("time", "client", "flags"), namespace(None))))
