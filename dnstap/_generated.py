"""Functions compiled from generated source, which tracebacks and debuggers can show.

Generated code is a last resort, for hot paths where a loop over a field table was measured to be several times slower.
All of it is compiled here. Its source stands in `linecache`, as that of a file does: a traceback prints the failing
line, `inspect.getsource` returns the whole, and a debugger can step through it.
"""

from __future__ import annotations

import linecache
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["compile_function", "indented"]

MAX_SOURCES = 1024
"""Number of generated sources kept for tracebacks; the oldest is replaced. A hostile stream can cause code to be
generated for as long as it lasts, so the sources must not grow without bound."""

_numbers = count()
_filenames: deque[str] = deque()


def compile_function(name: str, source: str, namespace: dict[str, Any]) -> Callable[..., Any]:
    """Compile the source of one function and return the function.

    Args:
        name: qualified name for tracebacks, e.g. "Message.encode"; the part after the last dot is the function's name.
        source: a `def` of that name. It must be made of names and constants of this package alone, never of input.
        namespace: globals of the function; the function is added to them.
    Returns: the function, whose `__qualname__` is `name`.
    """
    # linecache is by file name, so a number keeps functions of one name apart.
    filename = f"<dnstap {name} {next(_numbers)}>"
    if len(_filenames) >= MAX_SOURCES:
        linecache.cache.pop(_filenames.popleft(), None)
    _filenames.append(filename)
    # The modification time is None, by which linecache.checkcache keeps an entry that has no file.
    linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
    exec(compile(source, filename, "exec"), namespace)  # noqa: S102 (the one place; see Args)
    function: Callable[..., Any] = namespace[name.rpartition(".")[2]]
    function.__qualname__ = name
    return function


def indented(text: str, columns: int) -> str:
    """Indent each line. Like textwrap.indent, which takes 0.7 ms of the command's time to import."""
    return "\n".join([" " * columns + line for line in text.split("\n")])
