"""forgia data keygen, encrypt, sign, verify: keys, encrypted versions, signatures."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forgia_hpc.cli.output import note, say, say_json
from forgia_hpc.cli.words import json_option
from forgia_hpc.errors import ExitCode, InputError, Problem

if TYPE_CHECKING:
    from forgia_hpc.data.crypto.public_key import PublicKey
    from forgia_hpc.data.crypto.signatures import Signed
    from forgia_hpc.data.manifest import Manifest

_KEYGEN_HELP = """\b
Examples:
  forgia data keygen
  forgia data keygen --name anna --to ~/keys/anna.json
  forgia data keygen --public > anna.pub"""


@click.command(epilog=_KEYGEN_HELP)
@click.option("--public", is_flag=True, help="Print the public line of the key that is there.")
@click.option("--name", default="", help="Whose key it is, one word; else the user's name.")
@click.option(
    "--to", type=click.Path(path_type=Path, dir_okay=False), help="Another place than `keys:`."
)
@json_option
def keygen(public: bool, name: str, to: Path | None, as_json: bool) -> None:
    """Make your own key file (mode 0600): to sign, and to open what is encrypted for you.

    It lies at $FORGIA_KEY, at `keys:` of ~/.config/forgia/config.yaml, or in ~/.config/forgia/keys. Its private
    halves are never printed. Mail the public line; tell the fingerprint over another channel.
    """
    from forgia_hpc.data.crypto.key_file import key_path, load_key, make_key

    path = to or key_path()
    key = load_key(path).public if public else make_key(path, name or getpass.getuser())
    if as_json:
        facts = {"key": str(path), "public": key.text, "fingerprint": key.fingerprint}
        say_json("data", facts)
    else:
        say(key.text)
        note(f"fingerprint {key.fingerprint}  {path}")


_ENCRYPT_HELP = """\b
Examples:
  forgia data encrypt refinery --to anna.pub --to ben.pub --into sealed
  forgia data encrypt refinery --to office.pub --replace
  forgia data encrypt sealed/refinery --add carla.pub"""


@click.command(epilog=_ENCRYPT_HELP)
@click.argument("dataset")
@click.option("--to", "people", multiple=True, metavar="PUB", help="A public line, or its file.")
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), help="Another root.")
@click.option("--replace", is_flag=True, help="In place of the plain version.")
@click.option("--add", multiple=True, metavar="PUB", help="Who else may open an encrypted one.")
@click.option("--wrap", is_flag=True, help="Wrap the keys again, under today's policies.")
@json_option
def encrypt(dataset: str, people: tuple[str, ...], as_json: bool, **asked: Any) -> None:
    """Make the encrypted version of a sealed dataset; of a consortium, with its members.

    A new version with the same content ids: AES-256-GCM, a key for each shard, wrapped for each PUB and for
    you. `--add` and `--wrap` rewrite only the wraps of one that is encrypted.
    """
    from forgia_hpc.cli.data import directory_of
    from forgia_hpc.data.crypto.key_file import load_key
    from forgia_hpc.data.crypto.public_key import public_from

    directory = directory_of(dataset)
    if asked["add"] or asked["wrap"]:
        from forgia_hpc.data.crypto.encrypting import wrap_again

        paths = wrap_again(directory, [public_from(one) for one in asked["add"]])
        _told({"wrapped": paths}, f"{len(paths)} keys wrapped again", as_json=as_json)
        return
    to = [load_key().public, *(public_from(one) for one in people)]
    found = _encrypted(directory, to, asked["into"], replace=asked["replace"])
    lines = [f"{name}@{version[:12]}" for name, version in found.items()]
    opened = ", ".join(dict.fromkeys(f"{one.name} {one.fingerprint}" for one in to))
    _told({"versions": found, "to": [one.text for one in to]}, "\n".join(lines), as_json=as_json)
    note(f"opened by {opened}")


def _encrypted(
    directory: Path, to: list[PublicKey], into: Path | None, *, replace: bool
) -> dict[str, str]:
    from forgia_hpc.data.crypto.encrypting import encrypt as encrypt_dataset

    if (into is None) is not replace:
        limit = (
            "say --into ROOT for a version beside the plain one, or --replace for one in its place"
        )
        raise InputError(Problem(field="--into", got=str(into or ""), limit=limit))
    root = directory.resolve().parent if into is None else into
    return encrypt_dataset(directory, to, root, overwrite=replace)


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
    _told(facts, f"{manifest.identifier}  signed by {user.public.name}  {path}", as_json=as_json)


@click.command(
    epilog="\b\nExamples:\n  forgia data verify consortium\n  forgia data verify refinery --json"
)
@click.argument("dataset")
@json_option
def verify(dataset: str, as_json: bool) -> None:
    """Say who signed what, and whether trust.yaml trusts them. Exit code 5 where a signature is wrong.

    trust.yaml is ~/.config/forgia/trust.yaml, else the one in the dataset's directory.
    """
    from forgia_hpc.cli.data import directory_of
    from forgia_hpc.data.crypto.signatures import verify as verify_dataset
    from forgia_hpc.data.manifest import load_manifest

    top = load_manifest(directory_of(dataset))
    parts = [top, *top.contributions()] if top.members else [top]
    found = [(one, verify_dataset(one)) for one in parts]
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
    return {**facts, **by, "fault": signed.fault}


def _show(manifest: Manifest, signed: list[Signed]) -> None:
    from forgia_hpc.data.crypto.trust import load_trust

    if not signed:
        say(f"{manifest.identifier}  not signed")
    for one in signed:
        if one.by is None:
            say(f"{manifest.identifier}  for {one.who}: WRONG: {one.fault}")
            continue
        trust = load_trust(manifest.directory).where
        word = (
            f"trusted by {trust}" if one.trusted else "right, but trust.yaml does not name this key"
        )
        say(f"{manifest.identifier}  for {one.who} by {one.by.name} {one.by.fingerprint}: {word}")


def _told(facts: dict[str, Any], line: str, *, as_json: bool) -> None:
    if as_json:
        say_json("data", facts)
    else:
        say(line)
