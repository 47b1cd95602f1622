"""What a campaign says of itself while it runs and when it has ended."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import yaml

from forgia_hpc.errors import ExitCode
from forgia_hpc.metrics import MetricsFile
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.simulate.journal import campaign_of

EVERY_S = 2.0
_WINDOW_S = 30.0  # of the pace


class Told:
    """Rows of metrics: how many members are settled, and how long one takes."""

    def __init__(self, run: RunDir) -> None:
        """Open the run's metrics; no rank writes there meanwhile."""
        self._metrics = MetricsFile(run.metrics)
        self._marks: list[tuple[float, int]] = []
        self._next = 0.0

    @property
    def is_due(self) -> bool:
        """Whether it is time for a row."""
        return time.monotonic() >= self._next

    def row(self, settled: int, of: int, facts: Mapping[str, int]) -> None:
        """Append a row; settled and of count the refined members too."""
        self._next = time.monotonic() + EVERY_S
        pace = self._pace(settled)
        self._metrics.append(settled, phase="simulate", of=of, step_s=pace, **facts)

    def close(self) -> None:
        """Close the file: the conclusion's first rank writes there next."""
        self._metrics.__exit__(None, None, None)

    def _pace(self, settled: int) -> float | None:
        """Return the seconds that a settled member took lately; None while nothing was settled."""
        now = time.monotonic()
        recent = [one for one in self._marks if now - one[0] < _WINDOW_S]
        self._marks = [*(recent or self._marks[-1:]), (now, settled)]
        (first, before), (last, after) = self._marks[0], self._marks[-1]
        return round((last - first) / (after - before), 6) if after > before else None


def is_unsound(run: RunDir, attempt: int, turn: int) -> bool:
    """Whether the conclusion of this turn has found members that must be solved again."""
    found = (event.facts for event in run.events("members_unsound"))
    return any(one["attempt"] == attempt and one["turn"] == f"{attempt}.{turn}" for one in found)


def verdict(run: RunDir) -> tuple[ExitCode, str]:
    """Return exit code and sentence of a campaign that is sealed: it has failed where too few are admitted."""
    told: Mapping[str, Any] = read_json(run.result)["simulate"]
    if told["ending"] == "completed":
        return ExitCode.OK, left_out(told, run)
    least = yaml.safe_load(run.config.read_text(encoding="utf-8"))["ensemble"]["least_share"]
    why = f"fewer than ensemble.least_share={least:g} of them: {told['dataset']} is sealed and kept"
    return ExitCode.JOB_FAILED, f"{left_out(told, run)}; {why}"


def left_out(told: Mapping[str, Any], run: RunDir) -> str:
    """Return the sentence on a campaign that has sealed without some of its members; empty where it has all."""
    out = ("rejected", "poison")
    words = [f"{told[one]} {one}" for one in out if told[one]]
    fine = [f"{many} {one}" for one in out if (many := told.get(f"refined_{one}"))]
    if not (words or fine or told.get("warning")):
        return ""
    said = ", ".join([f"{told['admitted']} of {told['planned']} members admitted", *words])
    if fine:
        refined = f"{told['refined']} of {told['refined_planned']} refined ones admitted"
        said = f"{said}; {', '.join([refined, *fine])}"
    where = f": {campaign_of(run) / 'rejected'}" if words or fine else ""
    warning = f"; {told['warning']}" if told.get("warning") else ""
    return said + where + warning
