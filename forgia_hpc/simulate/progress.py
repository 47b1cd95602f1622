"""How far a campaign is: the lines of its journal, folded into what has become of each member.

Pure but for reading the journal's files, and light: the batch step follows a running campaign with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from forgia_hpc.rundir import RunDir
from forgia_hpc.simulate.journal import Line, Reader, file_of, writers


class Ending(Enum):
    """What has become of a member that is settled."""

    admitted = "admitted"
    rejected = "rejected"
    poison = "poison"


COUNTED = (*(one.value for one in Ending), "refined", "refined_rejected", "refined_poison")


def word_of(ending: Ending, *, refined: bool) -> str:
    """Return under which word a member counts: a refined one is no member of the dataset, and counts apart."""
    if not refined:
        return ending.value
    return "refined" if ending is Ending.admitted else f"refined_{ending.value}"


@dataclass(frozen=True)
class Settled:
    """A member's ending, whose journal tells it, and the line itself where lines are kept."""

    ending: Ending
    by: str
    line: Line | None = None


@dataclass
class Progress:
    """What has become of each member. `keep`: with the lines, which say where its arrays lie."""

    planned: int
    keep: bool = False
    found: dict[int, dict[str, Settled]] = field(default_factory=dict)  # member → writer → ending
    failures: dict[int, list[str]] = field(default_factory=dict)
    began: dict[str, int] = field(default_factory=dict)  # writer → the member that it is at
    claimed: dict[str, list[str]] = field(default_factory=dict)  # writer → blocks it reached for
    unsound: set[tuple[int, str]] = field(default_factory=set)
    sealed: dict[str, str] = field(default_factory=dict)  # shard → its SHA-256
    torn: int = 0

    def take(self, by: str, line: Line) -> None:
        """Take the next line of a writer."""
        _TAKES[line["what"]](self, by, line)

    def _settle(self, by: str, line: Line, ending: Ending) -> None:
        one = Settled(ending, by, line if self.keep else None)
        self.found.setdefault(line["member"], {}).setdefault(by, one)
        self.began.pop(by, None)

    def _solved(self, by: str, line: Line) -> None:
        self._settle(by, line, Ending(line["ending"]))

    def _poisoned(self, by: str, line: Line) -> None:
        self._settle(by, line, Ending.poison)

    def _known(self, by: str, line: Line) -> None:
        for number in line["members"]:
            one = {**line, "member": number} if self.keep else line
            self._settle(by, {**one, "member": number}, Ending.admitted)

    def _begun(self, by: str, line: Line) -> None:
        self.began[by] = line["member"]

    def _failed(self, by: str, line: Line) -> None:
        if line.get("member") is not None:
            self.failures.setdefault(line["member"], []).append(line["kind"])
        self.began.pop(by, None)

    def _claiming(self, by: str, line: Line) -> None:
        self.claimed.setdefault(by, []).append(line["block"])

    def _unsound(self, _by: str, line: Line) -> None:
        self.unsound.add((line["member"], line["writer"]))

    def _sealed(self, _by: str, line: Line) -> None:
        self.sealed[line["shard"]] = line["sha256"]

    def _nothing(self, by: str, _line: Line) -> None:
        self.began.pop(by, None)

    def settled(self, number: int) -> Settled | None:
        """Return what has become of a member: the best word that stands, and of equal ones the first writer's."""
        standing = [
            one
            for by, one in sorted(self.found.get(number, {}).items())
            if (number, by) not in self.unsound
        ]
        solved = [one for one in standing if one.ending is not Ending.poison]
        return next(iter([*solved, *standing]), None)

    def counts(self, plain: int) -> Counter[str]:
        """Return how many members have ended how, by COUNTED; the first `plain` are those of level 0."""
        found = {number: self.settled(number) for number in self.found}
        return Counter(
            word_of(one.ending, refined=number >= plain) for number, one in found.items() if one
        )

    def open_members(self) -> list[int]:
        """Return the members that are not settled, in order."""
        return [number for number in range(self.planned) if self.settled(number) is None]


_TAKES: dict[str, Any] = {
    "opened": Progress._nothing,
    "claiming": Progress._claiming,
    "known": Progress._known,
    "begun": Progress._begun,
    "solved": Progress._solved,
    "failed": Progress._failed,
    "lost": Progress._failed,
    "poison": Progress._poisoned,
    "stopped": Progress._nothing,
    "unsound": Progress._unsound,
    "sealed": Progress._sealed,
}


def read_progress(run: RunDir, planned: int, *, keep: bool = False) -> Progress:
    """Return how far a campaign is by all that was ever written."""
    found = Progress(planned, keep=keep)
    for writer, line in all_lines(run, found):
        found.take(writer, line)
    return found


def all_lines(run: RunDir, found: Progress) -> Iterator[tuple[str, Line]]:
    """Yield every whole line with its writer; count the torn ones."""
    for writer in writers(run):
        reader = Reader(file_of(run, writer))
        for line in reader:
            yield writer, line
        found.torn += reader.torn
