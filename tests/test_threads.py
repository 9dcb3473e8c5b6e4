"""tests.threads: a test waits for its threads with a deadline, and not at all if it fails."""

from __future__ import annotations

import ast
import threading
import time
from pathlib import Path

import pytest

from tests import threads
from tests.threads import Threads, start
from tests.wait import DEADLINE_S


def test_results_and_errors_are_handed_on() -> None:
    assert start(int, "12", base=3).result(DEADLINE_S) == 5
    with pytest.raises(ValueError, match="invalid literal"):
        start(int, "x").result(DEADLINE_S)


def test_a_skip_in_a_thread_is_one_of_the_test() -> None:
    with pytest.raises(pytest.skip.Exception, match="no peer"):
        start(pytest.skip, "no peer").result(DEADLINE_S)


@pytest.mark.parametrize("outcome", [pytest.skip.Exception, AssertionError])
def test_a_test_that_ends_early_does_not_wait(outcome: type[BaseException]) -> None:
    never, began = threading.Event(), time.monotonic()

    def end_early() -> None:
        with Threads() as pool:
            pool.submit(never.wait, DEADLINE_S)
            raise outcome("early")

    with pytest.raises(outcome, match="early"):
        end_early()
    assert time.monotonic() - began < DEADLINE_S / 2
    never.set()


def test_the_end_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    never, ended = threading.Event(), []
    with Threads() as pool:
        pool.submit(lambda: ended.append(never.wait(0.05)))
    assert ended == [False]
    monkeypatch.setattr(threads, "DEADLINE_S", 0.05)
    with pytest.raises(AssertionError, match="1 threads do not end within"), Threads() as pool:
        pool.submit(never.wait, DEADLINE_S)
    never.set()


def test_no_test_starts_threads_otherwise() -> None:
    others = {"Thread", "Timer", "ThreadPoolExecutor", "asyncio.to_thread", "run_in_executor"}
    for path in Path(__file__).parent.rglob("*.py"):
        if path == Path(threads.__file__):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert not {name, name.rpartition(".")[2]} & others, f"{path}:{node.lineno}: use tests.threads"
