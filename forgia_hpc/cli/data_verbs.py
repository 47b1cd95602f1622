"""The verbs of `forgia data` that lie in other files, imported when they are called."""

from __future__ import annotations

import importlib

import click

# name → module:command
ELSEWHERE = {
    "list": "forgia_hpc.cli.data_catalogue:list_",
    "diff": "forgia_hpc.cli.data_catalogue:diff",
    "freeze": "forgia_hpc.cli.data_catalogue:freeze",
    "draft": "forgia_hpc.cli.data_ingest:draft",
    "plan": "forgia_hpc.cli.data_policy:plan",
    "usage": "forgia_hpc.cli.data_policy:usage",
    "publish-check": "forgia_hpc.cli.data_policy:publish_check",
    "keygen": "forgia_hpc.cli.data_keys:keygen",
    "encrypt": "forgia_hpc.cli.data_keys:encrypt",
    "decrypt": "forgia_hpc.cli.data_keys:decrypt",
    "sign": "forgia_hpc.cli.data_signatures:sign",
    "verify": "forgia_hpc.cli.data_signatures:verify",
    "withdraw": "forgia_hpc.cli.data_withdraw:withdraw",
    "leaks": "forgia_hpc.cli.data_leaks:leaks",
    "repack": "forgia_hpc.cli.data_forms:repack",
    "export": "forgia_hpc.cli.data_forms:export",
}


class DataVerbs(click.Group):
    """A group with verbs of its own and those of ELSEWHERE."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all of them."""
        return [*super().list_commands(ctx), *ELSEWHERE]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one, imported if it lies elsewhere."""
        if cmd_name not in ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        module, _, name = ELSEWHERE[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command
