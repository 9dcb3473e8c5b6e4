"""Values of options that several subcommands have."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["count", "drawing", "one_signal", "positive", "signals"]


def drawing() -> ModuleType:
    """Return the module that draws streams and payloads.

    Raises: ValueError: Hypothesis is not installed.
    """
    try:
        from framestream.fuzzing import drawing as found
    except ImportError as error:
        raise ValueError("made-up streams and payloads need Hypothesis: pip install 'dnstap[testing]'") from error
    return found


def one_signal(name: str, option: str = "--stop") -> signal.Signals:
    """Return a signal, of its name.

    Args: option: the option that it is for.
    Raises: ValueError: there is no such signal.
    """
    try:
        return signal.Signals[f"SIG{name.strip().upper().removeprefix('SIG')}"]
    except KeyError:
        raise ValueError(f"{option}: expected names of signals, such as TERM or HUP,INT, got {name!r}") from None


def signals(text: str) -> tuple[signal.Signals, ...]:
    """Return the signals of --stop, of their names with commas between.

    Raises: ValueError: there is no such signal.
    """
    return tuple(map(one_signal, text.split(",")))


def positive(text: str) -> float:
    """Return a number above 0.

    Raises: ValueError.
    """
    number = float(text)
    if not 0 < number < 1e6:
        raise ValueError
    return number


def count(text: str) -> int:
    """Return a whole number above 0.

    Raises: ValueError.
    """
    number = int(text)
    if not 0 < number < 1e9:
        raise ValueError
    return number
