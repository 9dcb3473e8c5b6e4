"""What the Go tool's formats say alike of the fields of a Dnstap: the names of enums.

Source: golang-dnstap 0.4.0, whose schema ends with DOH; later transports are numbers there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnstap.schema.enums import MessageType

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DNSTAP_TYPES", "FAMILIES", "MESSAGE_TYPES", "PROTOCOLS", "EnumTexts", "enum_text"]

DNSTAP_TYPES = {1: "MESSAGE"}
FAMILIES = {1: "INET", 2: "INET6"}
PROTOCOLS = {1: "UDP", 2: "TCP", 3: "DOT", 4: "DOH"}
MESSAGE_TYPES = {int(member): member.name for member in MessageType}


def enum_text(names: Mapping[int, str], number: int) -> str:
    """The name of a number, or the number."""
    return names.get(number) or f"{number:d}"


class EnumTexts(dict[int | None, str]):
    """A number -> its name in a form such as `type: %s`; None -> another text. Asked by `[]`, for any number."""

    def __init__(self, form: str, names: Mapping[int, str], absent: str = "") -> None:
        super().__init__({number: form % name for number, name in names.items()})
        self[None] = absent
        self._form = form

    def __missing__(self, number: int) -> str:
        return self._form % f"{number:d}"
