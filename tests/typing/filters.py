"""dnstap.compile_filter and Filter."""

from typing import assert_type

import dnstap
from dnstap import Dnstap, DnstapError, Filter


def compiled_filter(message: Dnstap) -> None:
    chosen = dnstap.compile_filter("type = CQ")
    assert_type(chosen, Filter)
    assert_type(Filter("type = CQ"), Filter)
    assert_type(chosen.text, str)
    assert_type(chosen.matches(message), bool)
    dnstap.compile_filter(["type = CQ", "time > -1h"], "utc", now_ns=0, files=False)
    dnstap.compile_filter(b"type = CQ")  # type: ignore[arg-type]
    chosen.matches(b"payload")  # type: ignore[arg-type]
    chosen.matches()  # type: ignore[call-arg]


def selected_payloads(chosen: Filter, payloads: list[bytes]) -> None:
    assert_type(chosen.select(payloads), list[bytes])
    assert_type(chosen.payloads, int)
    assert_type(chosen.matched, int)
    chosen.select(payloads[0])  # type: ignore[arg-type]
    chosen.select(["text"])  # type: ignore[list-item]


def problems(chosen: Filter) -> None:
    assert_type(chosen.bad, int)
    assert_type(chosen.first_bad, tuple[int, DnstapError] | None)
