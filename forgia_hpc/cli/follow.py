"""forgia status, wait, cancel, resume."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from forgia_hpc.cli.output import console, note, say, say_json
from forgia_hpc.cli.words import json_option, runs_argument, runs_root
from forgia_hpc.errors import ExitCode, InputError, Problem

if TYPE_CHECKING:
    from forgia_hpc.jobs.track import Status

_COLOURS = {
    "completed": "green",
    "running": "cyan",
    "pending": "yellow",
    "failed": "red",
    "vanished": "red",
    "broken": "red",
    "timeout": "red",
    "stopped": "yellow",
}


@click.command(
    epilog="\b\nExamples:\n  forgia status\n  forgia status -n 50 --json\n  forgia status 20261122"
)
@runs_argument
@click.option("-n", "count", default=20, show_default=True, help="How many of the newest runs.")
@json_option
def status(runs: tuple[str, ...], count: int, as_json: bool) -> None:
    """Where runs stand: our own record, squeue and sacct together."""
    from rich.table import Column, Table
    from rich.text import Text

    from forgia_hpc.jobs.track import find_run, list_runs, status_of

    root = runs_root()
    chosen = [find_run(text, root) for text in runs] or list_runs(root)[-count:]
    found = status_of(chosen)
    if as_json:
        say_json("status", {"runs": [entry.as_json() for entry in found]})
    elif not found:
        say(f"no runs in {root}")
    else:
        name = Column("run", no_wrap=True, min_width=max(len(entry.run.name) for entry in found))
        table = Table(
            name, "kind", "cluster", "job", "state", "step", "why", box=None, pad_edge=False
        )
        for entry in found:
            colour = _COLOURS.get(entry.state.value, "white")
            step = (
                ""
                if entry.step is None
                else f"{entry.step}/{entry.steps}"
                if entry.steps
                else str(entry.step)
            )
            table.add_row(
                entry.run.name,
                entry.kind,
                entry.cluster,
                entry.job_id,
                Text(entry.state.value, colour),
                step,
                entry.why or entry.nodes,
            )
        console().print(table)
    if any(entry.state.value == "unknown" for entry in found):
        raise click.exceptions.Exit(int(ExitCode.SLURM_SILENT))


@click.command(epilog="\b\nExample:\n  forgia wait RUN && forgia report RUN")
@runs_argument
@click.option(
    "--timeout",
    "timeout_s",
    type=float,
    metavar="SECONDS",
    help="Give up waiting (exit 4), the runs go on.",
)
@json_option
def wait(runs: tuple[str, ...], timeout_s: float | None, as_json: bool) -> None:
    """Wait for runs to end; the exit code is that of the worst."""
    from forgia_hpc.jobs.track import State, find_run, status_of

    chosen = [find_run(text, runs_root()) for text in _some(runs)]
    deadline = time.monotonic() + (timeout_s if timeout_s is not None else float("inf"))
    delay = 0.5
    found = status_of(chosen, strict=True)
    never = [entry for entry in found if entry.state is State.sealed]
    if never:
        raise InputError([_never_submitted(entry) for entry in never])
    while not all(entry.ended for entry in found):
        if time.monotonic() > deadline:
            note(f"forgia: {timeout_s:g} s have passed; the runs go on")
            raise click.exceptions.Exit(int(ExitCode.SLURM_SILENT))
        time.sleep(delay)
        delay = min(delay * 1.5, 15)
        found = status_of(chosen, strict=True)
    if as_json:
        say_json("wait", {"runs": [entry.as_json() for entry in found]})
    else:
        for entry in found:
            say(f"{entry.run.name} {entry.state.value}{': ' + entry.why if entry.why else ''}")
    raise click.exceptions.Exit(max(int(entry.exit_code) for entry in found))


@click.command(epilog="\b\nExample:\n  forgia cancel RUN")
@runs_argument
@json_option
def cancel(runs: tuple[str, ...], as_json: bool) -> None:
    """Ask runs to end: scancel under Slurm, a stop at the next step elsewhere."""
    from forgia_hpc.jobs.submit import ask_to_stop
    from forgia_hpc.jobs.track import find_run, status_of

    chosen = [find_run(text, runs_root()) for text in _some(runs)]
    asked = []
    for entry in status_of(chosen):
        if entry.ended:
            note(f"{entry.run.name} has ended already: {entry.state.value}")
        else:
            ask_to_stop(entry.run)
            asked.append(entry.run.name)
    if as_json:
        say_json("cancel", {"asked": asked})
    for name in () if as_json else asked:
        say(f"asked to end: {name}")


@click.command(epilog="\b\nExample:\n  forgia resume RUN")
@runs_argument
@json_option
def resume(runs: tuple[str, ...], as_json: bool) -> None:
    """Start another attempt of a sealed run; training goes on from its newest whole checkpoint."""
    from forgia_hpc.jobs import submit
    from forgia_hpc.jobs.track import State, find_run, status_of

    found = status_of([find_run(text, runs_root()) for text in _some(runs)])
    problems = [
        Problem(
            field="RUN",
            got=entry.run.name,
            limit=f"it is {entry.state.value}",
            fix="nothing to resume",
        )
        for entry in found
        if entry.state in (State.completed, State.broken)
        or not (entry.ended or entry.state is State.sealed)
    ]
    if problems:
        raise InputError(problems)
    started = {entry.run.name: submit.resume(entry.run) for entry in found}
    if as_json:
        say_json("resume", {"runs": started})
    for name, facts in {}.items() if as_json else started.items():
        say(
            f"{name}  {'job' if 'job_id' in facts else 'process'} {facts.get('job_id') or facts.get('pid')}"
        )


def _never_submitted(entry: Status) -> Problem:
    limit = f"it was never submitted{': ' + entry.why if entry.why else ''}"
    return Problem(
        field="RUN", got=entry.run.name, limit=limit, fix=f"forgia resume {entry.run.name}"
    )


def _some(runs: tuple[str, ...]) -> tuple[str, ...]:
    if not runs:
        raise InputError(
            Problem(field="RUN", got=None, limit="at least one is needed", fix="forgia status")
        )
    return runs
