"""Members that a sealed dataset has already: by their ids, which hold solver, inputs and level.

So the same ensemble computes nothing twice, and a larger one computes what is new.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from forgia_hpc.data.fields.layout import FORMAT, Array, Schema
from forgia_hpc.data.fields.opened import OpenFields
from forgia_hpc.data.fields.reader import open_fields
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import MANIFEST, Manifest, load_manifest
from forgia_hpc.errors import InputError, SealBrokenError
from forgia_hpc.simulate.block_rows import Unsound
from forgia_hpc.simulate.blocks import TIMES
from forgia_hpc.simulate.standing import same_meaning


class Known:
    """What one sealed dataset has of an ensemble; empty where there is none, or it means something else."""

    def __init__(self, directory: Path, schema: Schema) -> None:
        """Open the dataset, if there is one whose numbers mean the same."""
        self._files, self._source = _opened(directory, schema)
        self.version = self._source.manifest.version if self._source else ""
        self._rows = _rows(self._source)
        self._facts: dict[int, list[bytes]] = {}  # of the shards that were asked for
        told = self._source.manifest.provenance if self._source else {}
        self.refined: Mapping[str, Any] = told.get("refinement", {}).get("members", {})

    def __enter__(self) -> Known:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every shard."""
        if self._files is not None:
            self._files.__exit__(kind, error, trace)

    def __contains__(self, member: str) -> bool:
        """Whether a member's numbers, or what its refinement has shown, are there."""
        return member in self._rows or member in self.refined

    @property
    def manifest(self) -> Manifest | None:
        """The manifest of the dataset, None where there is none."""
        return self._source.manifest if self._source else None

    @property
    def design(self) -> Mapping[str, object]:
        """How the members that are there were drawn."""
        return self._source.schema.design if self._source else {}

    def has_numbers(self, member: str) -> bool:
        """Whether a member's numbers are there."""
        return member in self._rows

    def members(self) -> dict[str, Split]:
        """Return the members and the splits that they are in, in their order."""
        if self._source is None:
            return {}
        index = self._source.index
        return {
            member: index.split_of(int(index.trajectories["shard"][row]))
            for member, row in self._rows.items()
        }

    def provenance(self, member: str) -> Any:
        """Return what a member's trajectory was sealed with."""
        assert self._source is not None
        place = self._source.index.trajectories[self._row(member)]
        number = int(place["shard"])
        if number not in self._facts:
            path = self._source.manifest.shards[number].path
            with h5py.File(self._source.manifest.directory / path, "r") as file:
                self._facts[number] = file["index/trajectories"]["provenance"].tolist()
        return json.loads(self._facts[number][int(place["row"])])

    def read(self, member: str, name: str) -> Array:
        """Return one array of a member by its name in a block, as it is stored.

        Raises:
            Unsound: the shard is not what was sealed.
        """
        assert self._source is not None
        row = self._row(member)
        index = self._source.index
        if name == TIMES:
            return index.times_of(row)
        group, _, own = name.partition("/")
        if group == "signals":
            column = [one.name for one in index.schema.signals].index(own)
            return np.ascontiguousarray(index.signals_of(row)[:, column])
        return self._field(row, own)

    def _row(self, member: str) -> int:
        if member not in self._rows:
            raise Unsound(f"{member} is not in the sealed dataset any more")
        return self._rows[member]

    def _field(self, row: int, name: str) -> Array:
        source = self._source
        assert source is not None
        index = source.index
        at = [one.name for one in index.schema.fields].index(name)
        one, place = index.schema.fields[at], index.trajectories[row]
        shape = one.shape(index.schema.grid, int(index.shards["steps"][place["shard"]]))
        size = int(np.prod(shape))
        begin = int(place["row"]) * size if one.per_trajectory else 0
        try:
            found = source.stored(at, int(place["shard"]), np.array([begin]), size)
        except (SealBrokenError, OSError) as error:
            raise Unsound(str(error)) from error
        return np.asarray(found[0]).reshape(shape)


def _opened(directory: Path, schema: Schema) -> tuple[Any, OpenFields | None]:
    """Open a dataset of our layout and meaning; anything else is none."""
    if not (directory / MANIFEST).is_file():
        return None, None
    try:
        if load_manifest(directory).layout != FORMAT:
            return None, None
        files = open_fields(directory)
    except (InputError, SealBrokenError):
        return None, None  # half of one is of no use: everything is computed
    source = files.sources[0]
    if same_meaning(source.schema, schema):
        return files, source
    files.__exit__(None, None, None)
    return None, None


def _rows(source: OpenFields | None) -> dict[str, int]:
    members = source.index.trajectories["member"].tolist() if source else []
    return {name.decode(): row for row, name in enumerate(members)}
