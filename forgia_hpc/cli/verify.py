"""forgia verify: the built-in solver against exact solutions and published benchmarks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from forgia_hpc.cli.output import console, note, say_json
from forgia_hpc.cli.words import json_option
from forgia_hpc.errors import ExitCode, InputError, Problem

if TYPE_CHECKING:
    from forgia_hpc.simulate.verification.figures import Figure, Outcome

_BACKENDS = ("numpy", "numba", "torch")
_EPILOG = """\b
Examples:
  forgia verify                                every case, NumPy (about a minute)
  forgia verify V4 V5 V6 --backend torch
  forgia verify --quick --backend all
  forgia verify --list
Exit code 0 if every figure meets its target, else 3. Cases and sources: docs/verification.md."""


@click.command(epilog=_EPILOG)
@click.argument("cases", nargs=-1, metavar="[CASE…]")
@click.option("--backend", type=click.Choice([*_BACKENDS, "all"]), default="numpy",
              show_default=True, help="What computes; all: each that is installed here.")  # fmt: skip
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True,
              help="Where torch computes.")  # fmt: skip
@click.option("--quick", is_flag=True, help="Only cases of about a second.")
@click.option("--list", "listed", is_flag=True, help="Name cases and the sources of targets.")
@json_option
def verify(
    cases: Sequence[str], backend: str, device: str, quick: bool, listed: bool, as_json: bool
) -> None:
    """Solve the verification cases of the built-in solver; print each figure beside its target."""
    from forgia_hpc.simulate.verification import suite

    wanted = [case for case in suite.chosen(cases) if case.quick or not quick]
    if listed:
        _list(wanted, as_json)
        return
    if device == "cuda" and backend != "torch":
        limit, fix = "only torch computes on a GPU", "--backend torch"
        raise InputError(Problem(field="--device", got=device, limit=limit, fix=fix))
    backends = _backends(backend)
    if device == "cuda":
        _need_gpu()
    found: list[Outcome] = []
    for number, name in enumerate(backends):
        own = [case for case in wanted if case.backends or not number]
        for outcome in suite.verify(own, _how(name, device)):
            found.append(outcome)
            _tell(outcome)
    _show(found, as_json)
    if not all(outcome.passed for outcome in found):
        raise click.exceptions.Exit(int(ExitCode.JOB_FAILED))


def _how(backend: str, device: str) -> Any:
    from forgia_hpc.simulate.verification.figures import How

    return How(backend=backend, device=device if backend == "torch" else "cpu")


def _backends(asked: str) -> list[str]:
    """Return the backends to use; one that was asked for by name must be here."""
    from importlib.util import find_spec

    here = [name for name in _BACKENDS if find_spec(name) is not None]
    if asked == "all":
        return here
    if asked not in here:
        limit, fix = f"{asked} is not installed here", f"pip install {asked}"
        raise InputError(Problem(field="--backend", got=asked, limit=limit, fix=fix))
    return [asked]


def _need_gpu() -> None:
    """Refuse a device that is not there: a case that computes nothing on it would pass all the same.

    Raises:
        InputError: as said.
    """
    import torch

    if not torch.cuda.is_available():
        limit, fix = "torch sees no GPU here", "--device cpu, or run it in a job that has one"
        raise InputError(Problem(field="--device", got="cuda", limit=limit, fix=fix))


def _tell(outcome: Outcome) -> None:
    """Say on a terminal that a case is done."""
    if sys.stderr.isatty():
        ending = "skipped" if outcome.skipped else "passed" if outcome.passed else "FAILED"
        note(f"{outcome.case.name} {outcome.backend}: {ending} ({outcome.seconds:.1f} s)")


def _list(cases: Sequence[Any], as_json: bool) -> None:
    if as_json:
        rows = [{"name": one.name, "title": one.title, "source": one.source} for one in cases]
        say_json("verify", {"cases": rows})
        return
    from rich.table import Table

    table = Table("case", "what", "source of its target", box=None, pad_edge=False)
    for one in cases:
        table.add_row(one.name, one.title, one.source)
    console().print(table)


def _show(found: Sequence[Outcome], as_json: bool) -> None:
    if as_json:
        passed = all(outcome.passed for outcome in found)
        say_json("verify", {"passed": passed, "cases": [_row(outcome) for outcome in found]})
        return
    from rich.table import Table

    heads = ("case", "backend", "figure", "ours", "target", "off by", "allowed", "")
    table = Table(*heads, box=None, pad_edge=False)
    for outcome in found:
        for figure in outcome.figures:
            table.add_row(
                outcome.case.name, outcome.backend, *_cells(figure), _mark(passed=figure.passed)
            )
        if outcome.broke:
            row = (outcome.case.name, outcome.backend, "did not end", outcome.broke, "", "", "")
            table.add_row(*row, _mark(passed=False))
        if outcome.skipped:
            table.add_row(outcome.case.name, outcome.backend, "not checked here", outcome.skipped)
    console().print(table)
    console().print(_summary(found))
    for text in dict.fromkeys(
        f"{one.case.name}: {one.case.note}" for one in found if one.case.note
    ):
        note(text)


def _cells(figure: Figure) -> tuple[str, ...]:
    unit = f" {figure.unit}" if figure.unit else ""
    if figure.kind == "most":
        return figure.name, f"{figure.got:.4g}{unit}", f"at most {figure.target:.4g}{unit}", "", ""
    return (
        figure.name,
        f"{figure.got:.8g}{unit}",
        f"{figure.target:.8g}{unit}",
        f"{figure.deviation:+.1e}",
        f"{figure.tolerance:.1e}",
    )


def _mark(*, passed: bool) -> Any:
    from rich.text import Text

    return Text("passed", "green") if passed else Text("FAILED", "red bold")


def _summary(found: Sequence[Outcome]) -> str:
    figures = [figure for outcome in found for figure in outcome.figures]
    met = sum(figure.passed for figure in figures)
    seconds = sum(outcome.seconds for outcome in found)
    skipped = sum(bool(outcome.skipped) for outcome in found)
    beside = f"; {skipped} not checked here" if skipped else ""
    cases = len({outcome.case.name for outcome in found})
    return f"{met} of {len(figures)} figures of {cases} cases met in {seconds:.0f} s{beside}"


def _row(outcome: Outcome) -> dict[str, Any]:
    return {
        "name": outcome.case.name,
        "title": outcome.case.title,
        "source": outcome.case.source,
        "note": outcome.case.note,
        "backend": outcome.backend,
        "seconds": round(outcome.seconds, 3),
        "passed": outcome.passed,
        "skipped": outcome.skipped,
        "broke": outcome.broke,
        "figures": [figure.as_json() for figure in outcome.figures],
    }
