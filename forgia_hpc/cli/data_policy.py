"""forgia data plan, publish-check, usage: what may be read, what was read, where a model may go."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forgia_hpc.cli.output import console, note, say, say_json
from forgia_hpc.cli.words import complete_run, json_option
from forgia_hpc.errors import ExitCode, InputError, Problem

if TYPE_CHECKING:
    from forgia_hpc.data.access.leaving import Verdict
    from forgia_hpc.data.access.outlook import ShardOutlook
    from forgia_hpc.data.access.taken_back import Since
    from forgia_hpc.jobs.data_plan import DataPlan

_PLAN_HELP = """\b
Examples:
  forgia data plan consortium --cluster leonardo_booster --walltime 24:00:00
  forgia data plan consortium --contributions refinery,turbofan data.partial=allow
  forgia data plan refinery --purpose evaluate --shards --json"""


@click.command(epilog=_PLAN_HELP)
@click.argument("dataset")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "--purpose",
    type=click.Choice(["train", "evaluate"]),
    default="train",
    show_default=True,
    help="KIND of the job.",
)
@click.option("--cluster", default="", help="Where it is to run; else as a job's.")
@click.option("--walltime", default="", help="How long it may last; else as a job's.")
@click.option("--contributions", default="", help="Names with commas between; else all.")
@click.option("--shards", is_flag=True, help="A line for each shard.")
@json_option
def plan(dataset: str, overrides: tuple[str, ...], as_json: bool, **asked: Any) -> None:
    """Say beforehand what a job may read: who, which shards, how many windows, and which clause denies.

    Nothing is written. Exit code 2 where the job would be refused.
    """
    from forgia_hpc.cli.data import directory_of
    from forgia_hpc.jobs.data_plan import plan_data
    from forgia_hpc.schema.job import Kind

    words = [f"cluster={asked['cluster']}"] if asked["cluster"] else []
    words += [f"resources.walltime='{asked['walltime']}'"] if asked["walltime"] else []
    words += [f"data.contributions=[{asked['contributions']}]"] if asked["contributions"] else []
    found = plan_data(directory_of(dataset), Kind(asked["purpose"]), [*words, *overrides])
    if as_json:
        say_json("data", {**asdict(found), "problems": [one.as_json() for one in _problems(found)]})
    else:
        _show_plan(found, every=asked["shards"])
    if found.outlook.problems:
        raise click.exceptions.Exit(int(ExitCode.INPUT))


def _problems(found: DataPlan) -> tuple[Problem, ...]:
    return found.outlook.problems


def _show_plan(found: DataPlan, *, every: bool) -> None:
    from forgia_hpc.report.figures import count, percent
    from forgia_hpc.report.terminal_parts import grid, plain

    place = found.place or "country not known"
    say(
        f"{found.dataset} for {', '.join(found.purposes)} on {found.cluster} ({place}), "
        f"up to {found.walltime}"
    )
    shown = grid(
        "Contribution", "Shards", "Split", "Steps", "Windows", "May be read", numbers_from=9
    )
    for name, rows in _rows(found.outlook.shards, every=every):
        steps = sum(one.steps for one in rows)
        windows = [one.windows for one in rows if one.windows is not None]
        shown.add_row(
            plain(rows[0].contribution),
            plain(name),
            plain(rows[0].split),
            plain(count(steps)),
            plain(count(sum(windows)) if windows else "–"),
            plain("yes" if rows[0].allowed else f"no: {rows[0].why}"),
        )
    shown.columns[-1].no_wrap, shown.columns[-1].overflow = False, "fold"
    console().print(shown)
    for name, share in found.outlook.shares.items():
        say(f"{name}: {percent(share)} of the training mix")
    if not found.outlook.problems:
        say("a job would be submitted")
        return
    say("a job would be refused:")
    for line in str(InputError(list(found.outlook.problems))).splitlines():
        say(f"  {line}")


def _rows(shards: tuple[ShardOutlook, ...], *, every: bool) -> list[tuple[str, list[ShardOutlook]]]:
    """Return (name, shards) of each row: a shard, or all of a split that share policy and verdict."""
    if every:
        return [(one.path, [one]) for one in shards]
    rows: dict[tuple[str, ...], list[ShardOutlook]] = {}
    for one in shards:
        key = (one.contribution, one.split, one.policy_sha256, one.why)
        rows.setdefault(key, []).append(one)
    return [(str(len(mine)), mine) for mine in rows.values()]


_PUBLISH_HELP = """\b
Examples:
  forgia data publish-check 20261122-101500-train-1a2b3c
  forgia data publish-check runs/NAME/checkpoints/4000 --to open
  forgia data publish-check runs/NAME/output/model --allow-withdrawn
  forgia data publish-check runs/NAME/output/model --json"""


@click.command("publish-check", epilog=_PUBLISH_HELP)
@click.argument("what", metavar="RUN|CHECKPOINT|MODEL", shell_complete=complete_run)
@click.option(
    "--to",
    type=click.Choice(["consortium", "open"]),
    default="consortium",
    show_default=True,
    help="To whom it is to be given.",
)
@click.option(
    "--allow-withdrawn",
    is_flag=True,
    help="Tell what was withdrawn since, but don't refuse for it.",
)
@json_option
def publish_check(what: str, to: str, allow_withdrawn: bool, as_json: bool) -> None:
    """Say whether a model may be given away: the policies of everything it has seen, and whom to name.

    Exit code 2 where a contribution forbids it, or was withdrawn since the model has seen it.
    """
    from forgia_hpc.cli.data import data_root
    from forgia_hpc.data.access.leaving import judge_release
    from forgia_hpc.data.access.taken_back import find_taken_back, roots_of
    from forgia_hpc.data.access.usage import signer_of_use

    place, usage = _usage(what)
    verdict = judge_release(usage)
    since = find_taken_back(usage, roots_of(place, data_root()))
    by = signer_of_use(usage)
    allowed = verdict.allows(to) and (allow_withdrawn or not since.found)
    if as_json:
        told = {"what": str(place), "to": to, "allowed": allowed, **asdict(verdict)}
        told["signed_by"] = by.text if by else ""
        withdrawn = [asdict(one) for one in since.found]
        say_json("data", {**told, "withdrawn": withdrawn, "untold": list(since.untold)})
    else:
        _show_verdict(place, verdict, since, to=to, allowed=allowed)
        say(f"ledger of use: {f'signed by {by.name} {by.fingerprint}' if by else 'unsigned'}")
    if not allowed:
        raise click.exceptions.Exit(int(ExitCode.INPUT))


def _show_verdict(place: Path, verdict: Verdict, since: Since, *, to: str, allowed: bool) -> None:
    from forgia_hpc.data.access.model_card import credit_line

    word = "may" if allowed else "may NOT"
    say(f"{place}: {word} go to {to}; by the policies at most: {verdict.release}")
    for taken in since.found:
        say(
            f"  tainted: {taken.contribution} was withdrawn by {taken.contributor} on {taken.day} "
            f"(tombstone in {taken.where}); {taken.windows:,} windows of it seen"
        )
        if taken.fault:
            note(f"  its signature is wrong, ask {taken.contributor}: {taken.fault}")
    for line in since.untold:
        note(f"whether it was withdrawn can't be told: {line}")
    told = {
        one
        for by in list(verdict.forbidden.values())[: 1 if to == "consortium" else 2]
        for one in by
    }
    for one in sorted(told, key=lambda one: one.contribution):
        say(f"  {one.contribution} ({one.contributor}) forbids it: {one.why}")
    say("to name:")
    for credit in verdict.credits:
        say(f"  {credit_line(credit)}")


@click.command(
    epilog="\b\nExamples:\n  forgia data usage RUN\n  forgia data usage RUN --shards --json"
)
@click.argument("what", metavar="RUN|CHECKPOINT|MODEL", shell_complete=complete_run)
@click.option("--shards", is_flag=True, help="A line for each shard.")
@json_option
def usage(what: str, shards: bool, as_json: bool) -> None:
    """Say what a model has learnt from: windows, series and tokens of each contribution and shard."""
    from forgia_hpc.data.access.usage import seen
    from forgia_hpc.report.figures import count
    from forgia_hpc.report.terminal_parts import grid, plain

    place, content = _usage(what)
    if as_json:
        say_json("data", {"what": str(place), "usage": content})
        return
    say(f"{place}: {content['dataset']['identifier']}, step {content['step']}")
    head = ("Contribution", *(["Shard"] if shards else []), "Windows", "Series", "Tokens")
    shown = grid(*head, numbers_from=1 + shards)
    rows: dict[tuple[str, ...], list[float]] = {}
    for one in seen(content):
        name = f"{one.contribution}@{one.version[:12]}"
        sums = rows.setdefault((name, one.shard) if shards else (name,), [0, 0, 0])
        for at, number in enumerate((one.windows, one.series, one.tokens)):
            sums[at] += number
    for key, sums in rows.items():
        shown.add_row(*map(plain, key), *(plain(count(round(number))) for number in sums))
    console().print(shown)
    for one in content.get("before", []):
        if "unknown" in one:
            note(f"it began from {one['unknown']}, which does not say what it has seen")


def _usage(what: str) -> tuple[Path, dict[str, Any]]:
    """Return the directory that tells the use of a run (its model, else its newest checkpoint), and what it tells.

    Raises:
        InputError: it has neither.
        SealBrokenError: usage.json is not what was written.
    """
    from forgia_hpc.jobs.used import usage_of

    return usage_of(what)
