"""Streams to send, drawn from the Hypothesis strategies."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from framestream.conformance.steps import STOP, data
from framestream.conversations import wire_of
from framestream.fuzzing.samples import FIRST, LAST
from framestream.strategies import hostile, mutations, payloads, streams, unknown_control_frames

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["GROUP", "drawn", "find_payloads", "hostile_streams"]

GROUP = "framestream.fuzz"
"""Group of entry points for payloads of other packages: functions without arguments that return a strategy."""


def find_payloads(name: str) -> SearchStrategy[bytes]:
    """Return the strategy for payloads of another package.

    Args: name: name of an entry point, or MODULE:FUNCTION.
    Raises: ValueError: there is none of that name, or it gives something else.
    """
    found: Sequence[EntryPoint] = (
        [EntryPoint(name, name, GROUP)] if ":" in name else [*entry_points(group=GROUP, name=name)]
    )
    if not found:
        known = ", ".join(sorted({one.name for one in entry_points(group=GROUP)})) or "none"
        raise ValueError(f"expected MODULE:FUNCTION or the name of installed payloads ({known}), got {name!r}")
    try:
        made = found[0].load()()
    except (ImportError, AttributeError, TypeError) as error:
        raise ValueError(f"{name!r}: {error}") from error
    if not isinstance(made, SearchStrategy):
        raise ValueError(f"{name!r}: expected a function that returns a strategy, got {made!r:.60}")
    return made


def hostile_streams(head: bytes, inner: SearchStrategy[bytes] | None = None) -> SearchStrategy[bytes]:
    """Generate streams: half of them of good frames with hostile payloads, the others with hostile frames.

    Args:
        head: beginning of a good stream.
        inner: strategy for payloads; any bytes by default.
    """
    one = (payloads() if inner is None else inner).filter(bool) | unknown_control_frames()
    some = st.lists(one.map(wire_of), min_size=1, max_size=4).map(b"".join)
    end = data(LAST) + wire_of(STOP)
    intact = some.map(lambda some: head + data(FIRST) + some + end)
    broken = some.flatmap(lambda some: mutations(some + end)) | hostile()
    others = [
        broken.map(lambda rest: head + data(FIRST) + rest),
        broken.map(lambda rest: head + data(FIRST) + rest),
        mutations(head + data(FIRST) + end),
        hostile(),
        hostile().map(lambda rest: head + rest),
        streams(payloads=inner).map(lambda stream: stream.wire),
    ]
    # Not one_of, which takes equal strategies for one.
    return st.sampled_from([*[intact] * len(others), *others]).flatmap(lambda chosen: chosen)


def drawn(strategy: SearchStrategy[bytes], number: int, count: int) -> list[bytes]:
    """Return streams, the same ones for the same number and version of Hypothesis.

    Args:
        number: the seed.
        count: number of streams; fewer are returned if there are no others.
    """
    taken = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(strategy)
    def take(stream: bytes) -> None:
        taken.append(stream)

    take()
    return taken
