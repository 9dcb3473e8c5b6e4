"""dnstap.dns.bounded_cache: values by keys, up to a number of entries and a length of keys."""

from __future__ import annotations

from dnstap.dns.bounded_cache import BoundedCache


def test_values_are_stored_and_returned() -> None:
    cache: BoundedCache[int] = BoundedCache(2)
    assert cache.store(b"a", 1) == 1
    assert cache.get(b"a") == 1
    assert cache.get(b"b") is None


def test_a_full_cache_is_cleared() -> None:
    cache: BoundedCache[int] = BoundedCache(2)
    for number, key in enumerate((b"a", b"b", b"c")):
        cache.store(key, number)
    assert cache == {b"c": 2}


def test_long_keys_are_not_stored() -> None:
    cache: BoundedCache[int] = BoundedCache(2, max_key_bytes=3)
    assert cache.store(b"abcd", 1) == 1
    assert cache == {}
    cache.store(b"abc", 1)
    assert cache == {b"abc": 1}
    usual: BoundedCache[int] = BoundedCache(2)
    for length in (128, 129):
        usual.store(bytes(length), length)
    assert usual == {bytes(128): 128}
