"""Names of endpoints in errors of the system."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest

from framestream.naming import naming
from framestream.reporting import error_text


@pytest.mark.parametrize(
    ("error", "text", "short"),
    [
        pytest.param(
            ConnectionRefusedError(111, "Connection refused"),
            "[Errno 111] Connection refused: 'tls:ns1:1'",
            "Connection refused",
            id="of the system",
        ),
        pytest.param(
            ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 6000)"),
            "[Errno 111] Connection refused: 'tls:ns1:1'",
            "Connection refused",
            id="of asyncio",
        ),
        pytest.param(TimeoutError("late"), f"[Errno {errno.ETIMEDOUT}] late: 'tls:ns1:1'", "late", id="a timeout"),
        pytest.param(
            TimeoutError(), f"[Errno {errno.ETIMEDOUT}] timed out: 'tls:ns1:1'", "timed out", id="an empty timeout"
        ),
        pytest.param(
            socket.gaierror(-2, "Name or service not known"),
            "[Errno -2] Name or service not known: 'tls:ns1:1'",
            "Name or service not known",
            id="an unknown host",
        ),
        pytest.param(
            ssl.SSLError(1, "[SSL: X] wrong (_ssl.c:5)"),
            "[SSL: X] wrong (_ssl.c:5): tls:ns1:1",
            "TLS failed: wrong",
            id="TLS",
        ),
        pytest.param(
            FileNotFoundError(2, "No such file", "/run/x"),
            "[Errno 2] No such file: '/run/x'",
            "No such file",
            id="named",
        ),
    ],
)
def test_errors_with_a_name(error: OSError, text: str, short: str) -> None:
    """It is in the text, but not in the short text, which the caller puts behind a name."""
    for _ in range(2):  # A second name does not replace the first.
        with pytest.raises(type(error)) as caught, naming("tls:ns1:1"):
            raise error
        assert caught.value is error
    assert str(error) == text
    assert error_text(error) == short


def test_without_a_name() -> None:
    with pytest.raises(OSError, match=r"^wrong$"), naming(""):
        raise OSError("wrong")


def test_other_errors_are_left_alone() -> None:
    with pytest.raises(ZeroDivisionError), naming("tls:ns1:1"):
        raise ZeroDivisionError
