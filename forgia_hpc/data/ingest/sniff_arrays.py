"""What lies in a file of arrays (HDF5, MAT, .npy, .npz, PCM .wav): the columns of one length. For a draft."""

from __future__ import annotations

import contextlib
import wave
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa

from forgia_hpc.data.ingest.read_arrays import mat5_arrays
from forgia_hpc.data.ingest.sniff import LOOK_BYTES, Sniffed
from forgia_hpc.errors import InputError, Problem

MOST_COLUMNS = 4096  # of one array: more is a field or an image, not a table
Arrays = dict[str, Any]


def sniff_arrays(path: Path, parser: str) -> Sniffed:
    """Look at a file of arrays.

    Raises:
        InputError: it can't be read, or holds no numbers that could be columns.
    """
    try:
        with _OPEN[parser](path) as (arrays, facts):
            return _sniffed(path, parser, arrays, facts)
    except (OSError, ValueError, wave.Error, EOFError, NotImplementedError) as error:
        raise InputError(_none(path, " ".join(str(error).split())[:160])) from error


def _sniffed(path: Path, parser: str, arrays: Arrays, facts: dict[str, Any]) -> Sniffed:
    fits = {name: one for name, one in arrays.items() if _is_column(one) or _is_table(one)}
    if not fits:
        raise InputError(_none(path, f"no array of numbers among {sorted(arrays)[:8]}"))
    widths = Counter({name: 1 if _is_column(one) else one.shape[1] for name, one in fits.items()})
    lengths: Counter[int] = Counter()
    for name, one in fits.items():
        lengths[one.shape[0]] += widths[name]
    rows = max(lengths, key=lambda length: (lengths[length], length))
    used = [name for name in fits if fits[name].shape[0] == rows]
    others = sorted(set(arrays) - set(used))
    looked = min(rows, max(LOOK_BYTES // (8 * sum(widths[name] for name in used)), 2))
    columns: dict[str, pa.Array] = {}
    for name in used:
        part = np.asarray(fits[name][0:looked])
        if part.ndim == 1:
            columns[name] = pa.array(part)
        else:
            every = np.ascontiguousarray(part.T)
            columns |= {f"{name}[{n}]": pa.array(one) for n, one in enumerate(every)}
    notes = (
        [f"not looked at, of another length or no numbers: {', '.join(others)}"] if others else []
    )
    return Sniffed(
        path=path,
        parser=parser,
        columns=columns,
        cut=looked < rows,
        step_s=facts.get("step_s"),
        notes=(*facts.get("notes", ()), *notes),
    )


def _is_column(array: Any) -> bool:
    return len(array.shape) == 1 and array.shape[0] > 1 and array.dtype.kind in "iufb"


def _is_table(array: Any) -> bool:
    """Whether an array is rows × columns; one with more columns than rows is rather something else."""
    sizes = array.shape
    few = len(sizes) == 2 and 0 < sizes[1] <= min(MOST_COLUMNS, sizes[0])
    return few and sizes[0] > 1 and array.dtype.kind in "iufb"


@contextlib.contextmanager
def _hdf5(path: Path) -> Iterator[tuple[Arrays, dict[str, Any]]]:
    with h5py.File(path, "r") as file:
        yield _datasets(file), {}


def _datasets(file: h5py.File) -> Arrays:
    found: Arrays = {}

    def take(name: str, one: Any) -> None:
        if isinstance(one, h5py.Dataset):
            found[name] = one

    file.visititems(take)
    return found


@contextlib.contextmanager
def _mat(path: Path) -> Iterator[tuple[Arrays, dict[str, Any]]]:
    if h5py.is_hdf5(path):
        with h5py.File(path, "r") as file:
            arrays = {
                name: np.asarray(one).T for name, one in _datasets(file).items() if name[0] != "#"
            }
            yield _vectors(arrays), {}
        return
    yield _vectors(mat5_arrays(path, None)), {}


def _vectors(arrays: Arrays) -> Arrays:
    """Return arrays as the reader has them: what has one row or one column is a vector."""
    return {
        name: one.ravel() if 1 in one.shape else one
        for name, one in arrays.items()
        if isinstance(one, np.ndarray)
    }


@contextlib.contextmanager
def _npy(path: Path) -> Iterator[tuple[Arrays, dict[str, Any]]]:
    loaded = np.load(path, mmap_mode="r", allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        if loaded.dtype.kind not in "iufb" or loaded.ndim < 1:
            raise ValueError(f"an array of {loaded.dtype}, not of numbers")
        table = loaded.reshape(len(loaded), -1)
        width = min(table.shape[1], MOST_COLUMNS)
        yield {str(number): table[:, number] for number in range(width)}, {}
        return
    with loaded:
        yield {name: loaded[name] for name in loaded.files}, {}


@contextlib.contextmanager
def _wav(path: Path) -> Iterator[tuple[Arrays, dict[str, Any]]]:
    with wave.open(str(path), "rb") as file:
        rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
        # `raw` is what the recipe's reader gives: whole numbers of the converter
        data = file.readframes(min(file.getnframes(), LOOK_BYTES // (width * channels)))
    exact = (Fraction(10**9, rate)).denominator == 1
    note = f"{rate} samples a second" + ("" if exact else ": no whole number of nanoseconds a step")
    facts: dict[str, Any] = {"notes": (note,)}
    if exact:
        facts["step_s"] = 1 / rate
    frames = _pcm(data, channels, width)
    yield {str(number): frames[:, number] for number in range(channels)}, facts


def _pcm(data: bytes, channels: int, width: int) -> Any:
    raw = np.frombuffer(data, np.uint8).reshape(-1, channels, width)
    if width == 1:
        return raw[:, :, 0].astype(np.int32) - 128
    padded = np.zeros((*raw.shape[:2], 4), np.uint8)
    padded[:, :, 4 - width :] = raw
    return padded.view("<i4")[:, :, 0] >> (8 * (4 - width))


_OPEN: dict[str, Callable[[Path], Any]] = {"hdf5": _hdf5, "mat": _mat, "npy": _npy, "wav": _wav}


def _none(path: Path, reason: str) -> Problem:
    return Problem(
        field="file",
        got=reason,
        limit="arrays of numbers of one length are needed",
        where=str(path),
        fix="name the arrays in a recipe by hand: docs/adding.md",
    )
