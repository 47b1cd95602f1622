"""forgia cluster check: a small real job that says whether jobs can run well here."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forgia_hpc.cli.agree import agree
from forgia_hpc.cli.cluster import complete_name
from forgia_hpc.cli.output import console, note, say, say_json
from forgia_hpc.cli.words import json_option
from forgia_hpc.errors import ExitCode, InputError, JobFailedError, Problem
from forgia_hpc.schema.job import Kind

if TYPE_CHECKING:
    from forgia_hpc.jobs.package import Plan
    from forgia_hpc.rundir import RunDir
    from forgia_hpc.slurm.profile import Cluster

COLOURS = {"PASSED": "green", "WARN": "yellow", "ERROR": "red", "NOT APPLICABLE": "dim"}
# the sealed copy of our code lies beside the output, wherever the run is
_START = (
    "import os, sys; sys.path.insert(0, os.path.join(os.path.dirname(os.environ['FORGIA_OUTPUT']), 'code')); "
    "from forgia_hpc.node.health import main; sys.exit(main(sys.argv[1:]))"
)

_HELP = """\b
Examples:
  forgia cluster check                              this machine
  forgia cluster check local
  forgia cluster check leonardo_booster --nodes 4 --account AIFAC_L01"""


@click.command(epilog=_HELP)
@click.argument("name", required=False, shell_complete=complete_name)
@click.option("--nodes", type=int, help="On so many nodes; 2 where there is Slurm.")
@click.option("--account", help="Who pays; else account: of your config.")
@click.option("--partition", help="Where; else as for any job.")
@click.option("--qos", help="Its QOS; else the debug QOS where there is one.")
@click.option("--yes", is_flag=True, help="Don't ask about the price.")
@json_option
def check(name: str | None, yes: bool, as_json: bool, **asked: str | int | None) -> None:
    """Run a small job: nodes, GPUs, CPU binding, storage, MPI, clocks, container.

    In the shell of an allocation (salloc) it runs on that allocation's nodes at once; else it is submitted.
    """
    from forgia_hpc.cli.watch import watch
    from forgia_hpc.jobs.submit import submit_job

    plan = _plan(name, asked)
    # the nodes of an allocation are paid for already, and the job starts in this shell
    payer = None if plan.allocation else agree(plan, yes=yes, silent=as_json)
    sealed, _facts = submit_job(plan, payer=payer, detached=plan.allocation is None)
    note(f"{sealed.run.name}: {plan.job.resources.nodes} node(s) of {plan.cluster.name}")
    status = watch(sealed.run)
    findings = _findings(sealed.run) or [
        {"what": "job", "weight": "ERROR", "found": f"{status.state.value}: {status.why}"}
    ]
    bad = any(one["weight"] == "ERROR" for one in findings)
    if as_json:
        code = int(ExitCode.JOB_FAILED if bad else ExitCode.OK)
        content = {"cluster": plan.cluster.name, "run": sealed.run.name, "findings": findings}
        say_json("cluster-check", {**content, "exit_code": code})
        raise click.exceptions.Exit(code)
    _show(findings)
    if bad:
        raise JobFailedError(f"{plan.cluster.name} is not well; see {sealed.run.path}/logs")
    say(f"{plan.cluster.name} is well enough; {sealed.run.output / 'check.json'}")


def _plan(name: str | None, asked: Mapping[str, str | int | None]) -> Plan:
    """Return the plan: two nodes where there is Slurm, five minutes, in the debug QOS if there is one.

    Inside of an allocation: all of its nodes.
    """
    from forgia_hpc.jobs.allocation import allocation_of, shape_of
    from forgia_hpc.jobs.plan import Wish, make_plan
    from forgia_hpc.slurm.cluster import detect, load_cluster

    cluster = load_cluster(name or detect() or "local")
    _refuse_wrong_machine(name, cluster)
    usual = {
        "cluster": cluster.name,
        "label": "cluster-check",
        "resources.nodes": 2 if cluster.slurm else 1,
        "resources.walltime": "00:05:00",
        **({} if cluster.slurm else {"resources.ranks_per_node": 2}),
    }
    inside = allocation_of(os.environ, cluster) is not None
    shape = shape_of(os.environ, cluster) if inside else {}
    usual |= {f"resources.{key}": value for key, value in shape.items()}
    own = {f"resources.{key}": value for key, value in asked.items() if value is not None}
    overrides = [f"{key}={value}" for key, value in {**usual, **own}.items()]

    def wish(argument: str) -> Wish:
        argv = (sys.executable, "-c", _START, argument)
        debug = not inside and asked["qos"] is None and any(one.debug for one in cluster.qos)
        verb = "run" if inside else "submit"
        # an allocation without GPUs on a node with some wastes nothing that we could mend
        return Wish(
            kind=Kind.command,
            verb=verb,
            overrides=overrides,
            argv=argv,
            debug=debug,
            force=inside,
        )

    first = make_plan(wish("{}"))  # what is asked for is known once the profile has filled it in
    return make_plan(wish(json.dumps(_asked(first, cluster))))


def _refuse_wrong_machine(name: str | None, cluster: Cluster) -> None:
    """Refuse to check one machine for another: this shell is in a job of Slurm, and no profile was found for it.

    Raises:
        InputError: nobody has named a profile, and that of this machine has no Slurm.
    """
    job = os.environ.get("SLURM_JOB_ID")
    if name is not None or cluster.slurm or job is None:
        return
    limit = f"this shell is in Slurm's job {job}, and no profile fits this machine"
    fix = "name its profile: forgia cluster check NAME (forgia cluster list), or local for this node alone"
    raise InputError(Problem(field="cluster", got=cluster.name, limit=limit, fix=fix))


def _asked(plan: Plan, cluster: Cluster) -> dict[str, Any]:
    from forgia_hpc.node.health_judge import Asked

    resources, node = plan.job.resources, cluster.node_of(plan.job.resources.partition)
    asked = Asked(
        slurm=cluster.slurm,
        accelerator=cluster.accelerator,
        nodes=resources.nodes,
        ranks_per_node=resources.ranks_per_node or 1,
        cpus_per_rank=resources.cpus_per_rank or 1,
        gpus_per_node=resources.gpus_per_node or 0,
        gpu_model=(node.gpu_model or "") if node else "",
        container=cluster.software.container.runtime or "",
        places=[str(path) for path in _places(plan, cluster)],
    )
    return asdict(asked)


def _places(plan: Plan, cluster: Cluster) -> list[Path]:
    """Return the places that jobs write to: the roots, and the site's areas whose variables this shell knows."""
    from forgia_hpc.jobs.roots import roots

    areas = [
        Path(os.path.expandvars(area.var or ""))
        for area in cluster.storage
        if area.on_compute
        and area.scope != "node"
        and area.role in ("work", "fast", "scratch")
        and area.var
    ]
    known = [path for path in areas if "$" not in str(path)]
    return list(dict.fromkeys([*roots(cluster), *known]))


def _findings(run: RunDir) -> list[dict[str, str]]:
    from forgia_hpc.rundir import read_json

    try:
        return list(read_json(run.output / "check.json")["findings"])
    except InputError:
        return []  # the job ended before rank 0 had judged; its state says more


def _show(findings: list[dict[str, str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    for one in findings:
        table.add_row(Text(one["weight"], COLOURS[one["weight"]]), one["what"], one["found"])
    console().print(table)
