"""The wire over files of the run directory: for ranks that agree a few times an hour, and need no torch for it."""

from __future__ import annotations

import json
import time

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.digest import sha256_text
from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.place import Place

_FIRST_S, _LONGEST_S = 0.001, 0.1  # between two looks


class FileWire:
    """Each collective is a turn: every rank leaves a file, and waits for those of all."""

    def __init__(self, place: Place, run: RunDir) -> None:
        """Take the folder of this start; a rank that dies ends all by the batch step, so waiting has no limit."""
        self._place = place
        self._folder = run.path / "rendezvous" / f"wire-{sha256_text(place.launch)[:12]}"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._turn = 0

    def sum(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the element-wise sum over all ranks, added in their order."""
        parts = [json.loads(text) for text in self.collect(json.dumps(values.tolist()))]
        return np.asarray(np.sum(np.array(parts), axis=0))

    def share(self, text: str) -> str:
        """Return rank 0's text."""
        return self.collect(text)[0]

    def collect(self, text: str) -> list[str]:
        """Return every rank's text."""
        turn, self._turn = self._turn, self._turn + 1
        own = self._folder / f"{turn}-{self._place.rank}"
        part = own.with_name(f".{own.name}.part")
        part.write_text(text, encoding="utf-8")
        part.rename(own)
        found = [self._await(turn, rank) for rank in range(self._place.size)]
        if turn >= 2:  # whoever is in this turn has read the one before the last
            (self._folder / f"{turn - 2}-{self._place.rank}").unlink(missing_ok=True)
        return found

    def _await(self, turn: int, rank: int) -> str:
        pause = _FIRST_S
        while True:
            try:
                return (self._folder / f"{turn}-{rank}").read_text(encoding="utf-8")
            except FileNotFoundError:
                time.sleep(pause)
                pause = min(1.5 * pause, _LONGEST_S)

    def close(self) -> None:
        """Leave the files of the last turns: another rank may still be reading them."""
