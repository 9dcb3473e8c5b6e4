"""Test a parser and a collector of your own with what real servers send, made up by Hypothesis.

    pip install pytest '.[testing]'
    COLLECTOR='fstrm_capture -t protobuf:dnstap.Dnstap -u {socket} -w /dev/null' pytest test_my_parser.py

Put your parser in the place of Dnstap.parse. The collector is any command that listens on a unix socket. For one that
must refuse what is wrong, `refused_conversations(Role.READER, ...)` makes that.
"""

import os
from contextlib import suppress

from hypothesis import given, settings

from dnstap import CONTENT_TYPE, DecodeError, Dnstap
from dnstap.strategies import Logged, hostile_payloads, logged, server_payloads
from framestream import Transport
from framestream.conversations import Conversation
from framestream.strategies import conversations
from framestream.testing import check_reader

parse = Dnstap.parse
COLLECTOR = os.environ.get("COLLECTOR", "dnstap -u {socket} -w /dev/null").split()
BOTH_WAYS = [Transport.BIDIRECTIONAL]  # The tools of fstrm know no other streams.


@given(log=logged())
def test_parser(log: Logged) -> None:
    assert parse(log.payload) == log.dnstap


@given(payload=hostile_payloads())
def test_parser_survives(payload: bytes) -> None:
    with suppress(DecodeError):
        parse(payload)


@settings(max_examples=10, deadline=None)
@given(conversation=conversations(content_type=CONTENT_TYPE, payloads=server_payloads(), transports=BOTH_WAYS))
def test_collector(conversation: Conversation) -> None:
    check_reader(COLLECTOR, conversation, timeout_s=60)
