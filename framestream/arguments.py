"""Checks of arguments: a call with a wrong one says what it expected, instead of a thread, or a stranger, later."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["check_callable", "check_names", "check_number", "check_options", "check_type", "described", "refuse_type"]


def described(value: object) -> str:
    """Return a value and its type, for an error."""
    return f"{value!r:.60} of type {type(value).__name__}"


def refuse_type(name: str, expected: str, value: object) -> NoReturn:
    """Raise a TypeError about an argument."""
    raise TypeError(f"{name}: expected {expected}, got {described(value)}")


def check_type(name: str, value: object, kinds: type | tuple[type, ...], expected: str) -> None:
    """Check the type of an argument.

    Args: expected: what it should be, for the error.
    Raises: TypeError.
    """
    if not isinstance(value, kinds):
        refuse_type(name, expected, value)


def check_names(name: str, value: object) -> None:
    """Check that an argument is a list or tuple of text.

    Raises: TypeError.
    """
    if not isinstance(value, list | tuple):
        refuse_type(name, "a list of names", value)
    for one in value:
        check_type(name, one, str, "a list of names")


def check_callable(name: str, value: object, expected: str) -> None:
    """Check that an argument can be called.

    Raises: TypeError.
    """
    if not callable(value):
        refuse_type(name, expected, value)


def check_number(name: str, value: Any, least: float, *, whole: bool = True) -> None:
    """Check that an argument is a number, and at least `least`.

    Args: whole: whether it must be an int, which True and False are not here.
    Raises: TypeError, ValueError.
    """
    expected = f"{'a whole number' if whole else 'a number'} of at least {least:g}"
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        refuse_type(name, expected, value)
    if not value >= least:  # NaN is not.
        raise ValueError(f"{name}: expected {expected}, got {value}")


def check_options(name: str, value: Any, kind: type[Any], *, optional: bool = False) -> None:
    """Check a NamedTuple of options, whose defaults tell what each must be: numbers and counts are not negative.

    Args:
        kind: class of the NamedTuple; all of its fields have defaults.
        optional: whether a number may be None.
    Raises: TypeError, ValueError.
    """
    check_type(name, value, kind, kind.__name__)
    for field, default in kind._field_defaults.items():
        item = getattr(value, field)
        if isinstance(default, int | float):
            if not (optional and item is None):
                whole = isinstance(default, int)
                check_number(f"{name}.{field}", item, 1 if whole else 0, whole=whole)
        else:
            check_type(f"{name}.{field}", item, type(default), type(default).__name__)
