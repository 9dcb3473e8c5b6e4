"""Decoding by plans (dnstap.codec.templates), and by the generic decoder what no plan takes.

Plans are found by the key: the payload's octets from its start through the Message's length and leading enums. Where
the Message begins is the same in all payloads of one sender, so the key is a slice; once payloads come in which it
lies elsewhere, from several senders or behind an `extra` that changes, the fields before it are stepped over. Plans of
the same key hang in a tree: one octet by which two of them differ picks the branch.

A plan is made from a payload that the generic decoder has decoded. What that costs is bounded, so that payloads of
which each is different cost hardly more than without plans: making a plan takes one from a credit, which its first use
gives back with interest; a shape, whose code must be compiled, is made when it is seen again. Everything else that is
kept has its limit, too.

Threads may share a Decoder, also without a GIL: what is looked up is only ever replaced as a whole or added to, by one
thread at a time, and a plan proves each payload by itself.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from dnstap.codec.strict import decode as generic
from dnstap.codec.strict import length
from dnstap.codec.tables import ENUM, table_of
from dnstap.codec.templates import MISS, Part, Plan, Shape, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import betterproto2

__all__ = ["Decoder"]

M = TypeVar("M", bound="betterproto2.Message")

KEY = 9
"""Octets of the key from the Message's tag on: the tag, a length of two octets, three enums."""

MAX_PAYLOAD = 1 << 17
"""Octets of a payload for which a plan is made; there is no longer DNS message."""

MAX_PLANS = 8192
"""Plans and forks of one Decoder; when there are so many, it begins anew."""

MAX_SHAPES = 256
"""Shapes of the process, and shapes of which a Decoder remembers that it has seen them."""

MAX_ALIKE = 4
"""Plans of one key that no octet tells apart."""

CREDIT = 400
"""Plans that a Decoder makes before one of them has proved useful."""

REWARD = 2
"""What the first use of a plan gives to the credit."""

SHAPE_COST = 16
"""What a new shape takes from the credit."""

WARM_UP = 256
"""Payloads before the first plan is made: for fewer, decoding them takes less than making plans."""

REFILL = 128
"""Payloads without a plan that give one to the credit."""

PATIENCE = 8
"""Payloads without a plan, one after the other and without credit, after which none is looked for."""

REST = 64
"""For how many payloads; twice as many each time that it was in vain again, to MAX_REST."""

MAX_REST = 1024

STRANGERS = 16
"""Payloads with the Message elsewhere after which the first sender's place of it is given up."""


class _Node:
    """A plan, with the octets by which it can be told from others; or a fork, if `at` is not 0.

    Attributes:
        at: offset of the octet that picks the branch.
        branches: a node for each of its 256 values.
        mask, value: the octets from the Message's tag on that are so in whatever the plan takes, little-endian.
    """

    __slots__ = ("at", "branches", "mask", "plan", "value")

    def __init__(self, plan: Plan, mask: int = 0, value: int = 0) -> None:
        self.at = 0
        self.branches: list[_Node] = []
        self.plan = plan
        self.mask = mask
        self.value = value


def _no_plan(_: bytes) -> Any:
    raise KeyError


_NOTHING = _Node(_no_plan)

_shapes: dict[tuple[Any, ...], Shape] = {}


