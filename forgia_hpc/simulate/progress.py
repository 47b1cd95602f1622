"""How far a campaign is: the lines of its journal, folded into what has become of each member.

Pure but for reading the journal's files, and light: the batch step follows a running campaign with it.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
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


@dataclass(frozen=True, slots=True)
class Settled:
    """A member's ending, whose journal tells it and where in it, and the line itself where lines are kept."""

    ending: Ending
    by: str
    at: int = 0
    line: Line | None = None


_ENDINGS = list(Ending)


class Words:
    """Who has said what of which member: 13 bytes each, since nearly all have one word only."""

    def __init__(self, planned: int) -> None:
        """Take how many members there are."""
        self._ending = bytearray(planned)  # 0: none
        self._by, self._at = array("i", bytes(4 * planned)), array("q", bytes(8 * planned))
        self._writers: list[str] = []
        self._numbers: dict[str, int] = {}  # of the writers
        self._more: dict[int, list[Settled]] = {}

    def add(self, number: int, word: Settled) -> None:
        """Take a word; the first one of a writer holds."""
        if word.by in (one.by for one in self.of(number)):
            return
        if self._ending[number]:
            self._more.setdefault(number, []).append(word)
            return
        by = self._numbers.setdefault(word.by, len(self._writers))
        if by == len(self._writers):
            self._writers.append(word.by)
        self._ending[number] = 1 + _ENDINGS.index(word.ending)
        self._by[number], self._at[number] = by, word.at

    def of(self, number: int) -> list[Settled]:
        """Return what was said of a member, the first writer's first."""
        if not self._ending[number]:
            return []
        ending = _ENDINGS[self._ending[number] - 1]
        first = Settled(ending, self._writers[self._by[number]], self._at[number])
        if number not in self._more:
            return [first]
        return sorted([first, *self._more[number]], key=lambda one: one.by)

    def alone(self, number: int) -> Settled | None:
        """Return the only word on a member, None where there is none, or another one."""
        if not self._ending[number] or number in self._more:
            return None
        ending = _ENDINGS[self._ending[number] - 1]
        return Settled(ending, self._writers[self._by[number]], self._at[number])

    def several(self) -> list[int]:
        """Return the members that more than one writer has settled."""
        return sorted(self._more)


@dataclass
class Progress:
    """What has become of each member. `keep`: with the lines, which say where its arrays lie."""

    planned: int
    keep: bool = False
    failures: dict[int, list[str]] = field(default_factory=dict)
    began: dict[str, int] = field(default_factory=dict)  # writer → the member that it is at
    claimed: dict[str, list[str]] = field(default_factory=dict)  # writer → blocks it reached for
    unsound: set[tuple[int, str]] = field(default_factory=set)
    sealed: dict[str, str] = field(default_factory=dict)  # shard → its SHA-256
    torn: int = 0

    def __post_init__(self) -> None:
        """Nothing is said of any member."""
        self._words = Words(self.planned)
        self.seconds = array("d", [math.nan]) * self.planned  # of a member's try; NaN: none here
        self._lines: dict[tuple[int, str], Line] = {}
        self._at = 0

    def take(self, by: str, line: Line, at: int = 0) -> None:
        """Take the next line of a writer; `at`: where it begins in the file."""
        self._at = at
        _TAKES[line["what"]](self, by, line)

    def _settle(self, by: str, line: Line, ending: Ending) -> None:
        self._words.add(line["member"], Settled(ending, by, self._at))
        if self.keep:
            self._lines.setdefault((line["member"], by), line)
        self.began.pop(by, None)

    def _solved(self, by: str, line: Line) -> None:
        self.seconds[line["member"]] = line.get("seconds", math.nan)
        self._settle(by, line, Ending(line["ending"]))

    def _poisoned(self, by: str, line: Line) -> None:
        self._settle(by, line, Ending.poison)

    def _known(self, by: str, line: Line) -> None:
        for number in line["members"]:
            self._settle(by, {**line, "member": number}, Ending.admitted)

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
        first = None if self.keep else self._words.alone(number)
        if first and (number, first.by) not in self.unsound:
            return first
        standing = [one for one in self.words(number) if (number, one.by) not in self.unsound]
        solved = [one for one in standing if one.ending is not Ending.poison]
        return next(iter([*solved, *standing]), None)

    def words(self, number: int) -> list[Settled]:
        """Return every word on a member, voided ones too."""
        found = self._words.of(number)
        if not self.keep:
            return found
        return [replace(one, line=self._lines[number, one.by]) for one in found]

    def several(self) -> list[int]:
        """Return the members that more than one writer has settled."""
        return self._words.several()

    def counts(self, plain: int) -> Counter[str]:
        """Return how many members have ended how, by COUNTED; the first `plain` are those of level 0."""
        found = ((number, self.settled(number)) for number in range(self.planned))
        return Counter(word_of(one.ending, refined=number >= plain) for number, one in found if one)

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


def read_progress(run: RunDir, planned: int) -> Progress:
    """Return how far a campaign is by all that was ever written."""
    found = Progress(planned)
    for reader, line in _read(run, found):
        found.take(reader.path.stem, line, reader.at)
    return found


def all_lines(run: RunDir, found: Progress) -> Iterator[tuple[str, Line]]:
    """Yield every whole line with its writer; count the torn ones."""
    return ((reader.path.stem, line) for reader, line in _read(run, found))


def _read(run: RunDir, found: Progress) -> Iterator[tuple[Reader, Line]]:
    for writer in writers(run):
        reader = Reader(file_of(run, writer))
        for line in reader:
            yield reader, line
        found.torn += reader.torn
