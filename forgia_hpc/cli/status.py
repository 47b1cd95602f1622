"""forgia status."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from forgia_hpc.cli.output import PIPE_COLUMNS, note, say, say_json
from forgia_hpc.cli.words import json_option, runs_argument, runs_root
from forgia_hpc.errors import ExitCode
from forgia_hpc.jobs.members import in_words
from forgia_hpc.jobs.standing import Status

if TYPE_CHECKING:
    from forgia_hpc.rundir import RunDir

_COLOURS = {
    "completed": "green",
    "running": "cyan",
    "pending": "yellow",
    "held": "yellow",
    "stopped": "yellow",
    "preempted": "yellow",
    "sealed": "white",
    "unknown": "magenta",
}
HEADS = ("run", "kind", "cluster", "job", "state", "step", "when", "why")


@click.command(
    epilog="\b\nExamples:\n  forgia status\n  forgia status -n 1000\n  forgia status 20261122\n"
    "  forgia status --json -n 50"
)
@runs_argument
@click.option("-n", "count", default=20, show_default=True, help="How many of the newest runs.")
@click.option("--points", is_flag=True, help="Of a sweep: every point, not a line for all.")
@json_option
def status(runs: tuple[str, ...], count: int, points: bool, as_json: bool) -> None:
    """Where runs stand: our own record, squeue and sacct together, each asked once for all."""
    from forgia_hpc.jobs.find import find_run, list_runs
    from forgia_hpc.jobs.receipt import settle_beside
    from forgia_hpc.jobs.together import asked_together
    from forgia_hpc.jobs.track import status_of

    root = runs_root()
    chosen = [find_run(text, root) for text in runs] or list_runs(root)[-count:]
    if points:
        from forgia_hpc.cli.sweep import tell_points

        tell_points(chosen, as_json=as_json)
        return
    if runs:
        from forgia_hpc.jobs.chain_state import with_members

        chosen = with_members(chosen)
    with asked_together(chosen):
        found = status_of(chosen)
    commits = _commits(chosen) if runs else {}
    if as_json:
        rows = [_with_source(entry, commits) for entry in found]
        say_json("status", {"runs": rows})
    elif found:
        _table(found)
        for name, told in commits.items():
            note(f"{name}: source of commit {told[0]}")
    else:
        say(f"no runs in {root}")
    settle_beside([entry.run for entry in found if entry.ended])  # what was asked for is said first
    if silent := [entry for entry in found if entry.state.value == "unknown"]:
        note(
            f"forgia: of {len(silent)} runs the state is not known; nothing is concluded from that"
        )
        raise click.exceptions.Exit(int(ExitCode.SLURM_SILENT))


def _commits(runs: Sequence[RunDir]) -> dict[str, tuple[str, dict[str, str | bool]]]:
    """Return the git commits of the sealed sources, in words and as noted, by run."""
    from forgia_hpc.jobs.commit import sealed_commit, source_line

    noted = {run.name: sealed_commit(run) for run in runs}
    return {name: (source_line(told), told) for name, told in noted.items() if "commit" in told}


def _with_source(
    entry: Status, commits: Mapping[str, tuple[str, dict[str, str | bool]]]
) -> dict[str, Any]:
    told = commits.get(entry.run.name)
    return {**entry.as_json(), **({"source": told[1]} if told else {})}


def _table(found: Sequence[Status]) -> None:
    """Print plain columns: rich takes a second for a thousand rows."""
    rows = [_cells(entry) for entry in found]
    widths = [max(map(len, column)) for column in zip(HEADS, *rows, strict=True)]
    used = [
        index
        for index, name in enumerate(HEADS)
        if widths[index] > len(name) or _filled(rows, index)
    ]
    room = _columns() - sum(widths[index] + 2 for index in used if HEADS[index] != "why")
    say(
        "  ".join(
            click.style(HEADS[index].ljust(widths[index]), bold=True) for index in used
        ).rstrip()
    )
    for row in rows:
        cells = [_styled(row, index, widths[index], max(room, 20)) for index in used]
        say("  ".join(cells).rstrip())


def _filled(rows: Sequence[Sequence[str]], index: int) -> bool:
    return any(row[index] for row in rows)


def _styled(row: Sequence[str], index: int, width: int, room: int) -> str:
    """Return one cell, padded; the last column is cut where a line of a terminal ends."""
    text = row[index]
    if HEADS[index] == "why":
        return text if len(text) <= room or not sys.stdout.isatty() else f"{text[: room - 1]}…"
    padded = text.ljust(width)
    return click.style(padded, fg=_COLOURS.get(text, "red")) if HEADS[index] == "state" else padded


def _columns() -> int:
    return shutil.get_terminal_size((PIPE_COLUMNS, 24)).columns


def _cells(entry: Status) -> tuple[str, ...]:
    step = "" if entry.step is None else str(entry.step)
    step = f"{step}/{entry.steps}" if step and entry.steps else step
    return (
        entry.run.name,
        entry.kind,
        entry.cluster,
        entry.job_id,
        entry.state.value,
        f"{entry.phase} {step}" if entry.phase not in ("", entry.kind) else step,
        entry.when,
        entry.why or "; ".join(filter(None, (in_words(entry.members), entry.nodes))),
    )
