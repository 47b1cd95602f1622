"""forgia check-script."""

from __future__ import annotations

from pathlib import Path

import click

from forgia_hpc.cli.output import note, say, say_json
from forgia_hpc.cli.words import json_option
from forgia_hpc.errors import ExitCode

_HELP = """\b
Examples:
  forgia check-script job.sbatch
  forgia check-script job.sbatch --cluster leonardo_booster
  forgia check-script job.sbatch --cluster leonardo_booster --json"""


@click.command("check-script", epilog=_HELP)
@click.argument("script", type=click.Path(path_type=Path))
@click.option("--cluster", "name", metavar="NAME", help="Check against this cluster's limits too.")
@json_option
def check_script(script: Path, name: str | None, as_json: bool) -> None:
    """Say what is wrong with an sbatch script of your own: nothing is submitted, nothing changed."""
    from forgia_hpc.config.foreign import check_script as check
    from forgia_hpc.slurm.cluster import detect, load_cluster

    known = name or detect()
    wrong, unwise = check(script, load_cluster(known) if known else None)
    if as_json:
        content = {
            "problems": [p.as_json() for p in wrong],
            "warnings": [p.as_json() for p in unwise],
        }
        say_json("check-script", {"script": str(script), "cluster": known, **content})
    else:
        for problem in wrong:
            note(f"{click.style('error:', fg='red', bold=True)} {problem}")
        for problem in unwise:
            note(f"warning: {problem}")
        against = (
            f" on {known}"
            if known
            else "; no cluster is known here: --cluster NAME checks limits too"
        )
        say(f"{script}: {len(wrong)} error(s), {len(unwise)} warning(s){against}")
    if wrong:
        raise click.exceptions.Exit(ExitCode.INPUT)
