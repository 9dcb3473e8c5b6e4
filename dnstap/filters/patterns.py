r"""Regular expressions that take linear time, whatever the pattern and the text.

Python's `re` tries one way after the other: `(a+)+\.$` takes a minute for one name of 30 letters. Here all ways are
followed at once, by an automaton: each character of a pattern is a position, and a set of positions, as bits of an int,
is where matches may stand (Glushkov's construction). Sets that were seen are remembered with the set that each
character leads to, so that a usual text takes one look-up for each of its characters.

The syntax is that of `re` without what cannot be matched in this way: back references and looking around.
"""

from __future__ import annotations

from functools import reduce
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAX_DEPTH", "MAX_POSITIONS", "MAX_STEPS", "MAX_TEXT", "Pattern"]

MAX_POSITIONS = 500
"""Positions of a pattern, with repetitions written out: the time that one character may take at the worst."""

MAX_DEPTH = 100
"""Groups within each other; parsing is recursive."""

MAX_TEXT = 1 << 14
"""Characters of a text that are looked at, which bounds the time for one message. Names have 1000 at most."""

MAX_STEPS = 1 << 14
"""Steps from one set of positions to the next that are remembered. Patterns for names take some hundreds."""

_START, _END, _LINE_END, _BOUNDARY, _NO_BOUNDARY = 1, 2, 4, 8, 16
_ASSERTIONS = {"A": _START, "Z": _END, "b": _BOUNDARY, "B": _NO_BOUNDARY}
_CONTROLS = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_DIGITS = {"x": 2, "u": 4, "U": 8}

_BEGIN, _MATCH = 1, 2
"""Positions before a text, and behind a match; those of characters come after them."""

_LAST_NEWLINE = "\n$"
"""Symbol of a line feed at the end of a text, before which `$` matches. A text has no symbols of two characters."""

_TEXT_END = ""
"""Symbol behind the last character."""


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


_CLASSES: dict[str, Callable[[str], bool]] = {"d": str.isdecimal, "w": _is_word, "s": str.isspace}
_CLASSES |= {
    "D": lambda character: not character.isdecimal(),
    "W": lambda character: not _is_word(character),
    "S": lambda character: not character.isspace(),
}


class _Characters(NamedTuple):
    """A set of characters.

    Attributes:
        ranges: first and last characters.
        classes: functions of a character.
        negated: whether it is the set of all others.
        any_case: whether a letter stands for both of its cases.
    """

    ranges: tuple[tuple[str, str], ...]
    classes: tuple[Callable[[str], bool], ...]
    negated: bool
    any_case: bool

    def contains(self, character: str) -> bool:
        """Return whether a character is in the set."""
        cases = {character, character.lower(), character.upper()} if self.any_case else {character}
        found = any(first <= case <= last for case in cases for first, last in self.ranges) or any(
            is_one(case) for case in cases for is_one in self.classes
        )
        return found is not self.negated


class _Assertion(NamedTuple):
    """A condition on the place between two characters."""

    condition: int


class _Sequence(NamedTuple):
    parts: tuple[_Node, ...]


class _Choice(NamedTuple):
    parts: tuple[_Node, ...]


class _Repeat(NamedTuple):
    """Repetitions of a part; `most` is None for any number."""

    part: _Node
    least: int
    most: int | None


_Node = _Characters | _Assertion | _Sequence | _Choice | _Repeat


