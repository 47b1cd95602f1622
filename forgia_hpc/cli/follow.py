"""forgia wait, cancel, resume."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from forgia_hpc.cli.output import note, say, say_json
from forgia_hpc.cli.words import json_option, runs_argument, runs_root
from forgia_hpc.errors import ExitCode, InputError, Problem, SlurmSilentError

if TYPE_CHECKING:
    from forgia_hpc.jobs.standing import Status
    from forgia_hpc.rundir import RunDir


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
    """Wait for runs to end, or until Slurm holds them (exit 6); the exit code is that of the worst."""
    from forgia_hpc.jobs.find import find_run
    from forgia_hpc.jobs.receipt import settle_beside
    from forgia_hpc.jobs.standing import State
    from forgia_hpc.jobs.together import asked_together
    from forgia_hpc.jobs.track import status_of

    chosen = [find_run(text, runs_root()) for text in _some(runs)]
    deadline = time.monotonic() + (timeout_s if timeout_s is not None else float("inf"))
    delay = 0.5
    with asked_together(chosen):
        found = status_of(chosen, strict=True)
    never = [entry for entry in found if entry.state is State.sealed]
    if never:
        raise InputError([_never_submitted(entry) for entry in never])
    while not all(entry.rests for entry in found):
        if time.monotonic() > deadline:
            note(f"forgia: {timeout_s:g} s have passed; the runs go on")
            raise click.exceptions.Exit(int(ExitCode.SLURM_SILENT))
        time.sleep(delay)
        delay = min(delay * 1.5, 15)
        with asked_together(chosen):
            found = status_of(chosen, strict=True)
    settle_beside([entry.run for entry in found if entry.ended])
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
    from forgia_hpc.cli.sweep import stop_whole
    from forgia_hpc.jobs.find import find_run
    from forgia_hpc.jobs.submit import ask_to_stop
    from forgia_hpc.jobs.track import WHOLES, status_of

    chosen = [find_run(text, runs_root()) for text in _some(runs)]
    asked = []
    for entry in status_of(chosen):
        if entry.ended:
            note(f"{entry.run.name} has ended already: {entry.state.value}")
        else:
            stop = stop_whole if entry.kind in WHOLES else ask_to_stop
            stop(entry.run)
            asked.append(entry.run.name)
    if as_json:
        say_json("cancel", {"asked": asked})
    for name in () if as_json else asked:
        say(f"asked to end: {name}")


@click.command(epilog="\b\nExamples:\n  forgia resume RUN\n  forgia resume RUN --yes")
@runs_argument
@click.option("--next-link", is_flag=True, hidden=True)
@click.option("--yes", is_flag=True, help="Go beyond the month's share, from now on.")
@json_option
def resume(runs: tuple[str, ...], next_link: bool, yes: bool, as_json: bool) -> None:
    """Start another attempt of a sealed run; training goes on from its newest whole checkpoint.

    A job that Slurm holds is released: it is the run's own, and no other is sent.
    """
    from forgia_hpc.cli.sweep import resume_whole
    from forgia_hpc.jobs import journal, submit
    from forgia_hpc.jobs.agreement import note_agreed
    from forgia_hpc.jobs.chain_state import with_members
    from forgia_hpc.jobs.find import find_run
    from forgia_hpc.jobs.track import status_of

    chosen = [find_run(text, runs_root()) for text in _some(runs)]
    for one in with_members(chosen):
        note_agreed(one, agreed=yes)
    wholes, chosen = _parted(chosen)
    for one in wholes:
        resume_whole(one, as_json=as_json)
    if wholes and not chosen:
        return
    if next_link:  # asked by a running batch step, for the time after its own job
        _tell_resumed({run.name: submit.next_link(run) for run in chosen}, as_json=as_json)
        return
    # before the state is asked for: of two that see the same state, one finds its number claimed
    numbers = {run.name: journal.next_number(run) for run in chosen}
    found = status_of(chosen)
    _require_resumable(found)
    started = {one.run.name: _again(one, numbers[one.run.name]) for one in found}
    _tell_resumed(started, as_json=as_json)


def _again(entry: Status, number: int) -> dict[str, Any]:
    """Release the run's job where Slurm holds it, else start another attempt."""
    from forgia_hpc.jobs import submit
    from forgia_hpc.jobs.held_job import release
    from forgia_hpc.jobs.standing import State

    if entry.state is State.held:
        return release(entry.run, entry.job_id)
    return submit.resume(entry.run, number)


def _parted(runs: Sequence[RunDir]) -> tuple[list[RunDir], list[RunDir]]:
    """Part sweeps and chains from runs of one job."""
    from forgia_hpc.jobs.submission import sealed_record
    from forgia_hpc.jobs.track import WHOLES

    wholes = [run for run in runs if sealed_record(run)["kind"] in WHOLES]
    return wholes, [run for run in runs if run not in wholes]


def _require_resumable(found: Sequence[Status]) -> None:
    from forgia_hpc.jobs.standing import State

    if doubtful := [entry for entry in found if entry.state is State.unknown]:
        raise SlurmSilentError("\n".join(f"{one.run.name}: {one.why}" for one in doubtful))
    problems = [
        Problem(
            field="RUN",
            got=entry.run.name,
            limit=f"it is {entry.state.value}"
            + (f": {entry.why}" if entry.state is State.pending and entry.why else ""),
            fix="nothing to resume",
        )
        for entry in found
        if entry.state in (State.completed, State.broken)
        or not (entry.rests or entry.state is State.sealed)
    ]
    if problems:
        raise InputError(problems)


def _tell_resumed(started: Mapping[str, Mapping[str, Any]], *, as_json: bool) -> None:
    if as_json:
        say_json("resume", {"runs": started})
    for name, facts in {}.items() if as_json else started.items():
        what = f"job {facts['job_id']}" if "job_id" in facts else f"process {facts.get('pid')}"
        say(f"{name}  {what}{' released' if facts.get('released') else ''}")


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
