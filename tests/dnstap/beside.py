"""The command, called in this process beside a script that plays servers, receivers or operators."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

from dnstap.cli.main import main
from tests.threads import start
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["run_beside"]


def run_beside(script: Callable[[], object], *arguments: str, ending: int = signal.SIGINT) -> int:
    """Run the command here and the script in a thread; end the command by a signal when the script is over.

    The signal comes when the script fails, too: the command would run for ever.

    Returns: the exit status of the command.
    Raises: what the script raises.
    """
    over = threading.Event()

    def run() -> None:
        try:
            script()
        finally:
            if not over.is_set():
                os.kill(os.getpid(), ending)

    running = start(run)
    try:
        status = main(arguments)
    finally:
        over.set()
    running.result(DEADLINE_S)
    return status