class _Parser:
    """The recursive descent parser of one pattern."""

    def __init__(self, text: str, *, any_case: bool) -> None:
        self._text = text
        self._offset = 0
        self._any_case = any_case
        self._dot_is_all = False
        self._names: set[str] = set()

    def parse(self) -> _Node:
        self._take_flags()
        node = self._choice(0)
        if self._offset < len(self._text):
            raise self._error("unbalanced parenthesis")
        return node

    def _error(self, what: str, offset: int | None = None) -> ValueError:
        return ValueError(f"{what} at position {self._offset if offset is None else offset}")

    def _next(self) -> str:
        return self._text[self._offset : self._offset + 1]

    def _take(self, length: int = 1) -> str:
        taken = self._text[self._offset : self._offset + length]
        self._offset += length
        return taken

    def _take_if(self, text: str) -> bool:
        found = self._text.startswith(text, self._offset)
        if found:
            self._offset += len(text)
        return found

    def _take_flags(self) -> None:
        """Take flags for the whole pattern, such as (?i)."""
        end = self._text.find(")")
        flags = self._text[2:end]
        if self._text.startswith("(?") and end > 2 and set(flags) <= {"i", "s"}:
            self._set_flags(flags)
            self._offset = end + 1

    def _set_flags(self, flags: str) -> None:
        self._any_case |= "i" in flags
        self._dot_is_all |= "s" in flags

    def _choice(self, depth: int) -> _Node:
        parts = [self._sequence(depth)]
        while self._take_if("|"):
            parts.append(self._sequence(depth))
        return parts[0] if len(parts) == 1 else _Choice(tuple(parts))

    def _sequence(self, depth: int) -> _Node:
        parts = []
        while self._next() not in ("", "|", ")"):
            begin = self._offset
            if self._repetition():
                raise self._error("nothing to repeat", begin)
            part = self._part(depth)
            repetition_at = self._offset
            if repetition := self._repetition():
                if isinstance(part, _Assertion) and self._text[begin] != "(":
                    raise self._error("nothing to repeat", repetition_at)
                if self._next() == "+":
                    raise self._error("possessive repetition is not supported", repetition_at)
                self._take_if("?")  # Whether few or many are tried first makes no difference to the answer.
                part = _Repeat(part, *repetition)
                again = self._offset
                if self._repetition():
                    raise self._error("multiple repeat", again)
            parts.append(part)
        return parts[0] if len(parts) == 1 else _Sequence(tuple(parts))

    def _repetition(self) -> tuple[int, int | None] | None:
        """Take `*`, `+`, `?` or `{m,n}`, and return the least and the greatest number; None if there is none."""
        begin = self._offset
        mark = self._take()
        if mark in ("*", "+", "?"):
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[mark]
        if mark == "{":
            end = self._text.find("}", begin)
            least, comma, most = self._text[self._offset : max(end, 0)].partition(",")
            # Other braces stand for themselves.
            digits = least + most or "0"
            if digits.isdecimal() and digits.isascii() and (least or comma):
                self._offset = end + 1
                numbers = int(least[:9] or 0), int(most[:9]) if most else None if comma else int(least[:9])
                if max(len(least), len(most)) > 9 or max(numbers[0], numbers[1] or 0) > MAX_POSITIONS:
                    raise self._error(f"more than {MAX_POSITIONS} repetitions", begin)
                if numbers[1] is not None and numbers[0] > numbers[1]:
                    raise self._error("min repeat greater than max repeat", begin)
                return numbers
        self._offset = begin
        return None

    def _part(self, depth: int) -> _Node:
        character = self._take()
        if character == "(":
            return self._group(depth + 1)
        if character == "[":
            return self._set()
        if character == ".":
            return _Characters(() if self._dot_is_all else (("\n", "\n"),), (), negated=True, any_case=False)
        if character in ("^", "$"):
            return _Assertion(_START if character == "^" else _LINE_END)
        if character != "\\":
            return self._one(character)
        if (condition := _ASSERTIONS.get(self._next())) is not None:
            self._take()
            return _Assertion(condition)
        escaped = self._escape()
        return self._one(escaped) if isinstance(escaped, str) else _Characters((), (escaped,), False, False)

    def _one(self, character: str) -> _Characters:
        return _Characters(((character, character),), (), negated=False, any_case=self._any_case)

    def _group(self, depth: int) -> _Node:
        begin = self._offset - 1
        if depth > MAX_DEPTH:
            raise self._error(f"more than {MAX_DEPTH} groups within each other", begin)
        before = self._any_case, self._dot_is_all
        if self._take_if("?P<"):
            name, end, _ = self._text[self._offset :].partition(">")
            if not (end and name.isidentifier()) or name in self._names:
                raise self._error("bad name of a group, or one that is taken", begin)
            self._names.add(name)
            self._take(len(name) + 1)
        elif self._take_if("?"):
            flags, end, _ = self._text[self._offset :].partition(":")
            if not end or not set(flags) <= {"i", "s"}:
                raise self._error("only (?: (?P<name> (?i: and (?s: are supported of what begins with (?", begin)
            self._take(len(flags) + 1)
            self._set_flags(flags)
        node = self._choice(depth)
        self._any_case, self._dot_is_all = before
        if not self._take_if(")"):
            raise self._error("missing ), unterminated subpattern", begin)
        return node

    def _escape(self) -> str | Callable[[str], bool]:
        """Take what follows a backslash, and return a character or a class of them."""
        begin = self._offset - 1
        character = self._take()
        if not character:
            raise self._error("bad escape (end of pattern)", begin)
        if character in _CLASSES:
            return _CLASSES[character]
        if character in _CONTROLS:
            return _CONTROLS[character]
        if character in _DIGITS:
            return self._number(self._take(_DIGITS[character]), 16, _DIGITS[character], begin)
        if character == "0":
            digits = "0"
            while len(digits) < 3 and self._next() in tuple("01234567"):
                digits += self._take()
            return self._number(digits, 8, len(digits), begin)
        if character.isascii() and character.isalnum():
            what = "back references are not supported" if character.isdigit() else f"bad escape \\{character}"
            raise self._error(what, begin)
        return character

    def _number(self, digits: str, base: int, length: int, begin: int) -> str:
        try:
            if len(digits) == length and digits.isalnum():
                return chr(int(digits, base))
        except (ValueError, OverflowError):
            pass
        raise self._error("bad escape", begin)

    def _set(self) -> _Characters:
        begin = self._offset - 1
        negated = self._take_if("^")
        ranges, classes = [], []
        first = True
        while first or self._next() != "]":
            first = False
            at = self._offset
            low = self._member(begin)
            # A hyphen before the end of the set stands for itself.
            if self._next() == "-" and self._text[self._offset + 1 : self._offset + 2] not in ("", "]"):
                self._take()
                high = self._member(begin)
                if not (isinstance(low, str) and isinstance(high, str) and low <= high):
                    raise self._error(f"bad character range {self._text[at : self._offset]}", at)
                ranges.append((low, high))
            elif isinstance(low, str):
                ranges.append((low, low))
            else:
                classes.append(low)
        self._take()
        return _Characters(tuple(ranges), tuple(classes), negated, self._any_case)

    def _member(self, begin: int) -> str | Callable[[str], bool]:
        character = self._take()
        if not character:
            raise self._error("unterminated character set", begin)
        if character != "\\":
            return character
        # Between brackets, \b is the backspace.
        return "\b" if self._take_if("b") else self._escape()


