"""Are the files that a manifest names there, whole, and of the content that was sealed?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from forgia_hpc.data.manifest import FileEntry, Manifest
from forgia_hpc.digest import sha256_file
from forgia_hpc.errors import SealBrokenError


def find_faults(
    manifest: Manifest, directory: Path, *, shards: Collection[str] | None = None
) -> list[str]:
    """Return what is missing or of another size (without reading it): signs of a half copy.

    `shards` are the paths that matter, all unless given: a grant may leave others at home.
    """
    faults = []
    wanted = [entry for entry in manifest.shards if shards is None or entry.path in shards]
    for entry in (*manifest.files, *wanted):
        path = directory / entry.path
        if not path.is_file():
            faults.append(f"{path}: missing (half-copied?)")
        elif path.stat().st_size != entry.bytes:
            size = path.stat().st_size
            faults.append(f"{path}: has {size} bytes, sealed with {entry.bytes} (half-copied?)")
    return faults


def find_altered(entries: Sequence[FileEntry], directory: Path) -> list[str]:
    """Return which of these files are whole in size but of other content, after reading them."""
    return [
        f"{path}: altered: its SHA-256 is not the sealed one"
        for entry in entries
        if (path := directory / entry.path).is_file()
        and path.stat().st_size == entry.bytes
        and sha256_file(path) != entry.sha256
    ]


def verify_files(manifest: Manifest, directory: Path) -> list[str]:
    """Return every file that is missing or altered, after reading all of them; members' too."""
    entries = (*manifest.files, *manifest.shards)
    faults = [*find_faults(manifest, directory), *find_altered(entries, directory)]
    try:
        members = manifest.contributions() if manifest.members else []
    except SealBrokenError as error:
        return [*faults, *str(error).splitlines()]
    return faults + [fault for one in members for fault in verify_files(one, one.directory)]
