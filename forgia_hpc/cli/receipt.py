"""forgia receipt: what runs cost and did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from forgia_hpc.cli.output import console, note, say, say_json
from forgia_hpc.cli.words import json_option, runs_argument, runs_root
from forgia_hpc.errors import InputError, Problem


@click.command(
    epilog="\b\nExamples:\n  forgia receipt RUN\n  forgia receipt RUN RUN RUN\n  forgia receipt RUN --json"
)
@runs_argument
@click.option("--again", is_flag=True, help="Settle it once more from Slurm's accounts.")
@json_option
def receipt(runs: tuple[str, ...], again: bool, as_json: bool) -> None:
    """What runs were billed, waited for, lost, and what to ask for next time."""
    from forgia_hpc.jobs.find import find_run
    from forgia_hpc.jobs.receipt import settle
    from forgia_hpc.slurm.receipt import read_receipt

    if not runs:
        raise InputError(
            Problem(field="RUN", got=None, limit="at least one is needed", fix="forgia status")
        )
    chosen = [find_run(text, runs_root()) for text in runs]
    settle(chosen, again=again)
    for run in chosen:
        _provide(run)
    found = [read_receipt(run) for run in chosen]
    if as_json:
        say_json("receipt", {"receipts": found, "total": _total(found)})
    elif len(found) == 1:
        _one(found[0])
    else:
        _many(found)


def _provide(run: Any) -> None:
    """Make the provisional receipt of a run that has left none yet."""
    from forgia_hpc.slurm.receipt import leave_provisional, path_of

    if path_of(run).exists():
        return
    if not run.events("batch_started"):
        limit, fix = "it has not started, so it has cost nothing yet", f"forgia status {run.name}"
        raise InputError(Problem(field="RUN", got=run.name, limit=limit, fix=fix))
    leave_provisional(run)


def _total(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the sums by unit; of settled and provisional receipts alike."""
    units: dict[str, float] = {}
    for one in found:
        if one["billed"]:
            unit = one["billed"]["unit"]
            units[unit] = units.get(unit, 0.0) + one["billed"]["amount"]
    return {
        "billed": {unit: round(amount, 6) for unit, amount in units.items()},
        "cpu_seconds": sum(one["cpu_seconds"] for one in found),
        "energy_kwh": round(sum(one["energy"]["kwh"] for one in found), 6),
    }


def _one(one: dict[str, Any]) -> None:
    from rich.table import Table

    from forgia_hpc.report.receipt import receipt_rows

    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in receipt_rows(one):
        table.add_row(name, value)
    say(f"{one['run']}  {one['standing']}")
    console().print(table)
    if one["why"]:
        note(one["why"])
    for line in one["hints"]:
        say(f"hint: {line}")


def _many(found: Sequence[dict[str, Any]]) -> None:
    from rich.table import Table

    units = {one["billed"]["unit"] for one in found if one["billed"]}
    unit = units.pop() if len(units) == 1 else ""  # in the head where it is the same for all
    table = Table(
        "run", "standing", unit or "billed", "computed", "lost", "queued", "kWh", "by", box=None, pad_edge=False
    )  # fmt: skip
    table.columns[0].min_width = max(
        len(one["run"]) for one in found
    )  # a name is there to be copied
    for one in found:
        cost = one["billed"]
        table.add_row(
            one["run"],
            one["standing"],
            "" if cost is None else f"{cost['amount']:.4g}{'' if unit else ' ' + cost['unit']}",
            _time(one["work"]["useful_s"]),
            _time(one["work"]["lost_s"]),
            _time(one["wait"]["queue_s"]) if one["wait"]["known"] else "?",
            f"{kwh:.3g}" if (kwh := one["energy"]["kwh"]) >= 0.001 or not kwh else "<0.001",
            one["energy"]["source"],
        )
    console().print(table)
    for unit, amount in _total(found)["billed"].items():
        say(f"together {amount:.6g} {unit}")


def _time(seconds: float) -> str:
    from forgia_hpc.slurm.hints import clock

    return clock(seconds)
