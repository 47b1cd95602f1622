"""The files of the block that a group has taken: one for each number of steps that its members have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forgia_hpc.data.fields.layout import Array, Schema
from forgia_hpc.simulate import claims
from forgia_hpc.simulate.blocks import TIMES, Block


@dataclass(frozen=True)
class Row:
    """Where a member goes: a file of a block, with so many rows."""

    block: str
    file: str
    rows: int
    row: int


class BlockFiles:
    """Files that this process alone writes, and the rows of those that its group writes together."""

    def __init__(self, folder: Path, schema: Schema, launch: str) -> None:
        """Take the folder of the blocks, and this launch's name: two launches never write one file."""
        self._folder, self._schema, self._launch = folder, schema, launch
        self._block: claims.Block | None = None
        self._open: dict[int, Block] = {}

    def turn_to(self, block: claims.Block) -> None:
        """Close what is open: the members that come are this block's."""
        self.close()
        self._block = block

    def row_of(self, number: int, steps: int) -> Row:
        """Return where a member of so many steps goes."""
        assert self._block is not None
        file = f"{self._block.name}-{self._launch}-{steps}.h5"
        members = self._block.members
        return Row(self._block.name, file, len(members), members.index(number))

    def put(self, number: int, numbers: Mapping[str, Array]) -> dict[str, Any]:
        """Write a member's numbers, and return where and what they are.

        Raises:
            OSError: no room.
        """
        steps = len(numbers[TIMES])
        place = self.row_of(number, steps)
        if steps not in self._open:
            path = self._folder / place.file
            self._open[steps] = Block(path, self._schema, place.rows, steps)
        sums = self._open[steps].put(place.row, numbers)
        return {"file": place.file, "row": place.row, "steps": steps, "sums": sums}

    def close(self) -> None:
        """Close every file."""
        for file in self._open.values():
            file.__exit__(None, None, None)
        self._open.clear()