class Decoder(Generic[M]):
    """Decodes the payloads of one stream; the more there are of one sender, the faster.

    Args: cls: Dnstap.
    Attributes: decode: see its call below; a function, so that it can be bound to a name.
    """

    def __init__(self, cls: type[M]) -> None:
        self._cls = cls
        self._table = table_of(cls)
        ((message, _),) = self._table.messages
        tags = {field.name: field.tag for field in self._table.fields}
        self._tags = self._table.fields[message].tag, tags["extra"], tags["type"]
        self._lock = Lock()
        # Together, so that no thread looks for keys of one length among those of another.
        self._known: tuple[dict[bytes, _Node], int] = {}, KEY
        self._count = 0
        self._seen: set[tuple[Any, ...]] = set()
        self._credit = CREDIT
        self._misses = 0
        self._in_vain = 0
        self._rest = WARM_UP
        self._rest_length = REST
        self._place: tuple[int, bool] | None = None
        self._strangers = 0
        self.decode, self._look = self._usual_way()
        if self._rest:
            self._look(None, None, self._decode_resting)

    def _usual_way(self) -> tuple[Callable[..., M], Callable[..., None]]:
        """`decode`, for payloads whose key is where it usually is; and the function that says where that is.

        That takes the key's slice; or None and, where an `extra` is before the Message, the offset of the extra, which
        is that of the Message once the extra is taken out; and what decodes the others.
        """
        nodes, _ = self._known
        _, extra_tag, _ = self._tags
        where: slice | None = None
        behind: tuple[int, slice, dict[bytes, _Node]] | None = None
        otherwise = self._decode_anywhere

        def decode(data: bytes | bytearray | memoryview, *, lenient: bool = False) -> M:
            """One message from the whole payload of a data frame."""
            try:
                if where is not None:
                    node = nodes[data[where]]  # type: ignore[index]
                    while node.at:
                        node = node.branches[data[node.at]]
                    plan = node.plan
                    return plan(data)  # type: ignore[no-any-return]
                if behind is not None and type(data) is bytes:
                    at, key, behind_nodes = behind
                    size = data[at + 1]
                    if data[at] == extra_tag and size < 128:
                        stop = at + 2 + size
                        f = data[:at] + data[stop:]
                        node = behind_nodes[f[key]]
                        while node.at:
                            node = node.branches[f[node.at]]
                        plan = node.plan
                        decoded = plan(f)
                        if decoded.extra is None:
                            decoded.extra = data[at + 2 : stop]
                        return decoded  # type: ignore[no-any-return]
            except MISS:
                pass
            return otherwise(data, lenient)

        def look(place: slice | None, extra_at: int | None, other: Callable[..., M]) -> None:
            nonlocal nodes, where, behind, otherwise
            nodes, length = self._known
            behind = None if extra_at is None else (extra_at, slice(0, extra_at + length), nodes)
            where, otherwise = place, other

        return decode, look

    def _look_there(self) -> None:
        """Look for the key where it is usually, if anywhere."""
        if self._place is None:
            self._look(None, None, self._decode_anywhere)
            return
        at, extra = self._place
        if extra:
            self._look(None, at, self._decode_anywhere)
        else:
            self._look(slice(0, at + self._known[1]), None, self._decode_anywhere)

    def _decode_anywhere(self, data: bytes | bytearray | memoryview, lenient: bool) -> M:
        """Step over the fields before the Message, which gives the key; an `extra` among them is left out of it."""
        payload = data if type(data) is bytes else bytes(memoryview(data))
        f, p, extra = payload, 0, None
        try:
            message_tag, extra_tag, type_tag = self._tags
            while (tag := f[p]) != message_tag:
                size = f[p + 1]
                q = p + 2
                if size > 127:
                    if tag != extra_tag:
                        raise KeyError(tag)
                    size, q = length(self._table, f, p + 1)
                if tag == type_tag:
                    p = q
                elif tag == extra_tag and extra is None:
                    extra = f[q : q + size]
                    f = f[:p] + f[q + size :]
                else:
                    p = q + size
            nodes, key = self._known
            node = nodes[f[: p + key]]
            while node.at:
                node = node.branches[f[node.at]]
            plan = node.plan
            decoded: Any = plan(f)
        except MISS:
            return self._learn(payload, f, p, extra, lenient)
        if extra is not None and decoded.extra is None:
            decoded.extra = extra
        if self._credit < CREDIT:
            self._in_vain = 0
            self._rest_length = REST
            self._credit += 1
        if self._place is not None:
            self._meet((p, extra is not None))
        return decoded  # type: ignore[no-any-return]

    def _meet(self, place: tuple[int, bool]) -> None:
        """A payload has been decoded that came another way than the usual: by a stranger, or after a rest."""
        with self._lock:
            if place != self._place:
                self._strangers += 1
                if self._strangers < STRANGERS:
                    return
                self._place = None
            self._look_there()

    def _decode_resting(self, data: bytes | bytearray | memoryview, lenient: bool) -> M:
        """Decode without trying plans, for a while."""
        self._rest -= 1
        if self._rest <= 0:
            self._look(None, None, self._decode_anywhere)
        return generic(self._cls, data, lenient)

    def _learn(self, payload: bytes, f: bytes, p: int, extra: bytes | None, lenient: bool) -> M:
        """Decode a payload that no plan takes, and make one.

        Args: f: the payload without an extra that stood before the Message, which begins at p.
        """
        decoded = generic(self._cls, payload, lenient)
        self._misses += 1
        if self._misses % REFILL == 0:
            self._credit += 1
        if self._credit > 0:
            if not lenient and len(f) <= MAX_PAYLOAD:
                self._credit -= 1
                with self._lock, suppress(*MISS):
                    self._make_plan(f, p, decoded, behind_extra=extra is not None)
            return decoded
        # Nothing that was learned helps; if none of the next ones is known either, spare them the trying.
        self._in_vain += 1
        if self._in_vain < PATIENCE:
            self._look(None, None, self._decode_anywhere)
        else:
            self._in_vain = 0
            self._rest = self._rest_length
            self._rest_length = min(2 * self._rest, MAX_REST)
            self._credit += self._rest // REFILL
            self._look(None, None, self._decode_resting)
        return decoded

    def _make_plan(self, f: bytes, at: int, decoded: M, *, behind_extra: bool) -> None:
        """Make a plan for payloads like f, whose Message begins at `at`, and hang it where they will look for it."""
        parts, message = parts_of(self._table, f)
        if message != at:
            raise KeyError(at)
        _, usual_key = self._known
        key = min(usual_key, self._key_for(parts, at))
        key_end = at + key
        known = sum(part[4] <= key_end for part in parts)
        shape = self._shape(parts, known)
        if shape is None:
            return
        if key < usual_key:
            self._known = {}, key
            self._count = self._strangers = 0
            self._place = None
            self._look(None, None, self._decode_anywhere)
        plan, mask, value = shape.plan(f, parts, known, at, decoded)
        plan(f)
        self._hang(f[:key_end], plan, mask, value, at)
        if self._place is None and not self._strangers:
            self._place = at, behind_extra
            self._look_there()

    def _key_for(self, parts: list[Part], at: int) -> int:
        """Where a Message begins with fewer enums, contents would get into the key, and no two keys be the same."""
        enums = 0
        for table, tag, start, value, end in parts:
            if start > at and (table is self._table or table.by_tag[tag][0] != ENUM or end - value > 1):
                break
            enums += start > at
        return 3 + 2 * enums

    def _shape(self, parts: list[Part], known: int) -> Shape | None:
        """The Shape of a payload; None when it is the first that is seen."""
        outer = self._table
        widths = [
            (table is outer, tag, value - start, 0 if tag & 7 == 2 else end - value)
            for table, tag, start, value, end in parts
        ]
        key = outer, known, *widths
        shape = _shapes.get(key)
        if shape is None:
            if key not in self._seen:
                if len(self._seen) >= MAX_SHAPES:
                    self._seen.clear()
                self._seen.add(key)
                return None
            self._credit -= SHAPE_COST
            if len(_shapes) >= MAX_SHAPES:
                _shapes.clear()
            shape = _shapes[key] = Shape(self._table, parts, known)
        return shape

    def _hang(self, key: bytes, plan: Plan, mask: int, value: int, at: int) -> None:
        nodes, _ = self._known
        if self._count >= MAX_PLANS:
            nodes.clear()
            self._count = 0
        self._count += 1
        leaf = _Node(plan, mask, value)

        def trial(f: bytes) -> Any:
            decoded = plan(f)
            leaf.plan = plan
            self._credit += REWARD
            return decoded

        leaf.plan = trial
        node = nodes.get(key)
        nodes[key] = leaf if node is None else self._merged(node, leaf, at)

    def _merged(self, node: _Node, leaf: _Node, at: int) -> _Node:
        """The node for what a node takes and for what a leaf takes. at: where the Message begins."""
        octet = node.at - at
        if not node.at or not leaf.mask >> 8 * octet & 255:
            return self._told_apart([*_leaves(node), leaf], at)
        values = _values(leaf, octet)
        branches = {id(branch): branch for branch in node.branches[values]}
        merged = {old: self._merged(branch, leaf, at) for old, branch in branches.items()}
        node.branches[values] = [merged[id(branch)] for branch in node.branches[values]]
        return node

    def _told_apart(self, leaves: list[_Node], at: int) -> _Node:
        """The node for what any of these leaves takes."""
        if not leaves:
            return _NOTHING
        common = leaves[0].mask
        for leaf in leaves:
            common &= leaf.mask
        differing = 0
        for leaf in leaves[1:]:
            differing |= common & (leaf.value ^ leaves[0].value)
        if not differing and len(leaves) > 1:
            differing = leaves[0].mask & leaves[1].mask & (leaves[0].value ^ leaves[1].value)
        if not differing:
            return leaves[0] if len(leaves) == 1 else _either(leaves[-MAX_ALIKE:])
        octet = (differing & -differing).bit_length() - 1 >> 3
        self._count += 1
        fork = _Node(_no_plan)
        fork.at = at + octet
        ranges = [_values(leaf, octet) for leaf in leaves]
        edges = sorted({0, 256, *[values.start for values in ranges], *[values.stop for values in ranges]})
        for first, stop in pairwise(edges):
            taking = [leaf for leaf, values in zip(leaves, ranges, strict=True) if values.start <= first < values.stop]
            fork.branches += [self._told_apart(taking, at)] * (stop - first)
        return fork


def _either(leaves: list[_Node]) -> _Node:
    """One node for leaves that no octet tells apart, such as one that ends where another has an `extra`."""

    def either(f: bytes) -> Any:
        for leaf in leaves:
            with suppress(*MISS):
                plan = leaf.plan
                return plan(f)
        raise KeyError

    node = _Node(either, leaves[0].mask, leaves[0].value)
    for leaf in leaves:
        node.mask &= leaf.mask
    node.value &= node.mask
    node.branches = leaves
    return node


def _leaves(node: _Node) -> list[_Node]:
    if not node.branches:
        return [] if node is _NOTHING else [node]
    below = {id(branch): branch for branch in node.branches}
    return list({id(leaf): leaf for branch in below.values() for leaf in _leaves(branch)}.values())


def _values(leaf: _Node, octet: int) -> slice:
    """What an octet may be, as a slice of all 256."""
    mask, value = leaf.mask >> 8 * octet & 255, leaf.value >> 8 * octet & 255
    return slice(value, value + 256 - mask)
