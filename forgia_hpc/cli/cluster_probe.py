"""forgia cluster probe: what this Slurm does, found out by trying."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from forgia_hpc.cli.cluster import chosen_here, complete_name
from forgia_hpc.cli.output import console, note, say, say_json
from forgia_hpc.cli.words import json_option, runs_root
from forgia_hpc.errors import InputError, Problem

if TYPE_CHECKING:
    from forgia_hpc.slurm.accounting import Price
    from forgia_hpc.slurm.offer import Partition
    from forgia_hpc.slurm.probe import Bench
    from forgia_hpc.slurm.profile import Cluster

_HELP = """\b
Examples:
  forgia cluster probe
  forgia cluster probe leonardo_booster --account AIFAC_L01"""


@click.command(epilog=_HELP)
@click.argument("name", required=False, shell_complete=complete_name)
@click.option("--account", help="Who pays; else account: of your config.")
@click.option("--partition", help="Where the tiny jobs run; else the cheapest that is known.")
@click.option("--qos", help="Their QOS; else the site's default.")
@click.option(
    "--patience",
    default=600,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for a job.",
)
@click.option("--yes", is_flag=True, help="Don't ask about the price.")
@json_option
def probe(name: str | None, patience: int, yes: bool, as_json: bool, **asked: str | None) -> None:
    """Try on tiny jobs what Slurm does here, and write it down for the rest of forgia to obey."""
    from forgia_hpc.slurm.age import today
    from forgia_hpc.slurm.probe import Bench, request

    cluster = chosen_here(name)
    where = _partition(cluster, asked["partition"])
    account = asked["account"] or _payer(cluster)
    _agree(cluster, where, yes=yes or as_json)
    with tempfile.TemporaryDirectory(prefix=".probe-", dir=_folder()) as folder:
        bench = Bench(
            environment=cluster.environment(),
            folder=Path(folder),
            options=request(cluster, account, where, asked["qos"]),
            today=today(),
            patience_s=patience,
            asked_mem=("--mem=100M",) if cluster.scheduler.mem_policy == "required" else (),
        )
        _run(bench, cluster, as_json=as_json)


def _run(bench: Bench, cluster: Cluster, *, as_json: bool) -> None:
    from forgia_hpc.cli.cluster_tables import facts_table
    from forgia_hpc.slurm.cluster import with_readings
    from forgia_hpc.slurm.facts import fact_sheet, write_facts
    from forgia_hpc.slurm.limits_read import read_limits
    from forgia_hpc.slurm.overlay import limits_of
    from forgia_hpc.slurm.probe import observe
    from forgia_hpc.slurm.probe_rows import ROWS, not_asked
    from forgia_hpc.slurm.refresh import node_name

    version = read_limits(bench.environment, nodes=False).version
    facts = []
    try:
        bench.try_plain()
        for fact in observe(bench, ROWS):
            facts.append(fact)
            note(f"{fact.holds:8}{fact.question}  {fact.observed}")
    finally:
        bench.clear()
    facts += not_asked(bench.today)
    sheet = fact_sheet(cluster, facts, host=node_name(), version=version, today=bench.today)
    with_readings(cluster.name, limits_of(cluster.name), sheet)
    path = write_facts(cluster.name, sheet)
    if as_json:
        told = [asdict(fact) for fact in facts]
        say_json(
            "cluster-probe",
            {"cluster": cluster.name, "slurm": version, "facts": told, "file": str(path)},
        )
        return
    console().print(facts_table(facts))
    known = sum(fact.holds != "unclear" for fact in facts)
    say(
        f"{cluster.name}: {known} of {len(facts)} questions answered on Slurm {version}; written to {path}"
    )


def _partition(cluster: Cluster, name: str | None) -> Partition | None:
    from forgia_hpc.slurm.probe import cheapest

    found = cluster.partition(name) if name else cheapest(cluster)
    if name and found is None:
        known = ", ".join(one.name for one in cluster.partitions)
        raise InputError(Problem(field="--partition", got=name, limit=f"one of {known}"))
    return found


def _payer(cluster: Cluster) -> str | None:
    """Return the account of this person's config.

    Raises:
        InputError: one is needed here and none is known.
    """
    from forgia_hpc.config.defaults import user_defaults

    account = user_defaults().get("account")
    if account is None and cluster.scheduler.account_required:
        fix = "--account …, or account: in ~/.config/forgia/config.yaml"
        raise InputError(
            Problem(
                field="--account", got=None, limit="an account is charged on this cluster", fix=fix
            )
        )
    return account


def _folder() -> Path:
    """Return where the jobs' output lies: the nodes must see it too."""
    folder = runs_root()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _agree(cluster: Cluster, where: Partition | None, *, yes: bool) -> None:
    """Tell the price of all tiny jobs, and ask on a terminal."""
    from forgia_hpc.slurm.probe_rows import JOBS

    price = _price(cluster, where)
    cost = f"may cost up to {price}" if price else "nothing is billed"
    line = f"{JOBS} jobs of two minutes at most in {(where and where.name) or 'the default partition'}; {cost}"
    if not yes and sys.stdin.isatty():
        click.confirm(f"{line}. Submit them?", abort=True, err=True)
    else:
        note(line)


def _price(cluster: Cluster, where: Partition | None) -> Price | None:
    from forgia_hpc.schema.resources import Resources
    from forgia_hpc.slurm.accounting import ceiling
    from forgia_hpc.slurm.probe_rows import JOBS

    one = Resources(
        ranks_per_node=1,
        cpus_per_rank=2,
        gpus_per_node=0,
        mem_gb=1,
        walltime="00:02:00",
        partition=where.name or None if where else None,
    )
    return ceiling([one] * JOBS, cluster, retries=0)
