"""forgia check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from forgia_hpc.cli.output import console, note, say, say_json
from forgia_hpc.cli.words import json_option, kind_argument, overrides_argument, program_after
from forgia_hpc.errors import ExitCode
from forgia_hpc.schema.job import Kind

if TYPE_CHECKING:
    from forgia_hpc.jobs.offline import Verdict
    from forgia_hpc.jobs.touched import Touch

_HELP = """\b
Examples:
  forgia check train cluster=leonardo_booster resources.account=AIFAC_L01 resources.walltime=00:30:00
  forgia check --offline train data=refinery model=telemetry_1m
  forgia check --offline command command.source=. -- python train.py --steps 2"""
_SAID = {
    "host": "host",
    "write": "file written",
    "open": "file read",
    "load": "library loaded",
    "list": "folder listed",
}


@click.command(epilog=_HELP)
@kind_argument
@overrides_argument
@click.option(
    "--offline", is_flag=True, help="Run a few steps without any network; tell what it touches."
)
@click.option(
    "--seconds", default=300.0, show_default=True, help="So long at most, then it is asked to stop."
)
@json_option
def check(
    kind: str, overrides: tuple[str, ...], offline: bool, seconds: float, as_json: bool
) -> None:
    """Whether a job is sound, without submitting it; --offline runs the beginning of it here, cut off.

    One rank computes two steps on the CPU in an empty network namespace. Told is every host that it asks for, and
    every file outside of its run, its data, its Python and the system. Exit code 2 where there is any.
    """
    from forgia_hpc.jobs.offline import check_offline
    from forgia_hpc.jobs.plan import Wish, make_plan

    own, argv = program_after(overrides)
    if not offline:
        make_plan(Wish(kind=Kind(kind), verb="check", overrides=own, argv=argv, dry=True))
        if as_json:
            say_json("check", {"accepted": True})
        else:
            say("accepted")
        return
    found = check_offline(Kind(kind), own, argv, seconds)
    if as_json:
        touched = [vars(one) for one in found.touched]
        say_json("check", {**vars(found), "touched": touched, "clean": found.clean})
    else:
        _show(found)
    if not found.clean or found.exit_code not in (ExitCode.OK, ExitCode.STOPPED):
        raise click.exceptions.Exit(int(ExitCode.INPUT if not found.clean else found.exit_code))


def _show(found: Verdict) -> None:
    for one in found.touched:
        _tell(one)
    count = len(found.touched)
    ending = f"the job: {found.ended} ({found.seconds:g} s)"
    say(f"{'clean' if found.clean else f'{count} undeclared'}; {ending}")
    if not found.traced:
        note("not checked here: what C code and other programs open; strace can't be used")


def _tell(one: Touch) -> None:
    console().print(f"{_SAID[one.what]}: {one.target}", style="red")
    for frame in one.stack:
        say(f"    {_shorter(frame)}")
    if one.seen_by == "names":
        say("    its name was looked up, not by Python")
    elif not one.stack:
        say(f"    seen by strace in {one.program or 'a thread or child'}; no Python stack")


def _shorter(frame: str) -> str:
    return frame.replace(f"{Path.home()}/", "~/")
