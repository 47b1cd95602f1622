"""Every kind of raw file gives the same numbers, in one stretch or in many; what is broken is refused."""

import errno
import hashlib
import os
import sys
import wave
from dataclasses import replace
from types import SimpleNamespace

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
import yaml

from forgia_hpc.data.ingest.load import recipe_from_text
from forgia_hpc.data.ingest.run import alone, ingest
from forgia_hpc.data.ingest.table import READERS, Span
from forgia_hpc.errors import InputError

ROWS = 500
WHOLE = np.random.default_rng(0).integers(-2000, 2000, size=(2, ROWS))


def as_csv(path):
    lines = ["0,1", *(f"{a},{b}" for a, b in WHOLE.T)]
    path.write_text("\n".join(lines) + "\n")


def as_whitespace(path):
    path.write_text("".join(f"{a}  {b}\n" for a, b in WHOLE.T))


def as_parquet(path):
    pa.parquet.write_table(pa.table({"0": WHOLE[0], "1": WHOLE[1]}), path, row_group_size=70)


def as_arrow(path):
    table = pa.table({"0": WHOLE[0], "1": WHOLE[1].astype("f8")})
    pa.feather.write_feather(table, str(path), compression="uncompressed", chunksize=70)


def as_hdf5(path):
    with h5py.File(path, "w") as file:
        file["0"], file["1"] = WHOLE


def as_mat5(path):
    scipy_io = pytest.importorskip("scipy.io")
    with path.open("wb") as file:
        scipy_io.savemat(file, {"v0": WHOLE[0], "v1": WHOLE[1][:, None]})


def as_mat73(path):
    with h5py.File(path, "w") as file:
        file["v0"], file["v1"] = WHOLE[0][None, :], WHOLE[1][None, :]


def as_npy(path):
    np.save(path, WHOLE.T)


def as_wav(path):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(1000)
        file.writeframes(WHOLE.T.astype("<i2").tobytes())


KINDS = {
    "csv": (as_csv, "a.csv", ("0", "1")),
    "whitespace": (as_whitespace, "a.txt", ("0", "1")),
    "parquet": (as_parquet, "a.parquet", ("0", "1")),
    "arrow": (as_arrow, "a.arrow", ("0", "1")),
    "hdf5": (as_hdf5, "a.h5", ("0", "1")),
    "mat": (as_mat5, "a.mat", ("v0", "v1")),
    "mat 7.3": (as_mat73, "b.mat", ("v0", "v1")),
    "npy": (as_npy, "a.npy", ("0", "1")),
    "wav": (as_wav, "a.wav", ("0", "1")),
}


def recipe_of(kind, path, names, **words):
    columns = [
        {"column": name, "name": f"c{n}", "decimals": 0, "min": -4000, "max": 4000}
        for n, name in enumerate(names)
    ]
    defaults = {"semantic_base": "https://example.com/", "ucum": "A", "quantity": "current"}
    content = {
        "format": "forgia.recipe/1",
        "name": "one",
        "contributor": "x",
        "licence": "x",
        "source": "x",
        "files": [{"path": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}],
        "tables": [
            {
                "group": "g",
                "files": [{"path": path.name, "asset": "m"}],
                "parser": kind.split()[0],
                "clock": {},
                "defaults": defaults,
                "columns": columns,
                **words,
            }
        ],
        "split": {},
        "season_steps": {"g": 1},
    }
    return recipe_from_text(yaml.safe_dump(content), where="test")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stretch_bytes", [700, 1 << 24])
def test_every_reader_gives_the_numbers_of_the_file(tmp_path, kind, stretch_bytes):
    write, name, names = KINDS[kind]
    path = tmp_path / "one" / name
    path.parent.mkdir()
    write(path)
    told = []
    means = replace(
        alone(), stretch_bytes=stretch_bytes, progress=lambda *words: told.append(words)
    )
    contribution, report = ingest(recipe_of(kind, path, names), tmp_path, means)
    (segment,) = contribution.segments
    assert np.array_equal(segment.values, WHOLE)
    assert (report.rows_in, told[-1][1]) == (ROWS, told[-1][2])
    assert (len(told) > 1) == (stretch_bytes == 700)


