"""The public suffix of names, and the domain that is registered below it, by the Public Suffix List.

Only the part of the list that registries have made counts, since both are asked for to see what was registered where:
of `user.github.io`, the domain is `github.io`, whatever its owner shares with others. As the list says, the last label
of a name that no rule fits is a suffix.

Source: https://publicsuffix.org/list/, "Formal algorithm".
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from dnstap.dns.bounded_cache import BoundedCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from publicsuffixlist import PublicSuffixList

__all__ = ["is_installed", "suffix_reader"]

Suffix = tuple[bytes | None, bytes | None]
"""A public suffix and the name with one label more, in wire format; None where there is none."""

_NO_SUFFIX: Suffix = (None, None)


def is_installed() -> bool:
    """Return whether the library is there that has the list (extra `psl`)."""
    try:
        import publicsuffixlist  # noqa: F401 (whether it can be imported)
    except ImportError:
        return False
    return True


def suffix_reader() -> Callable[[bytes | None], Suffix]:
    """Return a function from a name in wire format and in lower case to its public suffix and its registered domain.

    It remembers the names that it has seen: a look-up in the list takes about 6 µs.
    """
    known: BoundedCache[Suffix] = BoundedCache(16384)

    def read(name: bytes | None) -> Suffix:
        if name is None:
            return _NO_SUFFIX
        return known.get(name) or known.store(name, _suffix(name))

    return read


@cache
def _list() -> PublicSuffixList:
    # Loaded when the first name is read, in 40 ms.
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(only_icann=True)


def _suffix(name: bytes) -> Suffix:
    offsets, labels = [], []
    offset = 0
    while length := name[offset]:
        offsets.append(offset)
        # The library joins labels with dots. One with a dot in it is none of the list, as no label with this byte is.
        labels.append(name[offset + 1 : offset + 1 + length].replace(b".", b"\xff"))
        offset += 1 + length
    suffix = _list().publicsuffix(labels)
    if not suffix:
        return _NO_SUFFIX
    size = len(suffix)
    return name[offsets[-size] :], name[offsets[-size - 1] :] if len(offsets) > size else None
