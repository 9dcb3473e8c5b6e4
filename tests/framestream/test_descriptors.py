"""Limits of descriptors: raised, and what is left of them."""

from __future__ import annotations

import os
import resource
import sys
from typing import TYPE_CHECKING

import pytest

from framestream import descriptors

if TYPE_CHECKING:
    from collections.abc import Iterator

INFINITE = resource.RLIM_INFINITY


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The limits of the process, of which the last counts; the real ones stay."""
    found = [(1000, 4000)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: found[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: found.append(new))
    return found


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1024, 4096), (4096, 4096)),
        ((1024, 1 << 20), (descriptors.MOST, 1 << 20)),
        ((1024, INFINITE), (descriptors.MOST, INFINITE)),
        ((1 << 20, 1 << 20), (1 << 20, 1 << 20)),
        ((INFINITE, INFINITE), (INFINITE, INFINITE)),
    ],
)
def test_raised(limits: list[tuple[int, int]], before: tuple[int, int], after: tuple[int, int]) -> None:
    limits.append(before)
    descriptors.raise_limit()
    assert limits[-1] == after


def test_one_that_cannot_be_raised(limits: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    descriptors.raise_limit()
    assert limits == [(1000, 4000)]


@pytest.fixture
def opened() -> Iterator[None]:
    """Some descriptors more than usual."""
    pipes = [os.pipe() for _ in range(5)]
    yield
    for descriptor in sum(pipes, ()):
        os.close(descriptor)


@pytest.mark.usefixtures("opened")
def test_spare(limits: list[tuple[int, int]]) -> None:
    used = 1000 - (descriptors.spare() or 0)
    assert 13 <= used < 500
    limits.append((used + 7, 4000))
    assert descriptors.spare() == 7
    limits.append((used - 7, 4000))
    assert descriptors.spare() == 0
    limits.append((INFINITE, INFINITE))
    assert descriptors.spare() is None


def test_systems_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    descriptors.raise_limit()
    assert descriptors.spare() is None


def test_without_a_folder_of_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> list[str]:
        raise FileNotFoundError

    monkeypatch.setattr(os, "listdir", fail)
    assert descriptors.spare() is None