class _Fragment(NamedTuple):
    """A part of the automaton. Conditions are those of the place before `first`, or behind `last`.

    Attributes:
        empty: the sets of conditions under which the part matches the empty text.
        first, last: sets of positions that a match begins or ends with, by conditions.
    """

    empty: frozenset[int]
    first: dict[int, int]
    last: dict[int, int]


def _merged(*parts: dict[int, int]) -> dict[int, int]:
    merged: dict[int, int] = {}
    for part in parts:
        for conditions, positions in part.items():
            merged[conditions] = merged.get(conditions, 0) | positions
    return merged


def _under(empty: frozenset[int], positions: dict[int, int]) -> dict[int, int]:
    """Return positions behind or before a part that may be empty."""
    return _merged(*[{before | conditions: found} for before in empty for conditions, found in positions.items()])


class _State(dict[str, "_State"]):
    """A set of positions, and the next set for each symbol that was seen.

    Args: before: "word" or "other" character, or "start"; "" if no assertion asks for it.
    """

    def __init__(self, pattern: Pattern, positions: int, before: str) -> None:
        super().__init__()
        self.positions = positions
        self.before = before
        # The answer is known: a match was found, or there can be none any more.
        self.final = not positions or bool(positions & _MATCH)
        self._step = pattern.step

    def __missing__(self, symbol: str) -> _State:
        return self._step(self, symbol)


