"""forgia cluster: what we know of machines, and how it is renewed."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from forgia_hpc import sources
from forgia_hpc.cli.output import console, note, say, say_json
from forgia_hpc.cli.words import json_option

if TYPE_CHECKING:
    from forgia_hpc.slurm.profile import Cluster


def complete_name(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
    """Offer the names of the profiles."""
    names = sorted(sources.named("slurm", "clusters/*.yaml"))
    return [CompletionItem(name) for name in names if name.startswith(begun)]


class Lazy(click.Group):
    """A group whose larger members are imported when they are called."""

    members = {  # noqa: RUF012 - read only
        "check": "forgia_hpc.cli.cluster_check:check",
        "probe": "forgia_hpc.cli.cluster_probe:probe",
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which a newcomer meets them."""
        return [*super().list_commands(ctx), *self.members]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one verb."""
        if cmd_name in self.members and cmd_name not in self.commands:
            import importlib

            module, _, name = self.members[cmd_name].partition(":")
            self.add_command(getattr(importlib.import_module(module), name), cmd_name)
        return super().get_command(ctx, cmd_name)


@click.group(cls=Lazy)
def cluster() -> None:
    """The machines we know."""


@cluster.command("list", epilog="\b\nExample:\n  forgia cluster list")
@json_option
def list_clusters(as_json: bool) -> None:
    """Every profile, which one this machine is, and how old its limits are."""
    from forgia_hpc.slurm.age import limits_age_days
    from forgia_hpc.slurm.cluster import cluster_names, detect, load_cluster

    here = detect()
    found = [load_cluster(name) for name in cluster_names()]
    if as_json:
        listed = [{**facts(entry), "limits_age_days": limits_age_days(entry)} for entry in found]
        say_json("cluster", {"here": here, "clusters": listed})
        return
    from forgia_hpc.cli.cluster_show import overview

    console().print(overview(found, here))


@cluster.command(
    epilog="\b\nExamples:\n  forgia cluster show leonardo_booster\n"
    "  forgia cluster show leonardo_booster --sources"
)
@click.argument("name", shell_complete=complete_name)
@click.option("--sources", is_flag=True, help="Where each value comes from, and how old it is.")
@json_option
def show(name: str, sources: bool, as_json: bool) -> None:
    """One profile with its limits, where they come from and how old they are."""
    from forgia_hpc.slurm.age import age_line, limits_age_days
    from forgia_hpc.slurm.cluster import load_cluster

    entry = load_cluster(name)
    if as_json:
        say_json("cluster", {**facts(entry), "limits_age_days": limits_age_days(entry)})
        return
    from forgia_hpc.cli.cluster_show import blocks

    out = console()
    for part in blocks(entry, sources=sources):
        out.print(part)
    if not sources and entry.evidence:
        note(f"where the values come from: forgia cluster show {name} --sources")
    if line := age_line(entry):
        note(line)


@cluster.command(
    epilog="\b\nExamples:\n  forgia cluster refresh\n  forgia cluster refresh leonardo_booster"
)
@click.argument("name", required=False, shell_complete=complete_name)
@json_option
def refresh(name: str | None, as_json: bool) -> None:
    """Read the limits that Slurm enforces now; from then on they stand above the shipped ones."""
    from forgia_hpc.cli.cluster_show import changed
    from forgia_hpc.slurm.age import today
    from forgia_hpc.slurm.cluster import load_cluster, with_readings
    from forgia_hpc.slurm.limits_read import read_limits
    from forgia_hpc.slurm.overlay import facts_of, limits_path
    from forgia_hpc.slurm.refresh import changes, node_name, reading, write_reading

    chosen = chosen_here(name)
    limits = read_limits(chosen.environment())
    shipped = load_cluster(chosen.name, shipped=True)
    content = reading(shipped, limits, host=node_name(), today=today())
    after = with_readings(chosen.name, content, facts_of(chosen.name))
    found = changes(chosen, after)
    write_reading(chosen.name, content)
    path = limits_path(chosen.name)
    if as_json:
        told = [{"path": one.path, "old": one.old, "new": one.new} for one in found]
        left = list(limits.left_out)
        say_json(
            "cluster",
            {"cluster": chosen.name, "changes": told, "left_out": left, "file": str(path)},
        )
        return
    if found:
        console().print(changed(found))
    for line in limits.left_out:
        note(f"not read: {line}")
    say(f"{chosen.name}: {len(found)} change(s), Slurm {limits.version}; written to {path}")


def chosen_here(name: str | None) -> Cluster:
    """Return the named cluster, else the one of this person, else this machine; it must be here, with Slurm.

    Raises:
        InputError: none is known, it is disabled, has no Slurm, or is not this machine.
    """
    from forgia_hpc.config.defaults import user_defaults
    from forgia_hpc.errors import InputError, Problem
    from forgia_hpc.slurm.cluster import detect, is_here, load_cluster

    name = name or detect() or user_defaults().get("cluster")
    if name is None:
        limit, fix = "no profile fits this machine", "name one: forgia cluster list"
        raise InputError(Problem(field="cluster", got=None, limit=limit, fix=fix))
    chosen = load_cluster(name)
    limit = ""
    if not chosen.enabled:
        limit = f"disabled: {chosen.disabled_because}"
    elif not chosen.slurm:
        limit = "it has no Slurm to ask"
    elif not is_here(chosen):
        limit = "this machine is not the cluster"
    if limit:
        fix = "" if not chosen.enabled or not chosen.slurm else "run this on a login node of it"
        raise InputError(Problem(field="cluster", got=name, limit=limit, fix=fix))
    return chosen


def facts(entry: Cluster) -> dict[str, Any]:
    """Return a profile as `--json` prints it."""
    content = asdict(entry)
    content["software"]["launch"] = entry.software.launch.value
    return content
