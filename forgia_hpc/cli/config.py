"""forgia config, forgia completion."""

from __future__ import annotations

import click

from forgia_hpc.cli.output import say, say_json
from forgia_hpc.cli.words import json_option, kind_argument, overrides_argument
from forgia_hpc.schema.job import Kind


@click.group()
def config() -> None:
    """The config of a job, before it is one."""


@config.command(
    epilog="\b\nExamples:\n  forgia config show train\n  forgia config show train parallel=zero3 train.steps=10"
)
@kind_argument
@overrides_argument
@click.option(
    "--groups", "only_groups", is_flag=True, help="Only the config groups and their options."
)
@json_option
def show(kind: str, overrides: tuple[str, ...], only_groups: bool, as_json: bool) -> None:
    """The complete config of a job, every default among it, and the groups to choose from."""
    import yaml

    from forgia_hpc.config.compose import as_yaml, compose_job
    from forgia_hpc.config.groups import groups

    known = groups(Kind(kind))
    text = "" if only_groups else as_yaml(compose_job(Kind(kind), overrides))
    if as_json:
        content = yaml.safe_load(text) if text else {}
        say_json("config", {"config": content, "groups": known})
        return
    for name, options in known.items():
        say(f"# {name}: {' | '.join(options)}")
    if text:
        say(text.rstrip())


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """The completion script: eval "$(forgia completion bash)"."""
    from click.shell_completion import get_completion_class

    from forgia_hpc.cli.main import forgia

    found = get_completion_class(shell)
    if found is not None:
        say(found(forgia, {}, "forgia", "_FORGIA_COMPLETE").source())
