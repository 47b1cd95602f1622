"""Load the index of a contribution of fields, checked against its manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forgia_hpc.data.fields.index import FieldIndex, unpack
from forgia_hpc.data.fields.layout import FORMAT
from forgia_hpc.data.index_file import index_bytes
from forgia_hpc.data.manifest import Manifest
from forgia_hpc.errors import SealBrokenError

if TYPE_CHECKING:
    from forgia_hpc.data.crypto.keys import Keyring


def load_field_index(manifest: Manifest, ring: Keyring | None = None) -> FieldIndex:
    """Return the index, which of a cold dataset tells where everything lies when it is hot."""
    if manifest.layout != FORMAT:
        raise SealBrokenError(f"{manifest.directory}: layout {manifest.layout}, not {FORMAT}")
    path, data = index_bytes(manifest, ring)
    index = unpack(data, where=str(path))
    listed = [(one.path, one.hot_bytes or one.bytes, one.split) for one in manifest.shards]
    known = [
        (row["path"].decode(), int(row["bytes"]), index.split_of(number))
        for number, row in enumerate(index.shards)
    ]
    if listed != known:
        raise SealBrokenError(f"{path}: lists other shards than the manifest")
    return index
