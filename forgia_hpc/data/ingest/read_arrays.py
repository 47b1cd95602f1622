"""Arrays (HDF5, MAT, .npy, PCM .wav) → columns of numbers, a stretch of rows at a time.

A column is named as its file names it: HDF5 and MAT 7.3 by the path of a dataset, `speed` or `plant/speed`, and
`plant/speed[2]` for a column of a table of two dimensions; MAT 5 and .npz by the variable; .npy, .wav by number.
"""

from __future__ import annotations

import contextlib
import re
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from forgia_hpc.data.ingest.findings import Findings
from forgia_hpc.data.ingest.recipe import TableFile, TableSpec
from forgia_hpc.data.ingest.table import Span, Table, used_columns
from forgia_hpc.errors import InputError, Problem

_PART = re.compile(r"(?P<name>.*)\[(?P<number>\d+)\]")


class _Arrays:
    """A file of arrays with one length."""

    def __init__(self, spec: TableSpec, file: TableFile, path: Path) -> None:
        """Take the file; nothing is read yet."""
        self.spec, self.name, self.path = spec, file.path, path

    def spans(self, size: int) -> list[Span]:
        """Return stretches of rows of about so many bytes."""
        rows = self._rows()
        step = max(size // (8 * max(len(used_columns(self.spec)), 1)), 1)
        return [Span(at, min(at + step, rows)) for at in range(0, rows, step)] or [Span(0, 0)]

    def read_plain(self, span: Span) -> Table | None:
        """Return nothing: there is no faster way."""

    def origin(self, span: Span) -> tuple[int, str]:
        """Return the number of the first row of a stretch, from 1."""
        return span.begin + 1, "row"

    def read(self, span: Span, findings: Findings) -> Table | None:
        """Return some rows of the columns that the recipe uses."""
        used = sorted(used_columns(self.spec) - set(self.spec.left_out))
        try:
            with self._open() as opened:
                columns = {name: _array(opened, name, span) for name in used}
        except (OSError, KeyError, ValueError, IndexError, wave.Error, EOFError) as error:
            reason = " ".join(str(error).split())[:160]
            limit = f"a readable {self.spec.parser} file with {', '.join(used)}"
            findings.problem("file", reason, limit, self.name)
            return None
        lengths = {name: len(one) for name, one in columns.items()}
        if len(set(lengths.values())) > 1:
            findings.problem("columns", lengths, "arrays of one length are needed", self.name)
            return None
        plain = {name: pa.array(one) for name, one in columns.items()}
        return Table(self.name, plain, next(iter(lengths.values())), *self.origin(span))

    def _rows(self) -> int:
        """Return the rows of the first column used; 0 where it can't be read: `read` tells why."""
        try:
            with self._open() as opened:
                name = _split(min(used_columns(self.spec) - set(self.spec.left_out)))[0]
                return int(opened[name].shape[0])
        except (OSError, KeyError, ValueError, IndexError, wave.Error, EOFError):
            return 0

    def _open(self) -> contextlib.AbstractContextManager[Any]:
        """Give something whose items are arrays."""
        raise NotImplementedError


class Hdf5File(_Arrays):
    """An HDF5 file: a column is a dataset, or a column of one."""

    @contextlib.contextmanager
    def _open(self) -> Iterator[Any]:
        with h5py.File(self.path, "r") as file:
            yield file


class MatFile(_Arrays):
    """A MATLAB file: 7.3 is HDF5 with one row more than one would think, 5 is read by scipy."""

    @contextlib.contextmanager
    def _open(self) -> Iterator[Any]:
        if h5py.is_hdf5(self.path):
            with h5py.File(self.path, "r") as file:
                # MATLAB writes a matrix column after column, so HDF5 has it turned round
                yield _Flat({name: np.asarray(file[name]).T for name in self._names()})
            return
        yield _Flat(mat5_arrays(self.path, self._names()))

    def _names(self) -> list[str]:
        return sorted({_split(name)[0] for name in used_columns(self.spec)})


class NpyFile(_Arrays):
    """A .npy: rows × columns, or one column; a .npz: arrays by name."""

    @contextlib.contextmanager
    def _open(self) -> Iterator[Any]:
        array = np.load(self.path, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.ndarray):
            with array:
                yield array
            return
        table = array.reshape(len(array), -1)
        yield {str(number): table[:, number] for number in range(table.shape[1])}


class WavFile(_Arrays):
    """PCM of 8, 16, 24 or 32 bits; the numbers are those of the converter."""

    @contextlib.contextmanager
    def _open(self) -> Iterator[Any]:
        with wave.open(str(self.path), "rb") as file:
            yield {str(number): _Pcm(file, number) for number in range(file.getnchannels())}


class _Pcm:
    """One channel of an open .wav."""

    def __init__(self, file: wave.Wave_read, number: int) -> None:
        self.file, self.number = file, number
        self.shape = (file.getnframes(),)

    def __getitem__(self, rows: slice) -> NDArray[np.int32]:
        self.file.setpos(rows.start)
        data = self.file.readframes(rows.stop - rows.start)
        width, channels = self.file.getsampwidth(), self.file.getnchannels()
        raw = np.frombuffer(data, np.uint8).reshape(-1, channels, width)[:, self.number]
        if width == 1:
            return raw[:, 0].astype(np.int32) - 128  # 8-bit PCM is unsigned
        padded = np.zeros((len(raw), 4), np.uint8)
        padded[:, 4 - width :] = raw
        return padded.view("<i4")[:, 0] >> (8 * (4 - width))


class _Flat:
    """Vectors without the second dimension that MATLAB gives everything."""

    def __init__(self, arrays: dict[str, Any]) -> None:
        self.arrays = arrays

    def __getitem__(self, name: str) -> Any:
        array = self.arrays[name]
        return np.asarray(array).ravel() if 1 in array.shape else np.asarray(array)


def mat5_arrays(path: Path, names: list[str] | None) -> dict[str, Any]:
    """Return variables of a MATLAB 5 file, all where no names are given.

    Raises:
        InputError: scipy is not there.
    """
    try:
        import scipy.io  # noqa: PLC0415 - an extra: only MAT 5 needs it
    except ImportError as error:
        raise InputError(
            Problem(
                field="parser",
                got="mat",
                limit="MATLAB 5 files need scipy",
                where=str(path),
                fix="pip install 'forgia_hpc[mat]', or save -v7.3",
            )
        ) from error
    found: dict[str, Any] = scipy.io.loadmat(path, variable_names=names)
    return found


def _array(opened: Any, name: str, span: Span) -> NDArray[Any]:
    whole, number = _split(name)
    array = opened[whole][span.begin : span.end]
    return np.ascontiguousarray(array if number is None else array[:, number])


def _split(column: str) -> tuple[str, int | None]:
    found = _PART.fullmatch(column)
    return (found["name"], int(found["number"])) if found else (column, None)
