"""A named version of a dataset that others can cite: what it holds is written down, and never changes.

It lies as a dataset of its own, a consortium's manifest that names the versions of its members. It holds no second
copy of the data: what is withdrawn or made again is gone from it, and it is refused from then on, not replaced.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from forgia_hpc.data import checked
from forgia_hpc.data.card import dump_card, load_card
from forgia_hpc.data.catalogue.difference import RAISES, Change, compare, raised
from forgia_hpc.data.catalogue.part import FOLDER, Part, parts_of
from forgia_hpc.data.manifest import CARD, FORMAT, MANIFEST, Manifest, load_manifest, version_of
from forgia_hpc.data.writing.appear import appearing, write_file
from forgia_hpc.digest import canonical_json
from forgia_hpc.errors import InputError, Problem

FIRST = "1.0.0"
_SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """A version that was frozen, or would be."""

    name: str
    semver: str
    version: str  # empty: only planned
    parent: str  # identifier of the frozen version before it, or empty
    raises: str
    changes: tuple[Change, ...]


def freeze(
    directory: Path, tag: str, root: Path, *, semver: str = "", dry_run: bool = False
) -> Frozen:
    """Write down what a dataset is now as root/tag; return it.

    semver: unless given, the last frozen version of the same dataset, raised by what has changed since.

    Raises:
        InputError: the name exists, nothing has changed, or `semver` is too low for what has changed.
        SealBrokenError: a member is missing or altered.
    """
    manifest = load_manifest(directory)
    try:
        into = root / checked.name(tag)  # it becomes a directory's name
    except ValueError as error:
        limit = "letters, digits, - and _"
        raise InputError(Problem(field="--as", got=tag, limit=limit)) from error
    before = _last(manifest, root)
    parts = parts_of(directory)
    changes = compare(parts_of(before.directory), parts) if before else []
    raises = raised(changes) if before else "none"
    wanted = _next(before, raises)
    problems = _problems(into, before, raises, semver, wanted)
    if problems:
        raise InputError(problems)
    found = Frozen(
        name=into.name,
        semver=semver or wanted,
        version="",
        parent=before.identifier if before else "",
        raises=raises,
        changes=tuple(changes),
    )
    if dry_run:
        return found
    return replace(found, version=_write(manifest, parts, found, before, into))


def _write(
    manifest: Manifest, parts: dict[str, Part], found: Frozen, before: Manifest | None, into: Path
) -> str:
    """Write the directory of a frozen version; return its version."""
    card = replace(load_card(manifest.directory), name=found.name, members=tuple(sorted(parts)))
    members = [
        {"name": one.name, "version": one.version, "path": _relative(one.directory, into)}
        for one in sorted(manifest.contributions(), key=lambda one: one.name)
    ]
    with appearing(into, overwrite=False) as temporary:
        (temporary / FOLDER).mkdir()
        content: dict[str, Any] = {
            "format": FORMAT,
            "name": found.name,
            "contributor": manifest.contributor,
            "files": [
                write_file(temporary, CARD, dump_card(card).encode()),
                *(
                    write_file(temporary, f"{FOLDER}/{name}.json", canonical_json(part.as_dict()))
                    for name, part in sorted(parts.items())
                ),
            ],
            "members": members,
            "frozen": {
                "of": manifest.name,
                "version": manifest.version,
                "semver": found.semver,
                "raises": found.raises,
            },
        }
        if before:
            content["parent"] = before.version
        write_file(temporary, MANIFEST, canonical_json(content))
    return version_of(content)


def _relative(place: Path, into: Path) -> str:
    return os.path.relpath(place.resolve(), into.resolve())


def _last(manifest: Manifest, root: Path) -> Manifest | None:
    """Return the frozen version of this dataset with the highest number, under the same root."""
    found = []
    for path in sorted(root.glob(f"*/{MANIFEST}")):
        # thousands of others lie here: only what says so is parsed
        if not path.parent.name.startswith(".") and b'"frozen":' in path.read_bytes():
            found.append(load_manifest(path.parent))
    mine = [one for one in found if one.content.get("frozen", {}).get("of") == manifest.name]
    return max(mine, key=lambda one: _numbers(one.content["frozen"]["semver"]), default=None)


def _next(before: Manifest | None, raises: str) -> str:
    """Return the version that changes of this kind ask for."""
    if before is None:
        return FIRST
    major, minor, patch = _numbers(before.content["frozen"]["semver"])
    if raises == "major":
        return f"{major + 1}.0.0"
    return f"{major}.{minor + 1}.0" if raises == "minor" else f"{major}.{minor}.{patch + 1}"


def _numbers(semver: str) -> tuple[int, int, int]:
    found = _SEMVER.fullmatch(semver)
    if found is None:
        raise ValueError(semver)
    major, minor, patch = map(int, found.groups())
    return major, minor, patch


def _problems(
    into: Path, before: Manifest | None, raises: str, semver: str, wanted: str
) -> list[Problem]:
    """Return what keeps a version from being frozen under this name and number."""
    found = []
    if into.exists():
        limit, fix = "this name is taken, and what it names never changes", "take another name"
        found.append(Problem(field="--as", got=into.name, limit=limit, where=str(into), fix=fix))
    if before and raises == RAISES[0]:
        limit = f"nothing has changed since {before.name} {before.content['frozen']['semver']}"
        found.append(Problem(field="--as", got=into.name, limit=limit, fix=f"cite {before.name}"))
    if semver and not _SEMVER.fullmatch(semver):
        limit = "three whole numbers such as 1.2.0"
        found.append(Problem(field="--semver", got=semver, limit=limit))
    elif semver and _numbers(semver) < _numbers(wanted) and before:
        limit = f"what has changed raises the {raises} part: at least {wanted}"
        fix = f"see forgia data diff {before.name} {before.content['frozen']['of']}"
        found.append(Problem(field="--semver", got=semver, limit=limit, fix=fix))
    return found
