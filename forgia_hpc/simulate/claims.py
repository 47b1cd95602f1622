"""Who solves what: members are taken in blocks, and a block by a file that only one group can make.

A claim holds for one turn of one attempt; what a dead group had taken comes back as a new block, with the failures
that its members have behind them. So no claim is ever given up by time, and none is taken away.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forgia_hpc.rundir import RunDir, read_json, write_json
from forgia_hpc.simulate.journal import campaign_of
from forgia_hpc.simulate.lazy import Lazy

TODO = "todo.json"
LARGEST = 64  # members of a block that we choose
BLOCKS_EACH = 16  # a group has at least so many turns, so that none waits long for the last one
_FOLDED = 1000  # claims of one folder


@dataclass(frozen=True, kw_only=True)
class Block:
    """Members that one group takes together, and the failures that some have behind them."""

    name: str
    members: tuple[int, ...]
    failures: Mapping[int, Sequence[str]] = field(default_factory=dict)


def block_size(asked: int, members: int, groups: int) -> int:
    """Return how many members a group claims together."""
    return asked or max(1, min(LARGEST, members // (groups * BLOCKS_EACH)))


class Blocks(Lazy[Block]):
    """The planned blocks, each made when it is asked for."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        """Take what `Claims.plan` has written."""
        self._members: list[int] = told["members"]
        self._size: int = told["size"]
        self._failures = told["failures"]

    def __len__(self) -> int:
        """Return how many there are."""
        return (len(self._members) + self._size - 1) // self._size

    def item(self, at: int) -> Block:
        """Return one."""
        members = self._members[at * self._size : (at + 1) * self._size]
        return _block(f"{at:06d}", members, self._failures)


class Round:
    """The planned blocks as one group comes to them: its own share first, then what others leave.

    What is taken stays taken, so a group's next process begins where the last one was: a process a member
    would else ask for all blocks again each time.
    """

    def __init__(self, claims: Claims, group: int, groups: int) -> None:
        """Begin where the group's last process was."""
        self._claims, self._blocks = claims, claims.blocks()
        self._first = len(self._blocks) * group // groups
        self._file = claims.folder / f"at-{group}"
        self._gone = self._remembered()  # so many are taken

    def next(self) -> Block | None:
        """Return the next block that nobody holds yet, to be taken now; None: no more."""
        while self._gone < len(self._blocks):
            block = self._blocks[(self._first + self._gone) % len(self._blocks)]
            self._gone += 1
            if self._claims.holder(block.name) is None:
                return block
        return None

    def remember(self) -> None:
        """Note for the group's next process how many are taken."""
        beside = self._file.with_name(f".{self._file.name}")
        beside.write_text(str(self._gone), encoding="utf-8")
        beside.replace(self._file)

    def _remembered(self) -> int:
        try:
            return int(self._file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # nobody was here, or a power cut has emptied it
            return 0


class Claims:
    """The blocks of one turn of an attempt."""

    def __init__(self, run: RunDir, turn: str) -> None:
        """Take the run, and `<attempt>.<turn>`."""
        self.folder = campaign_of(run) / "claims" / turn

    def plan(
        self,
        members: Sequence[int],
        size: int,
        failures: Mapping[int, Sequence[str]],
        distrusted: Sequence[int] = (),
    ) -> None:
        """Say what is to be done in this turn. distrusted: solved even where a sealed dataset has them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        told = {str(number): list(kinds) for number, kinds in failures.items()}
        content = {
            "members": list(members),
            "size": size,
            "failures": told,
            "distrusted": list(distrusted),
        }
        write_json(self.folder / TODO, content)

    def give_back(
        self, number: int, members: Sequence[int], failures: Mapping[int, Sequence[str]]
    ) -> None:
        """Let others take what a dead group has left; only the supervisor does so, numbering from 0."""
        told = {str(member): list(kinds) for member, kinds in failures.items()}
        content = {"members": list(members), "failures": told}
        write_json(self.folder / f"back-{number:06d}.json", content)

    def distrusted(self) -> frozenset[int]:
        """Return the members that are to be solved, whatever a sealed dataset has of them."""
        return frozenset(read_json(self.folder / TODO)["distrusted"])

    def blocks(self) -> Blocks:
        """Return the blocks that were planned."""
        return Blocks(read_json(self.folder / TODO))

    def round(self, group: int, groups: int) -> Round:
        """Return the planned blocks in the order in which a group comes to them."""
        return Round(self, group, groups)

    def given_back(self, *, taken: bool = False) -> Iterator[Block]:
        """Yield the blocks that came back; those that somebody has taken since only if `taken`."""
        for path in sorted(self.folder.glob("back-*.json")):
            if taken or not self._file(path.stem).exists():
                told = read_json(path)
                yield _block(path.stem, told["members"], told["failures"])

    def held(self, by: str, reached_for: Sequence[str]) -> list[int]:
        """Return the members of the blocks that a group has got, of those that it reached for."""
        got = {name for name in reached_for if self.holder(name) == by}
        blocks = [*self.blocks(), *self.given_back(taken=True)] if got else []
        return [number for one in blocks if one.name in got for number in one.members]

    def take(self, block: Block, by: str) -> bool:
        """Claim a block; False where another group was first."""
        file = self._file(block.name)
        own = self._own(by)
        try:
            os.link(own, file)
        except FileNotFoundError:
            file.parent.mkdir(exist_ok=True)
            return self.take(block, by)
        except FileExistsError:
            # open(2): NFS may say so of the link that it has just made
            return self.holder(block.name) == by
        return True

    def holder(self, name: str) -> str | None:
        """Return who has taken a block, None if it is free."""
        try:
            return self._file(name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def _own(self, by: str) -> Path:
        """Return the file that stands for a group: a claim is one more name of it, so it is never half written."""
        path = self.folder / f".{by}"
        if not path.exists():
            path.write_text(by, encoding="utf-8")
        elif path.stat().st_nlink > 10_000:  # ext4 allows 65,000 names of a file
            path.unlink()
            path.write_text(by, encoding="utf-8")
        return path

    def _file(self, name: str) -> Path:
        fold = int(name) // _FOLDED if name.isdigit() else 0
        return self.folder / f"{fold:03d}" / f"{name}.claim"


def _block(name: str, members: Sequence[int], failures: Mapping[str, Any]) -> Block:
    mine = {number: tuple(failures[str(number)]) for number in members if str(number) in failures}
    return Block(name=name, members=tuple(members), failures=mine)
