"""forgia data withdraw."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forgia_hpc.cli.output import note, say, say_json
from forgia_hpc.cli.words import json_option, runs_root
from forgia_hpc.errors import InputError, Problem

if TYPE_CHECKING:
    from forgia_hpc.data.access.taint import Tainted
    from forgia_hpc.data.access.withdraw_plan import Withdrawal

_HELP = """\b
Examples:
  forgia data withdraw refinery --dry-run
  forgia data withdraw refinery --shards shards/train-000.h5e
  forgia data withdraw refinery --from consortium --yes --json"""


@click.command(epilog=_HELP)
@click.argument("contribution")
@click.option("--from", "consortium", default="", help="Leave only this consortium; data stay.")
@click.option("--shards", multiple=True, metavar="PATH", help="Only these; may be given again.")
@click.option("--reason", default="", help="Stands in the tombstone.")
@click.option("--runs", type=click.Path(path_type=Path, file_okay=False), help="Else $FORGIA_RUNS.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; touch nothing.")
@click.option("--yes", is_flag=True, help="Don't ask for the name.")
@json_option
def withdraw(contribution: str, dry_run: bool, yes: bool, as_json: bool, **asked: Any) -> None:
    """Take a contribution back: signed tombstone, new versions without it, its keys and files destroyed.

    Lists the frozen versions that name it, the checkpoints and models that have seen it, and each run's last
    clean one. It can't be undone.
    """
    from forgia_hpc.cli.data import directory_of
    from forgia_hpc.data.access.taint import find_tainted, find_wrapped
    from forgia_hpc.data.access.withdraw_plan import plan_withdrawal

    place = directory_of(asked["consortium"]) if asked["consortium"] else None
    planned = plan_withdrawal(directory_of(contribution), asked["shards"], place)
    runs = asked["runs"] or runs_root()
    only = None if planned.whole else planned.paths
    tainted = find_tainted(runs, planned.manifest.name, only)
    copies = find_wrapped(runs, planned.key_ids)
    versions = {}
    if not as_json:
        _show(planned, tainted, copies)
    if not dry_run:
        _agree(planned.manifest.name, yes=yes)
        versions = _done(planned, asked["reason"])
    if as_json:
        facts = {**_facts(planned), "wraps_left": [str(path) for path in copies]}
        tainted_facts = [one.as_json() for one in tainted]
        say_json("data", {**facts, "tainted": tainted_facts, "versions": versions})
        return
    for name, version in versions.items():
        say(f"{name}@{version[:12]}")
    if versions:
        note("the new versions are not signed yet: forgia data sign")


def _done(planned: Withdrawal, reason: str) -> dict[str, str]:
    from forgia_hpc.data.access.withdraw import withdraw as do
    from forgia_hpc.data.crypto.key_file import load_key

    return do(planned, load_key(), reason)


def _facts(planned: Withdrawal) -> dict[str, Any]:
    return {
        "contribution": planned.manifest.identifier,
        "shards": sorted(planned.paths),
        "consortia": [one.identifier for one in planned.consortia],
        "frozen_unreadable": [one.identifier for one in planned.frozen],
        "keys_destroyed": planned.key_ids,
        "files_deleted": planned.own,
        "unread": list(planned.unread),
    }


def _show(planned: Withdrawal, tainted: list[Tainted], copies: list[Path]) -> None:
    manifest = planned.manifest
    size = sum(one.bytes for one in planned.shards)
    say(
        f"{manifest.identifier}: {len(planned.shards)} of {len(manifest.shards)} shards, {size:,} bytes"
    )
    word = "deleted, and the wraps of their keys" if planned.own else "stay where they are"
    say(f"  files: {word}")
    for one in planned.consortia:
        say(f"  new version of {one.identifier}")
    for one in planned.frozen:
        facts = one.content["frozen"]
        say(
            f"  unreadable from then on: {one.identifier}, frozen {facts['semver']} of {facts['of']}"
        )
    for line in planned.unread:
        note(f"whether it names {manifest.name} can't be told: {line}")
    for run in tainted:
        clean = "none" if run.clean is None else f"step {run.clean}"
        steps = ", ".join(map(str, run.checkpoints)) or "none kept"
        model = ", model" if run.model else ""
        sure = "" if run.sure else "; no ledger of use, so by its grant"
        say(f"  tainted: {run.run}: checkpoints {steps}{model}; last clean: {clean}{sure}")
    if not tainted:
        say("  no checkpoint found that has seen it")
    for path in copies:
        say(f"  a wrap of a destroyed key stays in {path}")
    if planned.own:
        note("not reached: copies of the directory, of data keys and of models elsewhere; backups")


def _agree(name: str, *, yes: bool) -> None:
    """Ask for the name; it can't be undone."""
    if yes:
        return
    if not sys.stdin.isatty():
        limit = "nobody can be asked here"
        raise InputError(Problem(field="--yes", got=False, limit=limit, fix="--yes, or --dry-run"))
    if click.prompt(f"Type {name} to withdraw it", err=True) != name:
        raise click.Abort
