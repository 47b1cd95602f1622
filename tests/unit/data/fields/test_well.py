"""The Well: its files open as they are, are sealed, and what we export is what its library reads."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml
from fakes.simulated import field_card, sealed_fields, simulated
from fakes.well_file import SHAPE, STEPS, TRAJECTORIES, write_well_file

from forgia_hpc.data.card import card_from
from forgia_hpc.data.exports import export
from forgia_hpc.data.fields.boundaries import boundary_kinds
from forgia_hpc.data.fields.inputs import FieldInputs, shape_of
from forgia_hpc.data.fields.reader import open_fields
from forgia_hpc.data.fields.well import open_well, seal_well
from forgia_hpc.data.fields.windows import Cutting
from forgia_hpc.data.layout import Split
from forgia_hpc.data.validate import check
from forgia_hpc.errors import InputError
from forgia_hpc.models.field import FieldModel

CUT = Cutting(steps=3)
NANO = {"width": 16, "layers": 1, "heads": 2, "feed_forward": 32, "stencil": 4}


def quiet(*_):
    """Nobody looks."""


def well(folder, *, packed=False):
    for number, name in enumerate(("train/one", "train/two", "valid/three")):
        write_well_file(folder / f"data/{name}.hdf5", number, packed=packed)
    return folder


@pytest.mark.parametrize("packed", [False, True])
def test_its_files_open_as_they_are(packed, tmp_path):
    folder = well(tmp_path / "dummy", packed=packed)
    before = {path: path.read_bytes() for path in folder.rglob("*.hdf5")}
    with open_well(folder) as dataset:
        windows = dataset.windows(Split.train, CUT)
        assert windows.channels == ("density", "velocity_x", "velocity_y")
        per_file = TRAJECTORIES * (STEPS - 2)
        assert windows.counts == (2 * per_file,)
        assert dataset.windows(Split.held_out_time, CUT).counts == (per_file,)
        batch = windows.gather([(0, per_file + 6)])  # of the second file, trajectory 1, step 1
        np.testing.assert_array_equal(boundary_kinds(windows.schema), [[0, 0], [2, 2]])
    with h5py.File(folder / "data/train/two.hdf5") as file:
        density, velocity = file["t0_fields/density"][1, 1:4], file["t1_fields/velocity"][1, 1:4]
        np.testing.assert_array_equal(batch.values[0, :, 0], density)
        np.testing.assert_array_equal(batch.values[0, :, 1:], np.moveaxis(velocity, -1, 1))
        wall = np.broadcast_to(file["t0_fields/wall"][()], SHAPE)
        np.testing.assert_array_equal(batch.static[0, 0], wall)
        np.testing.assert_array_equal(
            batch.signals[0, :, 0], np.float32(file["scalars/inflow"][1:4])
        )
        expected = np.float32([0.25, file["scalars/b"][1]])
        np.testing.assert_array_equal(batch.parameters[0], expected)
    assert {path: path.read_bytes() for path in folder.rglob("*.hdf5")} == before


def test_its_statistics_come_from_stats_yaml_and_never_from_nowhere(tmp_path):
    folder = well(tmp_path / "dummy")
    with (
        open_well(folder) as dataset,
        pytest.raises(InputError, match=r"stats\.yaml.*ingest --well"),
    ):
        dataset.windows(Split.train, CUT).normal()
    words = {
        "mean": {"density": 0.5, "velocity": [1.0, 2.0]},
        "std": {"density": 3.0, "velocity": [4.0, 5.0]},
    }
    (folder / "stats.yaml").write_text(yaml.safe_dump(words))
    with open_well(folder) as dataset:
        normal = dataset.windows(Split.train, CUT).normal()
    np.testing.assert_allclose(normal.mean, [0.5, 1, 2])
    np.testing.assert_allclose(normal.std, [3, 4, 5])


@pytest.mark.parametrize("packed", [False, True])
def test_sealed_they_give_the_same_windows(packed, tmp_path):
    folder = well(tmp_path / "dummy", packed=packed)
    seal_well(folder, card_from(field_card("dummy"), where=""), tmp_path / "sealed")
    assert check(tmp_path / "sealed") == []
    with open_well(folder) as theirs, open_fields(tmp_path / "sealed") as ours:
        left, right = (one.windows(Split.train, CUT) for one in (theirs, ours))
        assert left.counts == right.counts
        pairs = [(0, number) for number in range(left.counts[0])]
        one, other = left.gather(pairs), right.gather(pairs)
        for name in ("values", "static", "times", "parameters", "signals", "trajectory", "step"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    with h5py.File(tmp_path / "sealed/shards/train-000.h5") as file:
        assert file["t0_fields/wall"].shape == (1, SHAPE[1])
        assert file["t0_fields/wall"].attrs["dim_varying"].tolist() == [False, True]


def spoil_kind(file):
    file["boundary_conditions/x_ends"].attrs["bc_type"] = "SPONGE"


def spoil_grid(file):
    file["dimensions/x"].attrs["sample_varying"] = True


def spoil_size(file):
    del file["t0_fields/density"]
    dataset = file["t0_fields"].create_dataset("density", data=np.zeros((2, 3), np.float32))
    for name in ("sample_varying", "time_varying"):
        dataset.attrs[name] = True
    dataset.attrs["dim_varying"] = [True, True]


def spoil_type(file):
    del file["t0_fields/wall"]
    dataset = file["t0_fields"].create_dataset("wall", data=np.zeros((1, SHAPE[1]), np.int32))
    for name in ("sample_varying", "time_varying"):
        dataset.attrs[name] = False
    dataset.attrs["dim_varying"] = [False, True]


def spoil_attribute(file):
    del file.attrs["grid_type"]


def spoil_name(file):
    file.attrs["dataset_name"] = "another"


def spoil_shared(file):
    file["t0_fields/wall"][...] = 7


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (spoil_kind, "sponge"),
        (spoil_grid, "grid x varies"),
        (spoil_size, "density has 6 numbers"),
        (spoil_type, "two.hdf5.*<i4"),
        (spoil_attribute, "grid_type"),
        (spoil_name, "the same name"),
        (spoil_shared, "the same name"),
    ],
)
def test_a_file_that_can_not_be_followed_is_named(spoil, told, tmp_path):
    folder = well(tmp_path / "dummy")
    with h5py.File(folder / "data/train/two.hdf5", "r+") as file:
        spoil(file)
    with pytest.raises(InputError, match=told) as caught:
        open_well(folder)
    assert "two.hdf5" in str(caught.value)


def test_a_folder_without_files_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no"):
        open_well(tmp_path)


@pytest.mark.parametrize("storage", ["f32", "f64", "i16"])
def test_an_export_opens_as_the_wells_and_holds_the_same_numbers(storage, tmp_path):
    made = simulated(5, 8, storage=storage, members=5, held_out=2)
    directory = sealed_fields(tmp_path, made, per_shard=2)
    files = export(directory, "well", tmp_path / "well", quiet)
    assert [path.relative_to(tmp_path / "well").as_posix() for path in files] == [
        "quench/data/test/held_out_machines-000.hdf5",
        "quench/data/train/train-000.hdf5",
        "quench/data/train/train-001.hdf5",
        "quench/stats.yaml",
    ]
    with open_fields(directory) as ours, open_well(tmp_path / "well/quench") as theirs:
        left, right = (one.windows(Split.train, CUT) for one in (ours, theirs))
        pairs = [(0, number) for number in range(left.counts[0])]
        one, other = left.gather(pairs), right.gather(pairs)
        # the export rounds the exact value once, a batch of i16 is computed in float32
        np.testing.assert_allclose(one.values, other.values, rtol=0, atol=2e-6)
        if storage != "i16":
            np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_array_equal(one.parameters, other.parameters)
        np.testing.assert_array_equal(one.signals, other.signals)
        np.testing.assert_allclose(left.normal().std, right.normal().std, rtol=1e-12)


def test_a_quantised_field_is_not_offered_to_those_who_would_misread_it(tmp_path):
    directory = sealed_fields(tmp_path, simulated(5, 8, storage="i16"))
    with h5py.File(directory / "shards/train-000.h5") as file:
        assert list(file["t0_fields"].attrs["field_names"]) == ["conductivity", "inside"]
        packed = file["packed/temperature"]
        values = packed[()] * packed.attrs["scale_factor"] + packed.attrs["add_offset"]
        expected = simulated(5, 8, storage="i16").trajectories[0].values["temperature"]
        assert np.abs(values[0] - expected).max() <= 10 / 32767


PEER = """
import sys
import numpy as np
from the_well.data import WellDataset
from the_well.data.normalization import ZScoreNormalization

