"""The learned decoder: plans (dnstap.codec.templates) for payloads like earlier ones, the strict decoder for others.

Plans are found by the key: the payload's bytes from its start through the Message's length and leading enums. Where
the Message begins is the same in all payloads of one sender, so the key is a slice; once payloads arrive in which it
lies elsewhere, from several senders or after an `extra` that changes, the fields before it are stepped over. Plans of
the same key form a tree: one byte by which two of them differ picks the branch.

A plan is made from a payload that the strict decoder has decoded. Its cost is bounded, so that payloads no two of which
are alike take hardly more time than without plans: making a plan spends a credit, which its first use earns back with
interest; a shape, whose code must be compiled, is made when it is seen again. Everything else that is kept has its
limit, too.

Threads may share a Decoder, also without a GIL: a structure that is looked up is only ever replaced as a whole or added
to, by one thread at a time, and a plan proves each payload by itself.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from dnstap._learning import Credit
from dnstap.codec.strict import decode, length
from dnstap.codec.tables import ENUM, table_of
from dnstap.codec.templates import MISS, Part, Plan, Shape, ShapeCache, is_cut_out, parts_of
from framestream.arguments import refuse_type

if TYPE_CHECKING:
    import betterproto2

__all__ = ["Decoder", "LearningLimits"]

M = TypeVar("M", bound="betterproto2.Message")

KEY = 9
"""Bytes of the key from the Message's tag on: the tag, a length of two bytes, three enums."""

MAX_PAYLOAD = 1 << 17
"""Bytes of a payload for which a plan is made; a DNS message has at most half of that."""

MAX_SEEN = 256
"""Shapes that a Decoder remembers to have seen once."""

MAX_ALIKE = 4
"""Plans of one key that no byte tells apart, and that are tried in turn."""

# On CPython 3.11 the strict decoder takes 4 us for a payload, making a plan 19 us more, and compiling the code of a
# shape 0.28 ms. The following trade how soon a sender is learned against time lost on payloads that do not repeat,
# which take 1.04 to 1.09 of the strict decoder's time (docs/performance.md).

REWARD = 2
"""Credit for the first use of a plan, which cost one: layouts that repeat never use up the credit."""

SHAPE_COST = 16
"""Credit for a new shape, as its time compares with that of a plan."""

PATIENCE = 8
"""Payloads without a plan and without credit, in a row, after which no plan is looked for."""

REFILL = 128
"""Payloads of a rest that give credit for one plan, so that plans cost at most 4 % of the rest's time."""

STRANGERS = 16
"""Payloads with the Message elsewhere after which the first sender's place of it is given up: a few do not make the
decoder step over the fields of all others."""


class LearningLimits(NamedTuple):
    """Bounds of what a Decoder spends on learning, and of what it keeps.

    Attributes:
        warm_up: payloads before the first plan is made. So many take 1 ms, as long as three shapes: less is not worth
            learning from.
        credit: plans that are made before one of them has proved useful, in 8 ms.
        rest: payloads that are decoded without plans when nothing that was learned is of use; twice as many each time
            that this is so again.
        max_rest: the most of them.
        max_plans: plans and forks that are kept, of 3 KB each; when there are as many, all are forgotten.
    """

    warm_up: int = 256
    credit: int = 400
    rest: int = 64
    max_rest: int = 1024
    max_plans: int = 8192


LIMITS = LearningLimits()

SHAPES = ShapeCache()
"""The shapes of the process."""


class _Node:
    """A plan, with the bits by which it can be told from others; or a fork, if `offset` is not 0.

    Attributes:
        offset: of the byte that picks the branch.
        branches: a node for each of its 256 values.
        mask, value: little-endian from the Message's tag on: bits within the mask are those of the value in any payload
            that the plan takes.
    """

    __slots__ = ("branches", "mask", "offset", "plan", "value")

    def __init__(self, plan: Plan, mask: int = 0, value: int = 0) -> None:
        self.offset = 0
        self.branches: list[_Node] = []
        self.plan = plan
        self.mask = mask
        self.value = value


def _no_plan(_payload: bytes, _cut_out: bytes | None = None) -> Any:
    raise KeyError


_NOTHING = _Node(_no_plan)

_Nodes = dict[bytes, _Node]


