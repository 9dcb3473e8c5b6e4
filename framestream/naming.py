"""Names of endpoints and connections in errors of the system, which are about a descriptor and name nothing."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["naming"]


@contextlib.contextmanager
def naming(name: str) -> Iterator[None]:
    """Add the name of an endpoint or connection to an OSError in the body, unless it names something already.

    It becomes the attribute `filename`, and stands at the end of the text.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None and name:
            _add_name(error, name)
        raise


def _add_name(error: OSError, name: str) -> None:
    text = error.strerror or str(error)
    error.filename = name
    if type(error).__module__ == "ssl":  # The text of an ssl.SSLError does not include `filename`.
        error.strerror = f"{text}: {name}"
        return
    # Timeouts of this package and of asyncio have a text at most, without which OSError does not show `filename`.
    error.errno = error.errno or errno.ETIMEDOUT
    # asyncio's own text has the address instead of the reason.
    error.strerror = os.strerror(error.errno) if text.startswith("Connect call failed") else text or "timed out"
