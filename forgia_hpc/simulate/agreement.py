"""How the ranks of a group agree that a try goes on: one that fails alone must not leave the others waiting.

After each stage all ranks meet in a communicator of their own, so that a rank which is still in the solver can't
take the meeting for the solver's messages. Whoever comes well waits for all; whoever has failed waits a while,
since it can't know whether the others are on their way or wait for it.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from forgia_hpc.simulate.communicator import Communicator

PATIENCE_S = 10.0  # of a rank that has failed
_POLL_S = 0.01
Word = tuple[str, str, bool]  # kind and why of a failure, and whether it is only a stop


class ApartError(Exception):
    """A failure that not all ranks share."""

    def __init__(self, word: Word) -> None:
        """Take what the rank that has failed says."""
        super().__init__(f"not on all ranks: {word[0]}: {word[1]}")
        self.word = word


class Agreement:
    """Where the ranks of a group meet; open for as long as the group is."""

    def __init__(self, ranks: Communicator, patience_s: float = PATIENCE_S) -> None:
        """Take all ranks of the group together."""
        self._patience_s = patience_s
        world: Any = ranks
        self._own = world.Dup() if ranks.size > 1 else world

    def first(self, word: Word | None) -> Word | None:
        """Return the first rank's failure where all have failed; None where none has.

        Raises:
            ApartError: some have failed and others not, or these don't come. What they have sent each other in
                vain is still on its way, so the group can't solve another member.
        """
        if self._own.size == 1 or not self._met(word):
            return word
        words: list[Word | None] = self._own.allgather(word)
        first = next(one for one in words if one is not None)
        if None in words:
            raise ApartError(first)
        return first

    def _met(self, word: Word | None) -> bool:
        """Wait for all ranks; return whether any has failed."""
        own, seen = np.array([word is not None], np.int32), np.zeros(1, np.int32)
        meeting = self._own.Iallreduce(own, seen)
        if word is None:
            meeting.Wait()
            return bool(seen[0])
        until = time.monotonic() + self._patience_s
        while not meeting.Test():
            if time.monotonic() > until:
                raise ApartError(word)
            time.sleep(_POLL_S)
        return True
