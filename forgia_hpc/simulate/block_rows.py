"""What lies in the blocks of a campaign, read row by row and compared with the journal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from forgia_hpc.data.fields.layout import Array
from forgia_hpc.data.fields.storage import DTYPES
from forgia_hpc.simulate.blocks import TIMES, is_same

_OPEN = 64  # files that stay open
_DTYPES = frozenset({*DTYPES.values(), np.dtype("<f4"), np.dtype("<f8")})
_BROKEN = (  # what h5py raises at a damaged header: one flipped bit makes its types half-known
    OSError,
    KeyError,
    TypeError,
    ValueError,
    RuntimeError,
    AttributeError,
    IndexError,
)


class Unsound(Exception):  # noqa: N818 - a finding, not an error of ours
    """A member's arrays are gone, or are not what its line says."""


class Rows:
    """Reads rows of blocks, each compared with its checksum; a few files stay open."""

    def __init__(self, folder: Path) -> None:
        """Take the folder of the blocks."""
        self._folder = folder
        self._open: dict[str, _Laid] = {}

    def __enter__(self) -> Rows:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every file."""
        for file in self._open.values():
            file.close()
        self._open.clear()

    def read(self, line: Mapping[str, Any], name: str) -> Array:
        """Return one array of a solved member.

        Raises:
            Unsound: it can't be read, or its bytes are others than the journal's.
        """
        try:
            array = self._file(line["file"]).row(name, line["row"])
            told = line["sums"][name]
        except _BROKEN as error:
            raise Unsound(f"{line['file']}: {name}: {error}") from error
        if not is_same(array, told):
            raise Unsound(f"{line['file']}: {name}: bytes differ from the journal's")
        return array

    def _file(self, name: str) -> _Laid:
        if name not in self._open:
            if len(self._open) >= _OPEN:
                self._open.pop(next(iter(self._open))).close()
            self._open[name] = _Laid(self._folder / name)
        return self._open[name]


class _Laid:
    """A block, open for reading: HDF5 says where its arrays lie, the bytes are read from there by pread(2)."""

    def __init__(self, path: Path) -> None:
        with h5py.File(path, "r") as file:
            self._places = {
                name: (file[name].shape, file[name].dtype, int(file[name].id.get_offset()))
                for name in [
                    TIMES,
                    *(f"{one}/{own}" for one in ("fields", "signals") for own in file.get(one, ())),
                ]
            }
        self._file = os.open(path, os.O_RDONLY)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def row(self, name: str, row: int) -> Array:
        """Return one row; KeyError, ValueError where there is none."""
        shape, dtype, begin = self._places[name]
        if dtype not in _DTYPES:  # the same bytes would pass as other numbers
            raise ValueError(f"{dtype}: no type of ours")
        if not 0 <= row < shape[0]:
            raise ValueError(f"row {row} of {shape[0]}")
        array = np.empty(shape[1:], dtype)
        done, data = 0, array.reshape(-1).view(np.uint8).data
        while done < len(data):  # pread(2) reads 2 GiB at most
            read = os.preadv(self._file, [data[done:]], begin + row * array.nbytes + done)
            if not read:
                raise ValueError("the file ends before")
            done += read
        return array
