"""The names of enums in the formats of the Go tool.

Source: golang-dnstap 0.4.0. Its schema ends with DOH, and it prints later transports as numbers.
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
    """Return the name of a number, or the number if it has none."""
    # The number alone, as String() of Go's generated enums prints one without a name.
    return names.get(number) or f"{number:d}"


class EnumTexts(dict[int | None, str]):
    """The texts of an enum by its number, for any number.

    It is a dict so that a named number takes a look-up and no call.

    Args:
        form: text in which %s stands for the name, such as `type: %s`.
        names: names of the numbers.
        absent: text of None.
    """

    def __init__(self, form: str, names: Mapping[int, str], absent: str = "") -> None:
        super().__init__({number: form % name for number, name in names.items()})
        self[None] = absent
        self._form = form

    def __missing__(self, number: int) -> str:
        return self._form % f"{number:d}"
