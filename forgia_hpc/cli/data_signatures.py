"""forgia data sign, verify: who vouches for a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from forgia_hpc.cli.data_keys import told
from forgia_hpc.cli.output import say, say_json
from forgia_hpc.cli.words import json_option
from forgia_hpc.errors import ExitCode

if TYPE_CHECKING:
    from forgia_hpc.data.crypto.signatures import Signed
    from forgia_hpc.data.manifest import Manifest

_SIGN_HELP = """\b
Examples:
  forgia data sign refinery
  forgia data sign consortium
  forgia data sign refinery --as-consortium"""


@click.command(epilog=_SIGN_HELP)
@click.argument("dataset")
@click.option("--as-consortium", is_flag=True, help="Sign a contribution's whole manifest.")
@json_option
def sign(dataset: str, as_consortium: bool, as_json: bool) -> None:
    """Sign a dataset with your key: a contributor its shards and policies, the consortium the manifest.

    The signature lies beside the manifest; the version stays.
    """
    from forgia_hpc.cli.data import directory_of
    from forgia_hpc.data.crypto.key_file import load_key
    from forgia_hpc.data.crypto.signatures import sign as sign_dataset
    from forgia_hpc.data.manifest import load_manifest

    user, manifest = load_key(), load_manifest(directory_of(dataset))
    path = sign_dataset(manifest, user, consortium=as_consortium)
    facts = {"signature": str(path), "by": user.public.text, "dataset": manifest.identifier}
    told(facts, f"{manifest.identifier}  signed by {user.public.name}  {path}", as_json=as_json)


@click.command(
    epilog="\b\nExamples:\n  forgia data verify consortium\n  forgia data verify refinery --json"
)
@click.argument("dataset")
@json_option
def verify(dataset: str, as_json: bool) -> None:
    """Say who signed what, its withdrawals too, and whether trust.yaml trusts them.

    Exit code 5 where a signature is wrong, or a withdrawal signed by none whom trust.yaml names for the
    contributor.
    trust.yaml is ~/.config/forgia/trust.yaml, else the one in the dataset's directory.
    """
    from forgia_hpc.cli.data import directory_of
    from forgia_hpc.data.crypto.signatures import verify as verify_dataset
    from forgia_hpc.data.crypto.stones import verify_stones
    from forgia_hpc.data.manifest import load_manifest

    top = load_manifest(directory_of(dataset))
    parts = [top, *top.contributions()] if top.members else [top]
    found = [(one, [*verify_dataset(one), *verify_stones(one)]) for one in parts]
    if as_json:
        say_json("data", {"signed": [_facts(one, each) for one, all_ in found for each in all_]})
    else:
        for one, all_ in found:
            _show(one, all_)
    if any(each.fault for _, all_ in found for each in all_):
        raise click.exceptions.Exit(int(ExitCode.SEAL_BROKEN))


def _facts(manifest: Manifest, signed: Signed) -> dict[str, object]:
    by = {"by": signed.by.text, "fingerprint": signed.by.fingerprint} if signed.by else {}
    facts = {"dataset": manifest.identifier, "for": signed.who, "trusted": signed.trusted}
    return {**facts, **by, "about": signed.about or "dataset", "fault": signed.fault}


def _show(manifest: Manifest, signed: list[Signed]) -> None:
    from forgia_hpc.data.crypto.trust import load_trust

    if all(one.about for one in signed):
        say(f"{manifest.identifier}  not signed")
    for one in signed:
        whom = f"{one.about}, for {one.who}" if one.about else f"for {one.who}"
        if one.by is None:
            say(f"{manifest.identifier}  {whom}: WRONG: {one.fault}")
            continue
        trust = load_trust(manifest.directory).where
        word = (
            f"trusted by {trust}" if one.trusted else "right, but trust.yaml does not name this key"
        )
        say(f"{manifest.identifier}  {whom} by {one.by.name} {one.by.fingerprint}: {word}")