class Decoder(Generic[M]):
    """Decodes the payloads of one stream; the more of them one sender has sent, the faster.

    Args:
        cls: Dnstap, or a subclass.
        limits: what to spend on learning, and how much to keep.
        shapes: generated code that is shared with other decoders, by default with all of the process.
    """

    __slots__ = (
        "_cls", "_count", "_credit", "_cut", "_cut_tag", "_key", "_known", "_limits", "_lock", "_message_tag",
        "_misses", "_nodes", "_place", "_seen", "_shapes", "_strangers", "_table", "_type_tag",
    )  # fmt: skip

    def __init__(self, cls: type[M], *, limits: LearningLimits = LIMITS, shapes: ShapeCache = SHAPES) -> None:
        self._cls = cls
        self._limits = limits
        self._shapes = shapes
        try:
            self._table = table_of(cls)
            ((message, _),) = self._table.messages
            (self._cut_tag,) = [field.tag for field in self._table.fields if is_cut_out(field)]
            (self._type_tag,) = [field.tag for field in self._table.fields if field.required]
        except (AttributeError, ValueError):  # Not of the schema, or the message inside.
            refuse_type("cls", "Dnstap", cls)
        self._message_tag = self._table.fields[message].tag
        self._lock = Lock()
        # The place of the key in most payloads, a slice. If a field is cut out of them first: the offset of that field,
        # which is that of the Message afterwards, and the slice then. Never both. A thread may look there in nodes of
        # an earlier state: the plan of a key is right for any payload with that key.
        self._key: slice | None = None
        self._cut: tuple[int, slice] | None = None
        self._nodes: _Nodes = {}
        # Together, so that no thread adds keys of one length to those of another.
        self._known: tuple[_Nodes, int] = {}, KEY
        self._count = 0
        self._misses = 0
        self._seen: set[tuple[Any, ...]] = set()
        self._credit = Credit(
            limit=limits.credit,
            rest=limits.rest,
            max_rest=limits.max_rest,
            refill=REFILL,
            patience=PATIENCE,
            warm_up=limits.warm_up,
        )
        # The offset of the Message in payloads of the first sender, and whether a field is cut out before it.
        self._place: tuple[int, bool] | None = None
        self._strangers = 0

    def decode(self, data: bytes | bytearray | memoryview, *, lenient: bool = False) -> M:
        """Return the message in a payload.

        Args:
            data: the whole payload of a data frame.
            lenient: accept a message without its required `type`.
        Raises:
            DecodeError: the bytes are no such message.
            MissingFieldError: a required field is absent.
        """
        try:
            key = self._key
            if key is not None:
                # The slice of a bytearray has no hash: a TypeError, which is in MISS.
                node = self._nodes[data[key]]  # type: ignore[index]
                while node.offset:
                    node = node.branches[data[node.offset]]
                # Called by a local name, which is faster than by an attribute in a slot.
                plan = node.plan
                return plan(data)  # type: ignore[no-any-return]
            cut = self._cut
            if cut is not None and type(data) is bytes:
                start, key = cut
                # A length of one byte alone is cut out here; a longer one is left to _decode_anywhere.
                size = data[start + 1]
                if data[start] == self._cut_tag and size < 128:
                    stop = start + 2 + size
                    rest = data[:start] + data[stop:]
                    node = self._nodes[rest[key]]
                    while node.offset:
                        node = node.branches[rest[node.offset]]
                    plan = node.plan
                    return plan(rest, data[start + 2 : stop])  # type: ignore[no-any-return]
        except MISS:
            pass
        # Not within the handler: an error there would be shown after that of the look-up.
        if self._credit.resting:
            self._credit.skip()
            return decode(self._cls, data, lenient)
        return self._decode_anywhere(data if type(data) is bytes else bytes(memoryview(data)), lenient)

    def _decode_anywhere(self, payload: bytes, lenient: bool) -> M:
        """Decode a payload whose Message may begin anywhere: step over the fields before it to find the key.

        One field that varies, `extra`, is cut out of them.
        """
        rest, position, cut_out = payload, 0, None
        try:
            while (tag := rest[position]) != self._message_tag:
                size = rest[position + 1]
                value = position + 2
                if size > 127:
                    if tag != self._cut_tag:
                        raise KeyError(tag)
                    size, value = length(self._table, rest, position + 1)
                # A varint has no length: what was read as one is its value, of one byte.
                if tag == self._type_tag:
                    position = value
                elif tag == self._cut_tag and cut_out is None:
                    cut_out = rest[value : value + size]
                    rest = rest[:position] + rest[value + size :]
                else:
                    position = value + size
            nodes, key = self._known
            node = nodes[rest[: position + key]]
            while node.offset:
                node = node.branches[rest[node.offset]]
            plan = node.plan
            decoded: M = plan(rest, cut_out)
        except MISS:
            pass
        else:
            if self._credit.left < self._credit.limit:
                self._credit.earn(1)
            if self._place is not None:
                self._note_place((position, cut_out is not None))
            return decoded
        return self._decode_and_learn(payload, rest, position, cut_out, lenient)

    def _note_place(self, place: tuple[int, bool]) -> None:
        """Use the usual place again after a rest, or give it up after too many payloads of other senders."""
        with self._lock:
            if place != self._place:
                self._strangers += 1
                if self._strangers < STRANGERS:
                    return
                self._place = None
            self._use_place()

    def _use_place(self) -> None:
        """Look for the key at the usual place, if there is one."""
        self._key = self._cut = None
        if self._place is not None:
            position, is_cut = self._place
            self._nodes, size = self._known
            key = slice(0, position + size)
            if is_cut:
                self._cut = position, key
            else:
                self._key = key

    def _decode_and_learn(self, payload: bytes, rest: bytes, message: int, cut_out: bytes | None, lenient: bool) -> M:
        """Decode a payload that no plan takes, and make a plan if there is credit.

        Args:
            rest: the payload without the field that was cut out.
            message: the offset of the Message in it.
        """
        decoded = decode(self._cls, payload, lenient)
        self._misses += 1
        # `lenient` is not asked for where a plan is used. So no plan may come from a payload that may lack its type, or
        # it would take such payloads from callers who do not accept them.
        if not lenient and len(rest) <= MAX_PAYLOAD:
            if self._credit.spend():
                with self._lock, suppress(*MISS):
                    self._make_plan(rest, message, decoded, is_cut=cut_out is not None)
            else:
                # There may be plans for the next ones, with the Message elsewhere; if not, a rest begins.
                self._key = self._cut = None
        return decoded

    def _make_plan(self, payload: bytes, message: int, decoded: M, *, is_cut: bool) -> None:
        """Make a plan for payloads like this one, and add it where they will look for it."""
        parts, found = parts_of(self._table, payload)
        # The fields before the Message were not stepped over to the end, so no look-up would find the plan.
        if found != message:
            raise KeyError(message)
        _, usual_key = self._known
        key = min(usual_key, self._key_length(parts, message))
        key_end = message + key
        known = sum(part[4] <= key_end for part in parts)
        shape = self._shape(parts, known)
        if shape is None:
            return
        # All keys of a Decoder have the same length, since they are slices of one size. A shorter one begins a new
        # dict, and the place where keys were found before is no longer valid.
        if key < usual_key:
            self._known = {}, key
            self._count = self._strangers = 0
            self._place = None
            self._key = self._cut = None
        plan, mask, value = shape.plan(payload, parts, known, message, decoded)
        # A plan that does not take its own payload raises one of MISS here, before it is added.
        plan(payload)
        self._add_plan(payload[:key_end], plan, mask, value, message)
        # The first sender's place is the usual one. After it has been given up, _strangers is not 0, so that no other
        # sender's place is taken for it.
        if self._place is None and not self._strangers:
            self._place = message, is_cut
            self._use_place()

    def _key_length(self, parts: list[Part], message: int) -> int:
        """Return the length of the key from the Message on: fewer bytes if it begins with fewer than three enums.

        With contents in it, no two keys would be the same.
        """
        enums = 0
        for table, tag, start, value, end in parts:
            if start > message and (table is self._table or table.by_tag[tag][0] != ENUM or end - value > 1):
                break
            enums += start > message
        return 3 + 2 * enums

    def _shape(self, parts: list[Part], known: int) -> Shape | None:
        """Return the Shape of a payload; None if it is seen for the first time, or there is no credit to make it."""
        outer = self._table
        widths = [
            (table is outer, tag, value - start, 0 if tag & 7 == 2 else end - value)
            for table, tag, start, value, end in parts
        ]
        key = outer, known, *widths
        shape = self._shapes.get(key)
        if shape is None:
            # Compiling takes 15 times as long as making a plan, which a layout seen only once is not worth.
            if key not in self._seen:
                if len(self._seen) >= MAX_SEEN:
                    self._seen.clear()
                self._seen.add(key)
            elif self._credit.spend(SHAPE_COST):
                shape = self._shapes.add(key, outer, parts, known)
        return shape

    def _add_plan(self, key: bytes, plan: Plan, mask: int, value: int, message: int) -> None:
        """Add a plan to those of its key."""
        nodes, _ = self._known
        if self._count >= self._limits.max_plans:
            nodes.clear()
            self._count = 0
        self._count += 1
        leaf = _Node(plan, mask, value)

        # Stands in for the plan until it has been used once, so that later uses cost no check for the reward.
        def first_use(payload: bytes, cut_out: bytes | None = None) -> Any:
            decoded = plan(payload, cut_out)
            leaf.plan = plan
            self._credit.earn(REWARD)
            return decoded

        leaf.plan = first_use
        node = nodes.get(key)
        nodes[key] = leaf if node is None else self._merged(node, leaf, message)

    def _merged(self, node: _Node, leaf: _Node, message: int) -> _Node:
        """Return the node for any payload that one of two takes."""
        index = node.offset - message
        if not node.offset or not leaf.mask >> 8 * index & 255:
            # The new leaf says nothing about this byte and would belong into every branch: another byte may tell all of
            # them apart.
            return self._fork([*_leaves(node), leaf], message)
        values = _values(leaf, index)
        # A branch stands at every value that leads to it, and is merged once.
        branches = {id(branch): branch for branch in node.branches[values]}
        merged = {old: self._merged(branch, leaf, message) for old, branch in branches.items()}
        node.branches[values] = [merged[id(branch)] for branch in node.branches[values]]
        return node

    def _fork(self, leaves: list[_Node], message: int) -> _Node:
        """Return the node for any payload that one of these leaves takes: a fork at the first byte that differs."""
        if not leaves:
            return _NOTHING
        common = leaves[0].mask
        for leaf in leaves:
            common &= leaf.mask
        differing = 0
        for leaf in leaves[1:]:
            differing |= common & (leaf.value ^ leaves[0].value)
        # No byte that all leaves know tells any apart; one that only the first two know may.
        if not differing and len(leaves) > 1:
            differing = leaves[0].mask & leaves[1].mask & (leaves[0].value ^ leaves[1].value)
        if not differing:
            return leaves[0] if len(leaves) == 1 else _first_that_fits(leaves[-MAX_ALIKE:])
        # The lowest bit set. Masks are little-endian, so it lies in the first byte that differs.
        index = (differing & -differing).bit_length() - 1 >> 3
        self._count += 1
        fork = _Node(_no_plan)
        fork.offset = message + index
        ranges = [_values(leaf, index) for leaf in leaves]
        edges = sorted({0, 256, *[values.start for values in ranges], *[values.stop for values in ranges]})
        # From one edge to the next the same leaves take each value, so they share a branch.
        for first, stop in pairwise(edges):
            taking = [leaf for leaf, values in zip(leaves, ranges, strict=True) if values.start <= first < values.stop]
            fork.branches += [self._fork(taking, message)] * (stop - first)
        return fork


