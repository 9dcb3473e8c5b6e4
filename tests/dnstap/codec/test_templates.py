"""Plans: the generated code for payloads of real senders, and the limits of what shapes keep."""

from __future__ import annotations

import inspect
import textwrap
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from dnstap import Dnstap, Policy
from dnstap.codec import decode
from dnstap.codec.projections import for_fields, for_quiet
from dnstap.codec.tables import MESSAGE, Field, table_of
from dnstap.codec.templates import MISS, Shape, ShapeCache, parts_of
from dnstap.schema.fields import Row
from framestream import read_file
from tests.golden import assert_golden

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).parents[2] / "data"
OUTER = table_of(Dnstap)


def plan_for(payload: bytes) -> Callable[..., Any]:
    """Return the plan that is made from a payload whose Message has its three enums first."""
    parts, message = parts_of(OUTER, payload)
    known = sum(end <= message + 9 for _, _, _, _, end in parts)
    plan: Callable[..., Any] = Shape(OUTER, parts, known).plan(payload, parts, known, message, decode(Dnstap, payload))[
        0
    ]
    return plan


def first_payload(name: str) -> bytes:
    with read_file(DATA / f"{name}.fstrm") as reader:
        return next(iter(reader))


SENDERS = ["named-recursor", "unbound-unix", "dnsdist-unix"]


@pytest.mark.parametrize("name", SENDERS)
def test_generated_source(name: str) -> None:
    assert_golden(f"plan-{name}", inspect.getsource(plan_for(first_payload(name))))


def test_generated_source_for_a_policy() -> None:
    dnstap = Dnstap.parse(first_payload("unbound-unix"))
    assert dnstap.message is not None
    dnstap.message.policy = Policy(type="RPZ", rule=b"\1x\0")
    assert_golden("plan-policy", inspect.getsource(plan_for(bytes(dnstap))))


def test_docstring_quotes_the_generated_source() -> None:
    quoted = textwrap.indent(inspect.getsource(plan_for(first_payload("unbound-unix"))), "    ")
    assert quoted in inspect.cleandoc(Shape.__doc__ or "")


@pytest.mark.parametrize("name", SENDERS)
def test_plan_takes_the_payload_it_is_made_from(name: str) -> None:
    payload = first_payload(name)
    assert plan_for(payload)(payload) == decode(Dnstap, payload)


def test_fields_that_a_class_does_not_keep() -> None:
    """They are compared all the same, but not stored."""
    payload = first_payload("unbound-unix")
    cls = for_quiet()
    outer = table_of(cls)
    parts, message = parts_of(outer, payload)
    decoded = decode(cls, payload)
    plan = Shape(outer, parts, 5).plan(payload, parts, 5, message, decoded)[0]
    quiet = plan(payload)
    assert (quiet.message.query_address, quiet.message.query_message) == (
        decoded.message.query_address,
        decoded.message.query_message,
    )
    assert [hasattr(quiet.message, name) for name in ("socket_family", "query_port", "response_port")] == [False] * 3
    source = inspect.getsource(plan)
    assert "response_address_head != " in source
    assert "socket_family" not in source


def test_contents_that_a_class_does_not_keep() -> None:
    cls = for_fields(frozenset({"query_port"}))
    payload = first_payload("unbound-unix")
    parts, message = parts_of(table_of(cls), payload)
    plan = Shape(table_of(cls), parts, 5).plan(payload, parts, 5, message, decode(cls, payload))[0]
    decoded = Dnstap.parse(payload).message
    assert decoded is not None
    assert plan(payload).message.query_port == decoded.query_port
    with pytest.raises(KeyError):
        plan(payload.replace(b"\x22\4", b"\x23\4"))


def test_value_that_was_cut_out() -> None:
    payload = first_payload("unbound-unix")
    assert plan_for(payload)(payload, b"value").extra == b"value"
    # The last one in the payload counts.
    payload = first_payload("dnsdist-unix")
    assert plan_for(payload)(payload, b"value") == decode(Dnstap, payload)


def test_traceback_shows_the_source() -> None:
    payload = first_payload("unbound-unix")
    with pytest.raises(MISS) as caught:
        plan_for(payload)(payload.replace(payload[-2:], b"x\2"))
    assert "\n    raise KeyError\n" in "".join(traceback.format_exception(caught.value))


def test_shape_cache_has_a_limit() -> None:
    cache = ShapeCache(max_shapes=2)
    shapes = {name: cache.add((name,), OUTER, parts_of(OUTER, first_payload(name))[0], 0) for name in SENDERS}
    assert [cache.get((name,)) for name in SENDERS] == [None, None, shapes["dnsdist-unix"]]
    assert len(cache) == 1


def test_no_plan_for_messages_that_decoded_ones_would_share() -> None:
    """A class with a Dnstap for a policy, whose own Message would be the same object in each."""
    policy = Field(0, Row("policy", 15, "message", Dnstap))
    message = SimpleNamespace(fields=[policy], by_tag={policy.tag: (MESSAGE, 0, OUTER)}, kept={"policy"}, cls=object)
    outer: Any = SimpleNamespace(
        fields=OUTER.fields, by_tag=OUTER.by_tag, kept=OUTER.kept, cls=object, messages=[(3, message)]
    )
    parts: list[Any] = [(message, policy.tag, 0, 2, 8)]
    with pytest.raises(KeyError):
        Shape(outer, parts, 0)
