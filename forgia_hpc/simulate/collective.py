"""Members written by all ranks of a group, through parallel HDF5: no rank ever holds a whole one.

The first rank lays a block's file out, full size and empty, and closes it, so no kill can catch HDF5 between data
and metadata; then all open it. A member is one collective call an array, each rank its own cells; a flush; and
the first rank gathers what all have written, and journals it. A checksum stands for one rank's cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from forgia_hpc.data.fields.layout import Array, Schema
from forgia_hpc.data.fields.storage import encode, fault
from forgia_hpc.data.parallel import has_mpi
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.simulate.block_files import Row
from forgia_hpc.simulate.blocks import TIMES, lay_out, places, sum_of
from forgia_hpc.simulate.communicator import Communicator
from forgia_hpc.simulate.findings import missing, own_findings
from forgia_hpc.simulate.member import Output
from forgia_hpc.simulate.shares import Box, Shares, box_of, cuts_of

# Closing such a file waits for all ranks, and after an error they may never come: so nothing but we may close one.
_OPEN: list[h5py.File] = []


def check_parallel() -> None:
    """Refuse to write together with an h5py that can't.

    Raises:
        InputError: h5py was built without MPI.
    """
    if not has_mpi():
        limit = f"h5py {h5py.__version__} of this environment has no MPI"
        fix = "ensemble.writer=gather, or an environment with parallel HDF5: docs/parallel_hdf5.md"
        raise InputError(Problem(field="ensemble.writer", got="mpio", limit=limit, fix=fix))


class Written(Mapping[str, Array]):
    """The numbers of a row, read when they are asked for: an audit may want them whole."""

    def __init__(self, file: h5py.File, names: Sequence[str], row: int) -> None:
        """Take the open file."""
        self._file, self._names, self._row = file, names, row

    def __getitem__(self, name: str) -> Array:
        """Return an array; other ranks need not take part."""
        found: Array = self._file[name][self._row]
        return found

    def __iter__(self) -> Iterator[str]:
        """Yield the arrays' names."""
        return iter(self._names)

    def __len__(self) -> int:
        """Return how many arrays there are."""
        return len(self._names)


@dataclass(frozen=True)
class Kept:
    """A member that all ranks have written: what the journal says of it, on the first rank, and its numbers."""

    line: Mapping[str, Any]
    numbers: Written


class Together:
    """Writes the members of a block. Every function is called by all ranks, on the same line."""

    def __init__(self, ranks: Communicator, folder: Path, schema: Schema) -> None:
        """Take the ranks, and the folder of the blocks."""
        self._ranks, self._folder, self._schema = ranks, folder, schema
        self._files: dict[str, h5py.File] = {}  # of one block, by name
        self._block = ""
        self._shares = Shares(schema, ())

    def __enter__(self) -> Together:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the files with all ranks; after an error with none."""
        if kind is None:
            self._close()

    def put(self, row: Row | None, output: Output, *, passed: bool) -> Kept | None:
        """Write what the ranks hold of a member that has `passed` its checks; the first rank names its row.

        None on every rank: nothing was written. Some numbers are unsound, or the ranks' cells make no whole.

        Raises:
            OSError: no room.
        """
        steps, cuts = len(output.times), cuts_of(self._schema, output.where)
        arrays = self._stored(output, cuts) if passed else {}
        told = self._ranks.allgather((cuts, steps if arrays else -1))
        shares = self._parted(tuple(one for one, _ in told))
        if any(one < 0 or one != steps for _, one in told) or not shares.are_whole:
            return None
        row = self._ranks.bcast(row)
        assert row is not None
        file = self._file(row, steps)
        parts = self._write(file, row.row, shares, arrays)
        file.flush()
        gathered = self._ranks.gather(parts)  # so the first rank knows that all have flushed
        sums = _in_order(gathered or [])
        line = {"file": row.file, "row": row.row, "steps": steps, "sums": sums}
        return Kept(line, Written(file, list(arrays), row.row))

    def _parted(self, cuts: tuple[Box, ...]) -> Shares:
        """Return how the grid is parted; members of one campaign hardly ever differ in it."""
        if self._shares.cuts != cuts:
            self._shares = Shares(self._schema, cuts)
        return self._shares

    def _stored(self, output: Output, cuts: Box) -> dict[str, Array]:
        """Return this rank's numbers as they are stored; none at all where some can't be, or are not sound."""
        steps = len(output.times)
        if missing(self._schema, output.fields, output.signals, np.asarray(output.times)):
            return {}
        found: dict[str, Array] = {}
        for one in self._schema.fields:
            values = np.asarray(output.fields[one.name])
            box = box_of(self._schema, one, cuts, steps)
            fits = values.shape == _shape(box) and values.dtype.kind in "fiub"
            if not fits or fault(values, one):
                return {}
            found[f"fields/{one.name}"] = encode(values, one)
        for signal in self._schema.signals:
            found[f"signals/{signal.name}"] = np.asarray(output.signals[signal.name])
        found[TIMES] = np.asarray(output.times)
        return {} if any(own_findings(self._schema, found, "")) else found

    def _file(self, row: Row, steps: int) -> h5py.File:
        """Return the file, made with its empty numbers if it is new; those of the block before are closed."""
        if row.block != self._block:
            self._close()
            self._block = row.block
        if row.file not in self._files:
            self._files[row.file] = self._made(self._folder / row.file, row.rows, steps)
        return self._files[row.file]

    def _made(self, path: Path, rows: int, steps: int) -> h5py.File:
        if self._ranks.rank == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                lay_out(path, places(self._schema, steps), rows)
            except OSError:
                path.unlink(missing_ok=True)  # what it took is room for our last words
                raise
        self._ranks.barrier()
        file = h5py.File(path, "r+", driver="mpio", comm=self._ranks, libver="earliest")
        _OPEN.append(file)
        return file

    def _write(
        self, file: h5py.File, row: int, shares: Shares, arrays: Mapping[str, Array]
    ) -> dict[str, Any]:
        """Write this rank's parts, and return their checksums; the first rank writes what all have alike."""
        rank = self._ranks.rank
        parts: dict[str, Any] = {}
        for one in self._schema.fields:
            name = f"fields/{one.name}"
            mine = shares.is_writer(one, rank)
            box = shares.box(one, rank, len(arrays[TIMES]))
            with file[name].collective:
                if mine:
                    file[name][(row, *(slice(*cut) for cut in box))] = arrays[name]
                else:  # it takes part all the same
                    file[name][0:0] = np.empty((0, *file[name].shape[1:]), file[name].dtype)
            if mine:
                parts[name] = [*zip(*box, strict=True), sum_of(arrays[name])]
        if rank == 0:
            for name in arrays.keys() - {f"fields/{one.name}" for one in self._schema.fields}:
                array = arrays[name].astype(file[name].dtype)
                file[name][row] = array
                parts[name] = sum_of(array)
        return parts

    def _close(self) -> None:
        for name in sorted(self._files):  # in one order on all ranks
            file = self._files.pop(name)
            file.close()
            _OPEN.remove(file)


def _shape(box: Box) -> tuple[int, ...]:
    return tuple(end - begin for begin, end in box)


def _in_order(gathered: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the checksums of every array: one, or [from, to, checksum] of each rank that has a part."""
    found: dict[str, Any] = {}
    for parts in gathered:
        for name, told in parts.items():
            found[name] = told if isinstance(told, str) else [*found.get(name, ()), told]
    return found
