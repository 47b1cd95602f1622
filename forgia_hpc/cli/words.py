"""Arguments that many verbs share, with their tab completion."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from forgia_hpc import sources
from forgia_hpc.schema.job import Kind


def runs_root() -> Path:
    """Return the directory of the runs: $FORGIA_RUNS, else this person's, else the machine's."""
    from forgia_hpc.jobs.roots import roots

    return roots()[0]


def complete_kind(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
    """Offer the KINDs."""
    return [CompletionItem(kind.value) for kind in Kind if kind.value.startswith(begun)]


def complete_one_kind(
    ctx: click.Context, param: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Offer the KINDs that are one job."""
    found = complete_kind(ctx, param, begun)
    return [item for item in found if item.value != Kind.chain.value]


def complete_override(
    ctx: click.Context, _param: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Offer config groups with their options, clusters, and the keys of this KIND."""
    from forgia_hpc.config.groups import groups, keys

    try:
        kind = Kind(ctx.params.get("kind") or "train")
    except ValueError:
        return []
    known = {**groups(kind), "cluster": sorted(sources.named("slurm", "clusters/*.yaml"))}
    key, equals, value = begun.partition("=")
    if equals:
        return [
            CompletionItem(f"{key}={option}")
            for option in known.get(key, [])
            if option.startswith(value)
        ]
    offered = [*known, *keys(kind)]
    return [CompletionItem(f"{name}=") for name in dict.fromkeys(offered) if name.startswith(begun)]


def complete_run(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
    """Offer the names of the runs, newest first."""
    root = sources.runs_root()
    names = sorted((path.name for path in root.glob(f"{begun}*") if path.is_dir()), reverse=True)
    return [CompletionItem(name) for name in names[:50] if not name.startswith(".")]


def kind_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add KIND."""
    choice = click.Choice([kind.value for kind in Kind])
    return click.argument("kind", type=choice, shell_complete=complete_kind)(command)


def one_kind_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add KIND, of a verb that runs one job: a chain is taken for its refusal says what to do, but not offered."""
    kinds = [kind.value for kind in Kind]
    offered = "|".join(kind for kind in kinds if kind != Kind.chain.value)
    return click.argument(
        "kind", type=click.Choice(kinds), metavar=f"{{{offered}}}", shell_complete=complete_one_kind
    )(command)


def overrides_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the overrides, in Hydra's grammar."""
    return click.argument(
        "overrides", nargs=-1, metavar="[KEY=VALUE]...", shell_complete=complete_override
    )(command)


def program_after(words: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Part the overrides from the program after `--`."""
    raw = sys.argv[1:]
    if "--" not in raw:
        return list(words), []
    program = raw[raw.index("--") + 1 :]
    return list(words[: len(words) - len(program)]), program


def run_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add one RUN: a name, a unique prefix, a path or a Slurm job id."""
    return click.argument("run", metavar="RUN", shell_complete=complete_run)(command)


def runs_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add any number of RUNs."""
    return click.argument("runs", nargs=-1, metavar="[RUN]...", shell_complete=complete_run)(
        command
    )


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")(
        command
    )
