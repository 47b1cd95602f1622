"""Drafts of files of arrays ingest as they are; of The Well's files a card is drafted that seals them."""

import json
import wave

import h5py
import numpy as np
import pytest
import yaml
from fakes.well_file import write_well_file

from forgia_hpc.data.ingest.draft import draft
from forgia_hpc.data.ingest.draft_yaml import as_yaml
from forgia_hpc.data.ingest.load import recipe_from_text
from forgia_hpc.data.ingest.run import ingest
from forgia_hpc.errors import InputError

ROWS = 400
RNG = np.random.default_rng(0)
SPEED = np.round(RNG.normal(1500, 40, ROWS))
TABLE = np.round(RNG.normal(20, 3, (ROWS, 3)), 2)
TIMES = 1_735_689_600 + 60 * np.arange(ROWS)


def hdf5(path):
    with h5py.File(path, "w") as file:
        file["plant/speed_rpm"], file["plant/bearings"], file["time"] = SPEED, TABLE, TIMES
        file["title"], file["short"] = "a plant", np.arange(7)


def mat5(path):
    scipy_io = pytest.importorskip("scipy.io")
    with path.open("wb") as file:
        scipy_io.savemat(file, {"speed": SPEED[:, None], "bearings": TABLE, "time": TIMES})


def mat73(path):
    with h5py.File(path, "w") as file:
        file["speed"], file["bearings"], file["time"] = SPEED[None], TABLE.T, TIMES[None]


def npz(path):
    np.savez(path, speed=SPEED, bearings=TABLE, time=TIMES)


FILES = {"a.h5": hdf5, "a.mat": mat5, "b.mat": mat73, "a.npz": npz}


def made(tmp_path, name, write):
    path = tmp_path / "plant" / name
    path.parent.mkdir(exist_ok=True)
    write(path)
    return path


def ingested(paths, tmp_path):
    found = draft(paths, "plant")
    recipe = recipe_from_text(as_yaml(found), where="draft")
    return found, *ingest(recipe, tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_arrays_and_tables_become_columns_and_an_epoch_the_clock(name, tmp_path):
    found, contribution, report = ingested([made(tmp_path, name, FILES[name])], tmp_path)
    (table,) = found.recipe()["tables"]
    assert table["clock"] == {"column": "time", "format": "epoch_s", "step_s": 60.0}
    assert report.flags == ()
    assert (report.rows_out, report.channels) == (ROWS, 4)
    values = {
        column["column"]: np.concatenate([one.values[n] for one in contribution.segments])
        for n, column in enumerate(table["columns"])
    }
    (speed,) = (values[one] for one in values if "speed" in one)
    (second,) = (values[one] for one in values if one.endswith("bearings[1]"))
    np.testing.assert_array_equal(speed, SPEED)
    np.testing.assert_allclose(second, TABLE[:, 1], rtol=1e-6)


def test_what_is_no_column_is_told(tmp_path):
    found = draft([made(tmp_path, "a.h5", hdf5)], "plant")
    assert any("short, title" in note for note in found.notes())
    assert "{rev}/min" in as_yaml(found)


def test_a_bare_array_is_drafted_by_number(tmp_path):
    path = made(tmp_path, "a.npy", lambda path: np.save(path, TABLE))
    found, _, report = ingested([path], tmp_path)
    assert [one.column for one in found.columns] == ["0", "1", "2"]
    assert report.values_out == 3 * ROWS


@pytest.mark.parametrize(("rate", "step"), [(8000, 1 / 8000), (44100, None)])
def test_a_wav_says_its_rate(rate, step, tmp_path):
    def sound(path):
        with wave.open(str(path), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(RNG.integers(-9000, 9000, (ROWS, 2)).astype("<i2").tobytes())

    found, contribution, _ = ingested([made(tmp_path, "a.wav", sound)], tmp_path)
    assert found.clock.step_s == step
    assert any(f"{rate} samples a second" in note for note in found.notes())
    assert contribution.segments[0].rate_den == 1
    assert contribution.segments[0].rate_num == (rate if step else 1)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.npy", lambda path: np.save(path, np.array(["x", "y"]))),
        ("b.npy", lambda path: path.write_bytes(b"no array")),
        ("a.wav", lambda path: path.write_bytes(b"RIFF")),
        ("a.h5", lambda path: h5py.File(path, "w").close()),
        ("b.h5", lambda path: path.write_bytes(b"no HDF5")),
        ("a.mat", lambda path: path.write_bytes(b"no MATLAB" * 30)),
    ],
)
def test_what_holds_no_numbers_is_refused(name, write, tmp_path):
    with pytest.raises(InputError, match="arrays of numbers"):
        draft([made(tmp_path, name, write)], "plant")


def test_of_a_file_of_the_well_a_card_is_drafted_that_seals_it(tmp_path, forgia):
    folder = tmp_path / "well"
    path = write_well_file(folder / "data" / "train" / "dummy.hdf5")
    said = forgia("data", "draft", str(path), "--name", "dummy")
    assert said.returncode == 0, said.stderr
    card = yaml.safe_load(said.stdout)
    assert (card["name"], card["format"]) == ("dummy", "forgia.card/1")
    assert "no units are in the file for density" in said.stdout
    (tmp_path / "card.yaml").write_text(said.stdout)
    sealed = forgia("data", "ingest", str(tmp_path / "card.yaml"), "--well", str(folder))
    assert sealed.returncode == 0, sealed.stderr
    told = json.loads(forgia("data", "draft", str(path), "--json").stdout)
    assert "grid of 6 x 4" in told["card"]