class Pattern:
    """A regular expression, to search texts for. The time for a text is linear in its length.

    Args:
        pattern: see docs/filters.md for the syntax.
        any_case: whether letters stand for both of their cases, as with (?i).
    Raises: ValueError: it is not valid, or too large; the text says where.
    """

    def __init__(self, pattern: str, *, any_case: bool = False) -> None:
        self.pattern = pattern
        tree = _Parser(pattern, any_case=any_case).parse()
        if _size(tree) > MAX_POSITIONS:
            raise ValueError(f"more than {MAX_POSITIONS} characters, with repetitions written out")
        self._follow: list[dict[int, int]] = [{}, {}]
        self._sets: dict[_Characters, int] = {}
        self._conditions = 0
        whole = self._build(tree)
        self._link({0: _BEGIN}, _merged(whole.first, dict.fromkeys(whole.empty, _MATCH)))
        self._link(whole.last, {0: _MATCH})
        # A match may begin at each character, so this position is in every set, unless all matches begin with the text.
        self._begin = 0 if all(conditions & _START for conditions in self._follow[0]) else _BEGIN
        self._bytes = (len(self._follow) + 7) // 8
        self._tables: dict[int, dict[int, int]] = {}
        self._matching: dict[str, int] = {}
        self._states: dict[tuple[int, str], _State] = {}
        self._steps = 0
        self._start = _State(self, _BEGIN, "start")

    def search(self, text: str) -> bool:
        """Return whether a text matches anywhere in its first MAX_TEXT characters."""
        text = text[:MAX_TEXT]
        body, ending = (text[:-1], (_LAST_NEWLINE, _TEXT_END)) if text.endswith("\n") else (text, (_TEXT_END,))
        state = self._start
        for symbol in chain(body, ending):
            state = state[symbol]
            if state.final:
                break
        return bool(state.positions & _MATCH)

    def step(self, state: _State, symbol: str) -> _State:
        """Return the state after one more symbol, and remember it."""
        if self._steps == MAX_STEPS:
            for known in (self._start, *self._states.values()):
                known.clear()
            self._states.clear()
            self._matching.clear()
            self._steps = 0
        self._steps += 1
        matching = self._matching.get(symbol)
        if matching is None:
            sets = [mask for characters, mask in self._sets.items() if symbol and characters.contains(symbol[0])]
            # What is behind a match goes with any symbol, and with the end of the text.
            matching = self._matching[symbol] = reduce(int.__or__, sets, _MATCH)
        truth = self._conditions and self._truth(state.before, symbol)
        reached = self._after(state.positions, truth) & matching
        before = "" if not self._conditions else "word" if symbol and _is_word(symbol[0]) else "other"
        key = (_MATCH if reached & _MATCH else reached | self._begin), before
        following = state[symbol] = self._states.get(key) or self._states.setdefault(key, _State(self, *key))
        return following

    def _truth(self, before: str, symbol: str) -> int:
        """Return the conditions that hold between what was before and a symbol."""
        truth = _START if before == "start" else 0
        if symbol == _TEXT_END:
            truth |= _END | _LINE_END
        elif symbol == _LAST_NEWLINE:
            truth |= _LINE_END
        is_word = symbol != _TEXT_END and _is_word(symbol[0])
        return truth | (_BOUNDARY if is_word is not (before == "word") else _NO_BOUNDARY)

    def _after(self, positions: int, truth: int) -> int:
        """Return the positions that may follow some, eight at a time from a table that grows as it is needed."""
        table = self._tables.setdefault(truth, {})
        reached = 0
        for index, byte in enumerate(positions.to_bytes(self._bytes, "little")):
            if byte:
                following = table.get(index << 8 | byte)
                if following is None:
                    following = 0
                    for position in _bits(byte << 8 * index):
                        for conditions, targets in self._follow[position].items():
                            # Both ints of bits: all conditions are among those that hold.
                            if conditions & truth == conditions:
                                following |= targets
                    table[index << 8 | byte] = following
                reached |= following
        return reached

    def _link(self, last: dict[int, int], first: dict[int, int]) -> None:
        """Let the positions of `first` follow those of `last`."""
        for behind, ends in last.items():
            for position in _bits(ends):
                follow = self._follow[position]
                for before, begins in first.items():
                    follow[behind | before] = follow.get(behind | before, 0) | begins

    def _build(self, node: _Node) -> _Fragment:
        if isinstance(node, _Characters):
            position = 1 << len(self._follow)
            self._follow.append({})
            self._sets[node] = self._sets.get(node, 0) | position
            return _Fragment(frozenset(), {0: position}, {0: position})
        if isinstance(node, _Assertion):
            self._conditions |= node.condition
            return _Fragment(frozenset((node.condition,)), {}, {})
        if isinstance(node, _Sequence):
            return reduce(self._joined, map(self._build, node.parts), _Fragment(frozenset((0,)), {}, {}))
        if isinstance(node, _Choice):
            parts = [self._build(part) for part in node.parts]
            return _Fragment(
                frozenset[int]().union(*[part.empty for part in parts]),
                _merged(*[part.first for part in parts]),
                _merged(*[part.last for part in parts]),
            )
        return self._repeated(node)

    def _joined(self, one: _Fragment, other: _Fragment) -> _Fragment:
        self._link(one.last, other.first)
        return _Fragment(
            frozenset([before | behind for before in one.empty for behind in other.empty]),
            _merged(one.first, _under(one.empty, other.first)),
            _merged(other.last, _under(other.empty, one.last)),
        )

    def _repeated(self, node: _Repeat) -> _Fragment:
        part, least, most = node
        nothing = frozenset((0,))
        tail = _Fragment(nothing, {}, {})
        if most is None:
            tail = self._build(part)
            self._link(tail.last, tail.first)
            if least == 0:
                return tail._replace(empty=nothing)
            least -= 1
        else:
            # x{0,3} as (x(x(x)?)?)?, in which each position is linked once.
            for _ in range(most - least):
                tail = self._joined(self._build(part), tail)._replace(empty=nothing)
        for _ in range(least):
            tail = self._joined(self._build(part), tail)
        return tail


def _size(node: _Node) -> int:
    """Return the number of positions of a node."""
    if isinstance(node, _Characters):
        return 1
    if isinstance(node, _Assertion):
        return 0
    if isinstance(node, _Repeat):
        return _size(node.part) * max(node.least, 1 if node.most is None else node.most)
    return sum(map(_size, node.parts))


def _bits(mask: int) -> list[int]:
    """Return the numbers of the bits that are set."""
    return [number for number in range(mask.bit_length()) if mask >> number & 1]
