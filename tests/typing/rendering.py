"""dnstap.render, renderer, row_reader, FORMATS and Style."""

from collections.abc import Callable, Mapping
from typing import Any, assert_type

import dnstap
from dnstap import FORMATS, Dnstap, Style


def render_one(message: Dnstap) -> None:
    assert_type(dnstap.render("quiet", message), str)
    assert_type(dnstap.render("quiet", message, Style()), str)
    dnstap.render("quiet", b"payload")  # type: ignore[arg-type]
    dnstap.render(message, "quiet")  # type: ignore[arg-type]
    dnstap.render("quiet", message, colour=True)  # type: ignore[call-arg]


def render_many(messages: list[Dnstap]) -> None:
    render = dnstap.renderer("json")
    assert_type(render, Callable[[Dnstap], str])
    assert_type([render(message) for message in messages], list[str])
    assert_type(dnstap.renderer("json", style=Style("utc")), Callable[[Dnstap], str])
    dnstap.renderer("json", "utc")  # type: ignore[arg-type]
    render(None)  # type: ignore[arg-type]


def formats_by_name(message: Dnstap) -> None:
    assert_type(FORMATS, Mapping[str, Callable[[Dnstap], str]])
    assert_type(FORMATS["yaml"](message), str)
    FORMATS["xml"] = FORMATS["yaml"]  # type: ignore[index]


def style_options() -> None:
    style = Style(time_zone="utc", date=True, escape=False, fields=("time", "qname"), colour=True)
    assert_type(style.time_zone, str | None)
    assert_type(style.fields, tuple[str, ...])
    assert_type(style._replace(date=False), Style)
    Style(fields=["time"])  # type: ignore[arg-type]
    Style(timezone="utc")  # type: ignore[call-arg]
    style.date = False  # type: ignore[misc]


def rows(payload: bytes) -> None:
    read = dnstap.row_reader(["time", "qname"])
    assert_type(read, Callable[[bytes], Any])
    dnstap.row_reader(("time", "qname"))
    read("payload")  # type: ignore[arg-type]
    dnstap.row_reader([5])  # type: ignore[list-item]
