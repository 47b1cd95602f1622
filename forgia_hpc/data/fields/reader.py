"""Open fields: what a grant lists of this layout and nothing else, or a whole directory."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

from forgia_hpc.data.access.grant import Granted, read_grant
from forgia_hpc.data.crypto.keys import keyring
from forgia_hpc.data.fields.layout import FORMAT
from forgia_hpc.data.fields.opened import OpenFields
from forgia_hpc.data.fields.opening import load_field_index
from forgia_hpc.data.fields.windows import Cutting, FieldWindows
from forgia_hpc.data.layout import Split
from forgia_hpc.data.layouts import of_layout
from forgia_hpc.data.manifest import flatten, load_manifest
from forgia_hpc.data.presence import find_faults
from forgia_hpc.data.reading.files import choose_io
from forgia_hpc.data.reading.open_arrays import OpenArrays
from forgia_hpc.data.reading.opened import Access
from forgia_hpc.errors import SealBrokenError


class FieldDataset:
    """Contributions of fields open for reading; a `with` block closes them."""

    def __init__(self, sources: list[OpenFields], arrays: OpenArrays) -> None:
        """Take the open contributions, and what holds their files."""
        self.sources = sources
        self._arrays = arrays
        self.names = tuple(source.manifest.name for source in sources)

    def __enter__(self) -> FieldDataset:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every shard."""
        self._arrays.clear()

    def windows(self, split: Split, cutting: Cutting) -> FieldWindows:
        """Return the windows of a split that may be read.

        Raises:
            InputError: contributions that do not fit into one batch; a field that is not there; no window.

        """
        return FieldWindows(self.sources, split, cutting)


def open_fields(
    source: dict[str, Any] | Path, *, verify: bool = True, io: str = "auto"
) -> FieldDataset:
    """Open what a grant lists, or everything of a directory, as far as it is of this layout.

    Raises:
        InputError: no such dataset, the grant has ended, or nothing of this layout is in it.
        SealBrokenError: every file that is missing, half-copied or altered.

    """
    listed = read_grant(source) if isinstance(source, dict) else _everything(source)
    granted = of_layout(listed, FORMAT)
    faults = [
        fault
        for manifest, paths in granted
        for fault in find_faults(manifest, manifest.directory, shards=paths)
    ]
    if faults:
        raise SealBrokenError("\n".join(faults))
    arrays = OpenArrays()
    held = source if isinstance(source, dict) else None
    sources = []
    for manifest, paths in granted:
        ring = keyring(manifest, held)
        chosen = choose_io(io, manifest.directory)
        access = Access(arrays=arrays, io=chosen, verify=verify, keyring=ring)
        sources.append(OpenFields(manifest, load_field_index(manifest, ring), paths, access))
    return FieldDataset(sources, arrays)


def _everything(directory: Path) -> Granted:
    manifests = flatten([load_manifest(directory)])
    return [(manifest, {entry.path for entry in manifest.shards}) for manifest in manifests]