path, split, normal, out = sys.argv[1:]
more = {"use_normalization": True, "normalization_type": ZScoreNormalization} if int(normal) else {}
data = WellDataset(path=path, well_split_name=split or None, n_steps_input=2, n_steps_output=1, **more)
samples = [data[number] for number in range(len(data))]
found = {key: np.stack([sample[key].numpy() for sample in samples]) for key in samples[0]}
np.savez(out, **found)
"""


def by_its_own_library(path, split, out, *, normal=False):
    python = os.environ.get("FORGIA_PEERS")
    assert python, "FORGIA_PEERS must name a python that has the_well 1.2.0"
    words = [python, "-W", "ignore", "-c", PEER, str(path), split, str(int(normal)), str(out)]
    subprocess.run(words, check=True, timeout=120)
    with np.load(out) as found:
        return dict(found)


def _compare(windows, found):
    batch = windows.gather([(0, number) for number in range(len(windows))])
    theirs = np.concatenate([found["input_fields"], found["output_fields"]], axis=1)
    np.testing.assert_array_equal(batch.values, np.moveaxis(theirs, -1, 2))
    np.testing.assert_array_equal(batch.static, np.moveaxis(found["constant_fields"], -1, 1))
    np.testing.assert_allclose(batch.parameters, found["constant_scalars"])
    np.testing.assert_array_equal(boundary_kinds(windows.schema), found["boundary_conditions"][0])


@pytest.mark.peers
@pytest.mark.parametrize("shape", [(9,), (5, 8), (4, 5, 6)])
def test_its_own_library_reads_our_shards_and_our_export(shape, tmp_path: Path):
    made = simulated(*shape, members=4, held_out=1)
    plain = tuple(replace(one, mask=False) for one in made.schema.fields)
    made = replace(made, schema=replace(made.schema, fields=plain))
    directory = sealed_fields(tmp_path, made, per_shard=2)
    export(directory, "well", tmp_path / "well", quiet)
    for path in (directory / "shards").glob("held_out*"):
        path.rename(tmp_path / path.name)
    shards = by_its_own_library(directory / "shards", "", tmp_path / "a.npz")
    exported = by_its_own_library(tmp_path / "well/quench", "train", tmp_path / "b.npz")
    for path in tmp_path.glob("held_out*"):
        path.rename(directory / "shards" / path.name)
    with open_fields(directory) as dataset:
        windows = dataset.windows(Split.train, CUT)
        _compare(windows, shards)
        _compare(windows, exported)
    normal = by_its_own_library(tmp_path / "well/quench", "train", tmp_path / "c.npz", normal=True)
    assert abs(normal["input_fields"].std() - 1) < 0.2


@pytest.mark.peers
def test_its_own_library_and_we_read_its_files_alike(tmp_path):
    folder = well(tmp_path / "dummy", packed=True)
    found = by_its_own_library(folder, "train", tmp_path / "a.npz")
    with open_well(folder) as dataset:
        _compare(dataset.windows(Split.train, CUT), found)


WRITES = """
import sys
import numpy as np
from the_well.utils.dummy_data import write_dummy_data

