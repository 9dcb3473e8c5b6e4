"""The policy that decides how long it pays to remember what a stream contains.

Decoding and rendering are several times faster for what was seen before, but remembering costs time and memory, which
are lost where nothing repeats. A `Credit` bounds that loss: remembering something spends credit, finding something
remembered earns it back. Without credit there is a rest, in which nothing is remembered and nothing is looked up, and
after the rest a smaller credit to try again. A stream in which nothing repeats then costs little more than one that is
never learned from, and a stream that repeats again later is noticed.
"""

from __future__ import annotations

__all__ = ["Credit"]


class Credit:
    """Credit for remembering, spent by new things and earned by those that are found again.

    A message takes one of three paths, and each calls at most one method:

        if credit.resting:
            credit.skip()
            ...                                 # without looking anything up
        elif (found := memo.get(key)) is None:
            if credit.spend():
                memo[key] = ...
        elif credit.left < credit.limit:        # nothing is called while the credit is full
            credit.earn(2)

    A message whose key is found costs three attribute reads while the credit is full.
    Threads may share a Credit. An update that is lost to a race makes a rest or a credit differ by one.

    Args:
        limit: the credit to begin with, and the most that there can be.
        rest: messages in the first rest. Each further one is twice as long, until something is found again.
        max_rest: messages in the longest rest.
        refill: messages of a rest that give a credit of one.
        patience: new things without credit, in a row, that begin a rest.
        warm_up: messages in a rest at the beginning, so that nothing is remembered for a stream of a few messages.

    Attributes:
        left: the credit.
        resting: messages still to come in this rest; 0: no rest.
    """

    __slots__ = ("_in_vain", "_max_rest", "_next_rest", "_patience", "_refill", "_rest", "left", "limit", "resting")

    def __init__(
        self,
        *,
        limit: int,
        rest: int,
        max_rest: int,
        refill: int,
        patience: int = 1,
        warm_up: int = 0,
    ) -> None:
        self.left = self.limit = limit
        self.resting = warm_up
        self._rest = self._next_rest = rest
        self._max_rest = max_rest
        self._refill = refill
        self._patience = patience
        self._in_vain = 0

    def spend(self, cost: int = 1) -> bool:
        """Spend credit on remembering something new; return False if there is none, after which a rest may begin.

        The cost may exceed the credit: the debt is then paid off first.
        """
        if self.left > 0:
            self.left -= cost
            return True
        self._in_vain += 1
        if self._in_vain >= self._patience:
            self._in_vain = 0
            # A longer rest gives more credit: it is a share of the messages that passed, which bounds what learning
            # costs in the long run. A debt is paid off first.
            self.resting = self._next_rest
            self.left = min(self.left + self._next_rest // self._refill, self.limit)
            self._next_rest = min(2 * self._next_rest, self._max_rest)
        return False

    def earn(self, reward: int) -> None:
        """Add the reward for something found, up to the limit; the next rest will be a short one again."""
        self._in_vain = 0
        self._next_rest = self._rest
        self.left = min(self.left + reward, self.limit)

    def skip(self) -> None:
        """Count one message of a rest."""
        # Read once, so that it is never below zero, even if two threads end the rest together.
        left = self.resting
        if left:
            self.resting = left - 1
