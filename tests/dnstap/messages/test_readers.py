"""dnstap.messages.readers: functions that read fields, for each thread."""

from __future__ import annotations

from itertools import combinations, islice

from dnstap.fields.catalogue import FIELDS
from dnstap.messages.readers import MAX_READERS, of_thread
from tests.dnstap.filters.examples import DNSTAP as EVERYTHING
from tests.threads import start
from tests.wait import DEADLINE_S


def test_a_name_reads_a_message_and_names_a_dnstap() -> None:
    assert of_thread.read["client"](EVERYTHING.message) == "192.0.2.1"
    assert of_thread.read["client", "qr"](EVERYTHING) == {"client": "192.0.2.1", "qr": "R"}
    assert of_thread.read["client"] is of_thread.read["client"]


def test_each_thread_has_its_own() -> None:
    here = of_thread.read["client"]
    there = start(lambda: of_thread.read["client"]).result(DEADLINE_S)
    assert there is not here
    assert there(EVERYTHING.message) == here(EVERYTHING.message)


def test_arbitrarily_many_choices_are_not_kept() -> None:
    for names in islice(combinations(FIELDS, 3), 2 * MAX_READERS):
        assert list(of_thread.read[names](EVERYTHING)) == list(names)
        assert len(of_thread.read) <= MAX_READERS