for number, path in enumerate(sys.argv[1:]):
    np.random.seed(number)
    write_dummy_data(path)
"""


@pytest.mark.peers
def test_files_that_its_own_library_wrote_are_learnt_from(tmp_path):
    paths = [tmp_path / f"well/data/{split}/dummy.hdf5" for split in ("train", "valid")]
    for path in paths:
        path.parent.mkdir(parents=True)
    python = os.environ.get("FORGIA_PEERS")
    assert python, "FORGIA_PEERS must name a python that has the_well 1.2.0"
    subprocess.run([python, "-W", "ignore", "-c", WRITES, *paths], check=True, timeout=120)
    seal_well(tmp_path / "well", card_from(field_card("dummy"), where=""), tmp_path / "sealed")
    torch.manual_seed(0)
    with open_fields(tmp_path / "sealed") as dataset:
        windows = dataset.windows(Split.train, CUT)
        shape = shape_of(windows)
        inputs, model = (
            FieldInputs(windows, shape),
            FieldModel(NANO, context=2, horizon=1, shape=shape),
        )
        worker = torch.optim.Adam(model.parameters(), 1e-2)
        losses = []
        for step in range(3):
            batch = inputs.of(windows.gather([(0, 2 * step), (0, 2 * step + 1)]))
            loss = model(**{name: torch.from_numpy(each) for name, each in batch.items()})
            worker.zero_grad()
            loss.backward()
            worker.step()
            losses.append(loss.item())
    assert (shape.channels, shape.static) == (("field_x", "field_y"), ("constant_field",))
    assert (shape.parameters, shape.signals) == (("a", "b"), ("time_varying_scalar",))
    assert losses[2] < losses[0]
