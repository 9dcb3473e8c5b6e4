"""The words of the command line."""

from __future__ import annotations

from argparse import ArgumentTypeError

import pytest

from dnstap.cli.options import address, duration, endpoint, parser, tcp_endpoint
from framestream import LocalProtocolError, TcpEndpoint, Tls, TlsEndpoint, UnixEndpoint


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0.0), ("2", 2.0), ("1.5", 1.5), ("5s", 5.0), ("250ms", 0.25), ("1m30s", 90.0), ("1h", 3600.0), (".5s", 0.5)],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "5 s", "5x", "-1s", "5s3", "1.2.3"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is no duration"):
        duration(text)


def test_endpoints() -> None:
    tls = Tls(ca="ca.pem")
    assert endpoint("tls:host:1", tls) == TlsEndpoint("host", 1, tls)
    assert endpoint("/run/x", tls) == UnixEndpoint("/run/x")
    assert tcp_endpoint("127.0.0.1:6000") == TcpEndpoint("127.0.0.1", 6000)
    assert tcp_endpoint("[::1]:6000") == TcpEndpoint("::1", 6000)
    assert tcp_endpoint(":6000") == TcpEndpoint("", 6000)
    with pytest.raises(LocalProtocolError, match="is a file"):
        endpoint("file:x", tls)
    with pytest.raises(LocalProtocolError, match="an endpoint is"):
        tcp_endpoint("6000")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--count", "0"], "'0' is no number from 1"),
        (["--count", "x"], "'x' is no number from 1"),
        (["--sample", "1/x"], "'x' is no number from 1"),
        (["--socket-mode", "888"], "'888' is no mode, such as 0660"),
        (["--metrics", "9100"], "'9100' is no HOST:PORT"),
        (["-t", "x"], "'x' is no duration"),
    ],
)
def test_wrong_words(arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(arguments)
    assert text in capsys.readouterr().err


def test_right_words() -> None:
    assert [address(text) for text in ("[::1]:1", ":2", "host:3")] == [("::1", 1), ("", 2), ("host", 3)]
    args = parser().parse_args(["--sample", "1/3", "--socket-mode", "0660", "-t", "5s", "-r", "a", "-r", "b"])
    assert (args.sample, args.socket_mode, args.timeout, args.read) == (3, 0o660, 5.0, ["a", "b"])