def _first_that_fits(leaves: list[_Node]) -> _Node:
    """Return one node for leaves that no byte tells apart, such as one that ends where another has an `extra`."""

    def first_that_fits(payload: bytes, cut_out: bytes | None = None) -> Any:
        for leaf in leaves:
            with suppress(*MISS):
                plan = leaf.plan
                return plan(payload, cut_out)
        raise KeyError

    node = _Node(first_that_fits, leaves[0].mask, leaves[0].value)
    for leaf in leaves:
        node.mask &= leaf.mask
    node.value &= node.mask
    node.branches = leaves
    return node


def _leaves(node: _Node) -> list[_Node]:
    """Return the plans below a node."""
    if not node.branches:
        return [] if node is _NOTHING else [node]
    below = {id(branch): branch for branch in node.branches}
    return list({id(leaf): leaf for branch in below.values() for leaf in _leaves(branch)}.values())


def _values(leaf: _Node, index: int) -> slice:
    """Return the values that a byte may have, as a slice of all 256. index: its offset from the Message's tag."""
    # The mask of a byte is 0xff (one value), 0x80 (a byte of a varint: the half with this continuation bit) or 0 (any),
    # so the values are a range.
    mask, value = leaf.mask >> 8 * index & 255, leaf.value >> 8 * index & 255
    return slice(value, value + 256 - mask)
