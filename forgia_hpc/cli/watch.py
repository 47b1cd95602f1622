"""Watch a run to its end: one progress bar drawn from its metrics and events. The ranks draw nothing."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from forgia_hpc.cli.output import console, note, say, say_json
from forgia_hpc.errors import ExitCode, JobFailedError, refused_by_system
from forgia_hpc.jobs.eta import left
from forgia_hpc.jobs.local import reap
from forgia_hpc.jobs.members import in_words, members_of
from forgia_hpc.jobs.standing import State, Status
from forgia_hpc.jobs.submit import ask_to_stop
from forgia_hpc.jobs.track import status_of
from forgia_hpc.metrics import parsed
from forgia_hpc.rundir import RunDir
from forgia_hpc.schema.load import load_job

POLL_S = 0.5
ASK_EVERY_S = 5  # seconds between questions to Slurm, which is shared
LINE_EVERY_S = 15  # seconds between lines where there is no terminal


@dataclass
class Tail:
    """The metrics of a run as they grow."""

    run: RunDir
    offset: int = 0
    rest: str = ""

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows that came since the last call."""
        if not self.run.metrics.exists():
            return []
        with self.run.metrics.open(encoding="utf-8", errors="replace") as opened:
            opened.seek(self.offset)
            text = self.rest + opened.read()
            self.offset = opened.tell()
        *lines, self.rest = text.split("\n")
        return [row for line in lines if (row := parsed(line))]


@dataclass
class Pulse:
    """A sign of life beside the logs of a run: ranks that train or judge write figures, not lines."""

    run: RunDir
    tail: Tail
    of: dict[str, int]
    said: str = ""
    told: float = 0.0
    last: dict[str, Any] | None = None  # read and not yet told

    @classmethod
    def begin(cls, run: RunDir) -> Pulse:
        """Follow a run from now on: of the rows that stand already only the last is told."""
        return cls(run, Tail(run), planned(run))

    def beat(self, status: Status) -> None:
        """Say what the run waits for when that changes, and where it is every few seconds and at its end."""
        self.last = next(reversed(self.tail.rows()), self.last)
        if self.last is None:
            words = "" if status.ended else waits_for(self.run, status)
            due = words != self.said
        else:
            words = line_of(self.last, self.of)
            due = status.ended or time.monotonic() - self.told > ASK_EVERY_S
        if words and due:
            self.said, self.told, self.last = words, time.monotonic(), None
            note(words)


@dataclass
class Picture:
    """The bars of one run: one a phase."""

    progress: Progress
    of: dict[str, int]
    bars: dict[str, TaskID] = field(default_factory=dict)
    waiting: TaskID | None = None

    def begin(self, words: str) -> None:
        """Show what we wait for before the first metric."""
        if self.waiting is None:
            self.waiting = self.progress.add_task(words, total=None)
        else:
            self.progress.update(self.waiting, description=words)

    def show(self, row: dict[str, Any]) -> None:
        """Move the bar of the row's phase."""
        phase = row.get("phase", "train")
        if self.waiting is not None:
            self.progress.remove_task(self.waiting)
            self.waiting = None
        total = row.get("of") or self.of.get(phase)
        if phase not in self.bars:
            for other in self.bars.values():
                self.progress.update(other, visible=True)
            self.bars[phase] = self.progress.add_task(phase, total=total)
        loss = row.get("loss")
        words = str(row.get("what") or phase)
        if isinstance(loss, int | float):
            words = f"{phase}  loss {loss:.4f}"
        if members := members_of(row):
            words = f"{phase}  {in_words(members)}"
        self.progress.update(
            self.bars[phase], completed=row["step"], total=total, description=words
        )


def watch(run: RunDir) -> Status:
    """Draw progress on stderr until the run has ended; Ctrl-C asks it to stop."""
    try:
        return _follow(run)
    except KeyboardInterrupt:
        note(f"\nasking {run.name} to save and stop (Ctrl-C again: leave it to that)")
        ask_to_stop(run)
        try:
            status = _follow(run)
        except KeyboardInterrupt:
            status = status_of([run])[0]
        tell(status)
        raise KeyboardInterrupt from None


def planned(run: RunDir) -> dict[str, int]:
    """Return how many steps each phase will have, where the config tells."""
    job = load_job(run.config)
    return {"train": job.train.steps} if hasattr(job, "train") else {}


def _follow(run: RunDir) -> Status:
    columns = [
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    ]
    with Progress(
        *columns, console=console(stderr=True), disable=not sys.stderr.isatty(), transient=True
    ) as progress:
        return _loop(run, Picture(progress, planned(run)))


def _loop(run: RunDir, picture: Picture) -> Status:
    tail, told = Tail(run), time.monotonic()
    status, asked = status_of([run])[0], time.monotonic()
    while not status.rests:
        for row in tail.rows():
            picture.show(row)
            if not sys.stderr.isatty() and time.monotonic() - told > LINE_EVERY_S:
                told = time.monotonic()
                note(line_of(row, picture.of))
        if not picture.bars:
            picture.begin(waits_for(run, status))
        time.sleep(POLL_S)
        patience = ASK_EVERY_S if status.cluster != "local" else POLL_S
        if time.monotonic() - asked > patience:
            reap(run)
            status, asked = status_of([run])[0], time.monotonic()
    for row in tail.rows():
        picture.show(row)
    return status


def waits_for(run: RunDir, status: Status) -> str:
    """Return what a run waits for before its first metric."""
    if status.state is State.pending:
        return f"pending: {status.why or 'no reason given yet'}"
    started = run.events("seal_checked")
    return "starting the ranks" if started else status.state.value


def line_of(row: dict[str, Any], of: dict[str, int]) -> str:
    """Return one row of metrics as a line for people."""
    phase = row.get("phase", "train")
    total = row.get("of") or of.get(phase) or "?"
    loss = f"loss {row['loss']:.4f}" if isinstance(row.get("loss"), int | float) else ""
    members = members_of(row)
    told = (loss, in_words(members), left(row) if members else "")
    return ", ".join([f"{phase} {row['step']}/{total}", *filter(None, told)])


def tell(status: Status) -> None:
    """Print the end of a run in one line."""
    why = f": {status.why}" if status.why else ""
    note(f"{status.run.name} {status.state.value}{why}")


def finish(status: Status, verb: str, *, as_json: bool) -> None:
    """Print table and page of an ended run, and exit as it ended."""
    from forgia_hpc.report.page import write_report
    from forgia_hpc.report.terminal import show_run

    page: Path | None = None
    try:
        page = write_report(status.run, state=status.state.value)
    except OSError as error:
        refused = refused_by_system(error)
        if refused is None:
            raise
        note(f"no page: {refused}")  # the run's own end counts, not the page's
    if as_json:
        say_json(
            verb,
            {
                **status.as_json(),
                "report": str(page) if page else None,
                "exit_code": int(status.exit_code),
            },
        )
    else:
        show_run(status.run, console(), state=status.state.value, brief=True)
        tell(status)
        if page:
            say(f"report: {page}")
    if status.exit_code is ExitCode.OK:
        return
    if as_json:  # it is said already, and a script reads one object
        raise click.exceptions.Exit(int(status.exit_code))
    raise EndedBadlyError(status)


class EndedBadlyError(JobFailedError):
    """The run was followed to an end that was not a good one."""

    def __init__(self, status: Status) -> None:
        """Take over the exit code that tells the run's state."""
        see = "forgia resume" if status.state is State.held else "see forgia logs"
        super().__init__(f"{status.run.name} {status.state.value}; {see} {status.run.name}")
        self.exit_code = status.exit_code
