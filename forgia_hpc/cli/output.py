"""How the command line speaks: results on stdout, everything else on stderr, colours on a terminal only."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from forgia_hpc.errors import ForgiaError, InputError

if TYPE_CHECKING:
    from rich.console import Console


PIPE_COLUMNS = 140


def console(*, stderr: bool = False) -> Console:
    """Return a rich console; it shows colours on a terminal only."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    # a pipe has no width; rich's 80 columns would cut what `grep` is to find
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_COLUMNS
    # no markup: a program's name or a path may hold brackets
    return Console(stderr=stderr, highlight=False, markup=False, width=width)


def say(text: str) -> None:
    """Print a line of result."""
    click.echo(text)


def note(text: str) -> None:
    """Print a line beside the result."""
    click.echo(text, err=True)


def say_json(verb: str, content: dict[str, Any]) -> None:
    """Print the one object of `--json`."""
    say(json.dumps({"format": f"forgia.{verb}/1", **content}, default=str))


def wants_json() -> bool:
    """Whether `--json` was said to us, and not to a program behind `--`."""
    words = sys.argv[1:]
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def tell_error(error: ForgiaError) -> None:
    """Print an expected error: one line a problem, or the problems as JSON where `--json` was asked."""
    if isinstance(error, InputError):
        from forgia_hpc.config.secrets import untold

        error = InputError([untold(problem) for problem in error.problems])
    if wants_json():
        problems = (
            [problem.as_json() for problem in error.problems]
            if isinstance(error, InputError)
            else [{"field": "", "got": None, "limit": str(error), "where": "", "fix": ""}]
        )
        say(json.dumps({"problems": problems, "exit_code": int(error.exit_code)}))
        return
    for line in str(error).splitlines():
        note(f"{click.style('forgia:', fg='red', bold=True)} {line}")