class Failing:
    """A raw file on a disk that gives up in the middle."""

    def __init__(self, *_words):
        pass

    def spans(self, _size):
        return [Span(0, 1)]

    def read_plain(self, _span):
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_read_error_is_told_with_the_file(tmp_path, monkeypatch):
    path = tmp_path / "one" / "a.csv"
    path.parent.mkdir()
    as_csv(path)
    monkeypatch.setitem(READERS, "csv", f"{__name__}:Failing")
    monkeypatch.setitem(sys.modules, __name__, SimpleNamespace(Failing=Failing))
    with pytest.raises(InputError, match="Input/output error") as error:
        ingest(recipe_of("csv", path, ("0", "1")), tmp_path)
    assert error.value.problems[0].where == "a.csv"


def test_what_lies_on_disk_is_what_lies_in_memory(tmp_path):
    path = tmp_path / "one" / "a.csv"
    path.parent.mkdir()
    as_csv(path)
    (tmp_path / "rows").mkdir()
    recipe = recipe_of("csv", path, ("0", "1"))
    means = replace(alone(), stretch_bytes=700, folder=tmp_path / "rows")
    contribution, report = ingest(recipe, tmp_path, means)
    again, same = ingest(recipe, tmp_path, means)  # nothing is read twice
    assert np.array_equal(contribution.segments[0].values, WHOLE)
    assert np.array_equal(again.segments[0].values, WHOLE)
    assert report.as_dict() == same.as_dict()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("csv", "whitespace")])
def test_a_file_that_is_cut_is_refused(tmp_path, kind):
    write, name, names = KINDS[kind]
    path = tmp_path / "one" / name
    path.parent.mkdir()
    write(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError):
        ingest(recipe_of(kind, path, names), tmp_path)


def test_the_counts_of_a_converter_become_volts_and_stay_integers(tmp_path):
    path = tmp_path / "one" / "a.wav"
    path.parent.mkdir()
    as_wav(path)
    recipe = recipe_of("wav", path, ("0", "1"))
    table = recipe.tables[0]
    column = replace(table.columns[0], scale=0.0005, zero=1.0, decimals=None)
    table = replace(table, columns=(column, table.columns[1]))
    contribution, _ = ingest(replace(recipe, tables=(table,)), tmp_path)
    segment = contribution.segments[0]
    assert segment.values[0].tolist() == (WHOLE[0] * 0.0005 + 1.0).tolist()
    assert (segment.channels[0].scale, segment.channels[0].zero) == (0.0005, 1.0)


def test_typed_times_and_gaps(tmp_path):
    path = tmp_path / "one" / "a.parquet"
    path.parent.mkdir()
    times = pa.array(np.datetime64("2025-01-01T00:00", "us") + np.arange(3) * 60_000_000)
    values = pa.array([1.5, None, 2.5], pa.float32())
    pa.parquet.write_table(pa.table({"t": times, "v": values}), path)
    words = {"clock": {"column": "t", "format": "typed", "step_s": 60}}
    with pytest.raises(InputError, match="no number"):
        ingest(recipe_of("parquet", path, ("v",), **words), tmp_path)
    mended = {**words, "mends": {"nan_to_gap": {"at_most": 1}}}
    recipe = recipe_of("parquet", path, ("v",), **mended)
    column = replace(recipe.tables[0].columns[0], decimals=1)
    recipe = replace(recipe, tables=(replace(recipe.tables[0], columns=(column,)),))
    contribution, report = ingest(recipe, tmp_path)
    assert np.array_equal(contribution.segments[0].values, [[1.5, np.nan, 2.5]], equal_nan=True)
    assert report.totals() == {"nan_to_gap": 1}
