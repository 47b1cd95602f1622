"""forgia cluster."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click
from click.shell_completion import CompletionItem

from forgia_hpc import sources
from forgia_hpc.cli.output import console, say, say_json
from forgia_hpc.cli.words import json_option


def _complete(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
    names = sorted(sources.named("slurm", "clusters/*.yaml"))
    return [CompletionItem(name) for name in names if name.startswith(begun)]


@click.group()
def cluster() -> None:
    """The machines we know."""


@cluster.command("list", epilog="\b\nExample:\n  forgia cluster list")
@json_option
def list_clusters(as_json: bool) -> None:
    """Every profile, and which one this machine is."""
    from rich.table import Table

    from forgia_hpc.slurm.cluster import cluster_names, detect, load_cluster

    here = detect()
    found = [load_cluster(name) for name in cluster_names()]
    if as_json:
        say_json("cluster", {"here": here, "clusters": [_facts(entry) for entry in found]})
        return
    table = Table("cluster", "machine", "node", "verified", "", box=None, pad_edge=False)
    for entry in found:
        node = f"{entry.node.cpus} CPUs, {entry.node.gpus} GPUs" if entry.node else ""
        mark = "here" if entry.name == here else "" if entry.enabled else "disabled"
        table.add_row(entry.name, entry.title, node, entry.verified_on, mark)
    console().print(table)


@cluster.command(epilog="\b\nExample:\n  forgia cluster show leonardo_booster")
@click.argument("name", shell_complete=_complete)
@json_option
def show(name: str, as_json: bool) -> None:
    """One profile with its limits, where they come from and how old they are."""
    import yaml

    from forgia_hpc.slurm.cluster import load_cluster

    facts = _facts(load_cluster(name))
    if as_json:
        say_json("cluster", facts)
    else:
        say(yaml.safe_dump(facts, sort_keys=False, allow_unicode=True).rstrip())


def _facts(entry: Any) -> dict[str, Any]:
    facts = asdict(entry)
    facts["software"]["launch"] = entry.software.launch.value
    return _plain(facts)  # type: ignore[no-any-return]


def _plain(value: Any) -> Any:
    """Turn tuples into lists: YAML would tag them."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value
