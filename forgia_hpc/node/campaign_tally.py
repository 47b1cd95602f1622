"""Which members of a campaign are open still, how many are settled and as what, and the rows that say so."""

from __future__ import annotations

from forgia_hpc.node.campaign_told import Told
from forgia_hpc.node.campaign_turn import Turn
from forgia_hpc.rundir import RunDir
from forgia_hpc.simulate.journal import Line
from forgia_hpc.simulate.progress import COUNTED, Ending, word_of

ENDINGS = {"solved": "", "known": "admitted", "poison": "poison"}  # lines that settle members


class Tally:
    """The count of one turn. `open`: the members that nothing has settled yet."""

    def __init__(self, run: RunDir, plan: Turn) -> None:
        """Begin with what the journal has settled already."""
        self._plan, self._told = plan, Told(run)
        self.open = set(plan.progress.open_members())
        self._at_start, self._counts = len(self.open), plan.progress.counts(plan.plain)

    def take(self, line: Line) -> None:
        """Count what a line settles."""
        if (what := line["what"]) not in ENDINGS:
            return
        settled = self.open.intersection(line.get("members") or [line["member"]])
        self.open -= settled
        ending = Ending(line.get("ending", ENDINGS[what]))
        self._counts.update(word_of(ending, refined=one >= self._plan.plain) for one in settled)

    @property
    def done(self) -> int:
        """How many this turn has settled."""
        return self._at_start - len(self.open)

    def facts(self) -> dict[str, int]:
        """Return the counts as an event has them."""
        told = {name: self._counts[name] for name in COUNTED}
        plain, every = self._plan.plain, len(self._plan.ids)
        planned = {"planned": plain, "refined_planned": every - plain}
        return {**planned, "left": len(self.open), **told}

    def tell(self, running: int, groups: int, *, now: bool = False) -> None:
        """Write a row, where one is due."""
        if not now and not self._told.is_due:
            return
        facts, every = self.facts(), len(self._plan.ids)
        at_work = {"running": running, "groups": groups}
        self._told.row(every - facts.pop("left"), every, {**at_work, **facts})

    def close(self) -> None:
        """Write no more."""
        self._told.close()
