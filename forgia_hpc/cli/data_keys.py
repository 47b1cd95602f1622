"""forgia data keygen, encrypt, decrypt: keys, and encrypted versions."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forgia_hpc.cli.output import note, say, say_json
from forgia_hpc.cli.words import json_option
from forgia_hpc.errors import InputError, Problem

if TYPE_CHECKING:
    from forgia_hpc.data.crypto.public_key import PublicKey

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
  forgia data encrypt sealed/refinery --add carla.pub
  forgia data encrypt sealed/refinery --remove ben"""


@click.command(epilog=_ENCRYPT_HELP)
@click.argument("dataset")
@click.option("--to", "people", multiple=True, metavar="PUB", help="A public line, or its file.")
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), help="Another root.")
@click.option("--replace", is_flag=True, help="In place of the plain version.")
@click.option("--add", multiple=True, metavar="PUB", help="Who else may open an encrypted one.")
@click.option(
    "--remove", multiple=True, metavar="PERSON", help="Who may not any more: name or fingerprint."
)
@click.option("--wrap", is_flag=True, help="Wrap the keys again, under today's policies.")
@json_option
def encrypt(dataset: str, people: tuple[str, ...], as_json: bool, **asked: Any) -> None:
    """Make the encrypted version of a sealed dataset; of a consortium, with its members.

    A new version with the same content ids: AES-256-GCM, a key for each shard, wrapped for each PUB and for
    you. `--add`, `--remove` and `--wrap` rewrite only the wraps of one that is encrypted. Who is removed opens
    nothing more with this copy, but may have kept data or keys.
    """
    from forgia_hpc.cli.data import directory_of
    from forgia_hpc.data.crypto.key_file import load_key
    from forgia_hpc.data.crypto.public_key import public_from

    directory = directory_of(dataset)
    if asked["add"] or asked["remove"] or asked["wrap"]:
        _wrap_again(directory, [public_from(one) for one in asked["add"]], asked["remove"], as_json)
        return
    to = [load_key().public, *(public_from(one) for one in people)]
    found = _encrypted(directory, to, asked["into"], replace=asked["replace"])
    lines = [f"{name}@{version[:12]}" for name, version in found.items()]
    opened = ", ".join(dict.fromkeys(f"{one.name} {one.fingerprint}" for one in to))
    told({"versions": found, "to": [one.text for one in to]}, "\n".join(lines), as_json=as_json)
    note(f"opened by {opened}")


def _wrap_again(
    directory: Path, add: list[PublicKey], words: tuple[str, ...], as_json: bool
) -> None:
    """Write the wraps again; of who is removed, tell the grants that still hold some."""
    from forgia_hpc.cli.words import runs_root
    from forgia_hpc.data.access.taint import find_wrapped
    from forgia_hpc.data.crypto.keys import locks_of
    from forgia_hpc.data.crypto.people import people_of, person_of, wrap_again
    from forgia_hpc.data.manifest import load_manifest

    manifest = load_manifest(directory)
    there = people_of(manifest)
    remove = [person_of(one, there) for one in words]
    paths = wrap_again(directory, add, remove)
    key_ids = [lock.key_id for part in manifest.contributions() for lock in locks_of(part)]
    lines = [one.text for one in remove]
    left = find_wrapped(runs_root(), key_ids, lines) if remove else []
    facts = {"wrapped": paths, "removed": lines, "wraps_left": [str(path) for path in left]}
    told(facts, f"{len(paths)} keys wrapped again", as_json=as_json)
    for path in left:
        note(f"a wrap stays in {path}")
    if remove:
        note("not undone: who was removed may have kept data, or keys that were unwrapped; these")
        note("open no new copy: forgia data decrypt, then encrypt again under new keys")


def _encrypted(
    directory: Path, to: list[PublicKey], into: Path | None, *, replace: bool
) -> dict[str, str]:
    from forgia_hpc.data.crypto.encrypting import encrypt as encrypt_dataset

    root = _root(directory, into, replace=replace)
    return encrypt_dataset(directory, to, root, overwrite=replace)


def _root(directory: Path, into: Path | None, *, replace: bool) -> Path:
    """Return below which root the other form of a dataset goes."""
    if (into is None) is not replace:
        limit = "say --into ROOT for a version beside this one, or --replace for one in its place"
        raise InputError(Problem(field="--into", got=str(into or ""), limit=limit))
    return directory.resolve().parent if into is None else into


_DECRYPT_HELP = """\b
Examples:
  forgia data decrypt sealed/refinery --into plain
  forgia data decrypt refinery --replace"""


@click.command(epilog=_DECRYPT_HELP)
@click.argument("dataset")
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), help="Another root.")
@click.option("--replace", is_flag=True, help="In place of the encrypted version.")
@json_option
def decrypt(dataset: str, into: Path | None, replace: bool, as_json: bool) -> None:
    """Make an encrypted dataset plain again, with your key; of a consortium, with its members.

    The same content ids; and the version that was encrypted, unless something was withdrawn or renewed since.
    Plain files are open to all who may read the directory.
    """
    from forgia_hpc.cli.data import directory_of
    from forgia_hpc.data.crypto.decrypting import decrypt as decrypt_dataset

    directory = directory_of(dataset)
    found = decrypt_dataset(directory, _root(directory, into, replace=replace), overwrite=replace)
    lines = [
        f"{name}@{one.version[:12]}  "
        + ("the version that was encrypted" if one.same else "a version of its own")
        for name, one in found.items()
    ]
    facts = {name: {"version": one.version, "same": one.same} for name, one in found.items()}
    told({"versions": facts}, "\n".join(lines), as_json=as_json)
    note("not signed: forgia data sign")


def told(facts: dict[str, Any], line: str, *, as_json: bool) -> None:
    """Say what was done, in a line or as JSON."""
    if as_json:
        say_json("data", facts)
    else:
        say(line)
