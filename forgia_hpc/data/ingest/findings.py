"""What was found while reading: problems (refused, all at once) and mends (made, counted)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.ingest.recipe import Counted
from forgia_hpc.errors import InputError, Problem

CAP = 20  # problems shown; a file in the wrong unit has one a row


@dataclass(frozen=True, kw_only=True)
class Mend:
    """A repair that was made: by which rule, where, how often."""

    rule: str
    file: str
    count: int
    column: str = ""


@dataclass
class Findings:
    """Gathers problems and mends of one ingest."""

    total: int = 0
    shown: list[Problem] = field(default_factory=list)
    mends: list[Mend] = field(default_factory=list)

    def problem(self, field: str, got: object, limit: str, where: str = "", fix: str = "") -> None:
        """Note one problem."""
        self.total += 1
        if len(self.shown) < CAP:
            self.shown.append(Problem(field=field, got=got, limit=limit, where=where, fix=fix))

    def cells(
        self,
        field: str,
        rows: NDArray[np.int64],
        got: Sequence[object],
        places: Sequence[str],
        limit: str,
        fix: str = "",
    ) -> None:
        """Note one problem a row; `got` and `places` may hold the first of them only."""
        for value, place in zip(got, places, strict=True):
            self.problem(field, value, limit, place, fix)
        self.total += len(rows) - len(got)

    def mend(self, rule: str, file: str, count: int, column: str = "") -> None:
        """Count a mend that was made; nothing is noted for a count of 0."""
        if count:
            self.mends.append(Mend(rule=rule, file=file, count=int(count), column=column))

    def count(self, rule: str, file: str = "") -> int:
        """Return how often a rule was applied, in one file or in all."""
        return sum(m.count for m in self.mends if m.rule == rule and file in ("", m.file))

    def check_limit(self, rule: str, files: Sequence[str], allowed: Counted | None) -> None:
        """Refuse a mend that was made more often than the recipe allows."""
        made = sum(self.count(rule, file) for file in files)
        if allowed is not None and allowed.at_most is not None and made > allowed.at_most:
            self.problem(
                f"mends.{rule}",
                made,
                f"at most {allowed.at_most}",
                ", ".join(files),
                "look at the file; raise at_most only if each is right",
            )

    def plain(self) -> dict[str, Any]:
        """Return everything as plain data, for other ranks."""
        shown = [{**asdict(problem), "got": str(problem.got)} for problem in self.shown]
        return {"total": self.total, "shown": shown, "mends": [asdict(m) for m in self.mends]}

    def add(self, plain: dict[str, Any]) -> None:
        """Take in what was found in another stretch; mends of one rule, file and column become one."""
        self.total += plain["total"]
        self.shown += [Problem(**one) for one in plain["shown"]][: CAP - len(self.shown)]
        for one in plain["mends"]:
            self._join(Mend(**one))

    def _join(self, mend: Mend) -> None:
        for number, known in enumerate(self.mends):
            if (known.rule, known.file, known.column) == (mend.rule, mend.file, mend.column):
                self.mends[number] = replace(known, count=known.count + mend.count)
                return
        self.mends.append(mend)

    def refuse(self) -> None:
        """Raise everything that was found wrong.

        Raises:
            InputError: the first problems, and how many there are in all.
        """
        if not self.total:
            return
        hidden = self.total - len(self.shown)
        rest = [
            Problem(
                field="ingest",
                got=f"{self.total} problems",
                limit=f"the first {len(self.shown)} are shown, {hidden} more were found",
            )
        ]
        raise InputError(self.shown + (rest if hidden else []))
