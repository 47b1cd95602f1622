"""What goes in comes out: bit for bit, through our reader and through plain h5py."""

import tempfile
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from fakes.simulated import field_card, sealed_fields, simulated
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forgia_hpc.data.fields.boundaries import boundary_kinds, boundary_tokens
from forgia_hpc.data.fields.layout import Field, FieldSet, Schema, Trajectory
from forgia_hpc.data.fields.reader import open_fields
from forgia_hpc.data.fields.storage import LARGEST_F64, affine
from forgia_hpc.data.fields.windows import Cutting
from forgia_hpc.data.fields.writer import seal_fields
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.validate import check
from forgia_hpc.data.writer import seal_consortium
from forgia_hpc.errors import InputError

SLOW = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
WHERE = {"temperature": "t0", "velocity": "t1", "stress": "t2"}


@SLOW
@given(
    shape=st.lists(st.integers(1, 6), min_size=1, max_size=3).map(tuple),
    steps=st.integers(1, 5),
    members=st.integers(1, 7),
    storage=st.sampled_from(["f32", "f64", "i16"]),
    per_shard=st.integers(1, 4),
    seed=st.integers(0, 2**31),
)
def test_every_number_comes_back(shape, steps, members, storage, per_shard, seed):
    made = simulated(
        *shape, members=members, steps=steps, storage=storage, seed=seed, held_out=members // 3
    )
    with tempfile.TemporaryDirectory() as folder:
        directory = sealed_fields(Path(folder), made, per_shard=per_shard)
        assert check(directory) == []
        with open_fields(directory) as dataset:
            source = dataset.sources[0]
            names = [row.decode() for row in source.index.trajectories["member"]]
            for one in made.trajectories:
                row = names.index(one.member)
                np.testing.assert_array_equal(source.index.times_of(row), one.times)
                np.testing.assert_array_equal(
                    source.index.parameters_of(row), list(one.parameters.values())
                )
                np.testing.assert_array_equal(
                    source.index.signals_of(row)[:, 0], one.signals["bath"]
                )
                for at, field in enumerate(made.schema.fields):
                    found = source.exact(at, row)
                    given_ = (
                        one.values[field.name] if field.per_trajectory else made.shared["inside"]
                    )
                    assert np.abs(found - given_).max() <= field.max_abs_err
                    assert field.storage == "i16" or np.array_equal(found, given_)


@SLOW
@given(
    bits=st.lists(st.integers(0, 2**32 - 1), min_size=12, max_size=12),
    wide=st.lists(st.integers(0, 2**64 - 1), min_size=12, max_size=12),
)
def test_the_bits_of_floats_stay_negative_zero_and_every_nan_too(bits, wide):
    patterns = {"f32": np.array(bits, "<u4").view("<f4"), "f64": np.array(wide, "<u8").view("<f8")}
    base = simulated(4)
    schema = Schema(
        grid=base.schema.grid, fields=tuple(Field(name=name, storage=name) for name in patterns)
    )
    values = {
        name: np.where(
            np.abs(array.astype("f8")) > LARGEST_F64, -array.dtype.type(0), array
        ).reshape(3, 4)
        for name, array in patterns.items()  # larger ones are refused, infinities among them
    }
    one = Trajectory(member="m", split=Split.train, times=np.arange(3.0), values=values)
    made = FieldSet(name="quench", contributor="forge", schema=schema, trajectories=[one])
    with tempfile.TemporaryDirectory() as folder:
        directory = sealed_fields(Path(folder), made)
        with h5py.File(directory / "shards/train-000.h5") as file:
            for name, array in values.items():
                assert file[f"t0_fields/{name}"][0].tobytes() == array.tobytes()
        assert check(directory) == []


@pytest.mark.parametrize("shape", [(9,), (5, 8), (4, 5, 6)])
def test_plain_h5py_reads_the_wells_groups(shape, tmp_path):
    made = simulated(*shape, members=3)
    directory = sealed_fields(tmp_path, made)
    with h5py.File(directory / "shards/train-000.h5") as file:
        assert file.attrs["dataset_name"] == "quench"
        assert file.attrs["n_trajectories"] == 2
        assert file.attrs["n_spatial_dims"] == len(shape)
        assert list(file["dimensions"].attrs["spatial_dims"]) == list(made.schema.grid.names)
        for name, group in WHERE.items():
            dataset = file[f"{group}_fields"][name]
            assert name in file[f"{group}_fields"].attrs["field_names"]
            assert dataset.chunks is None
            for row in range(2):
                np.testing.assert_array_equal(dataset[row], made.trajectories[row].values[name])
        assert file["scalars/bath"].attrs["time_varying"]
        assert file["boundary_conditions/surface"].attrs["bc_type"] == "WALL"
        assert file["dimensions/time"].shape == (6,)


def test_large_arrays_begin_at_whole_pages(tmp_path):
    with h5py.File(sealed_fields(tmp_path, simulated(40, 50)) / "shards/train-000.h5") as file:
        for name in ("t0_fields/temperature", "t1_fields/velocity", "t2_fields/stress"):
            assert file[name].id.get_offset() % 4096 == 0


def test_a_window_is_the_steps_of_its_trajectory_in_any_order_and_stride(tmp_path):
    made = simulated(5, 8, members=7, steps=9, held_out=2)
    directory = sealed_fields(tmp_path, made, per_shard=2)
    with open_fields(directory) as dataset:
        windows = dataset.windows(
            Split.train, Cutting(steps=3, stride=2, fields=("velocity", "temperature"))
        )
        assert windows.counts == (5 * 5,)
        assert windows.channels == ("velocity_y", "velocity_x", "temperature")
        numbers = np.random.default_rng(0).permutation(25)
        batch = windows.gather([(0, number) for number in numbers])
        for row, number in enumerate(numbers.tolist()):
            one, first = made.trajectories[number // 5], number % 5
            cut = slice(first, first + 5, 2)
            assert (batch.trajectory[row], batch.step[row]) == (number // 5, first)
            np.testing.assert_array_equal(batch.times[row], one.times[cut])
            np.testing.assert_array_equal(batch.signals[row][:, 0], one.signals["bath"][cut])
            np.testing.assert_array_equal(batch.values[row, :, 2], one.values["temperature"][cut])
            np.testing.assert_array_equal(
                batch.values[row, :, :2], np.moveaxis(one.values["velocity"][cut], -1, 1)
            )
            np.testing.assert_array_equal(batch.static[row, 0], one.values["conductivity"])
            np.testing.assert_array_equal(batch.mask[row], made.shared["inside"] > 0.5)


def test_means_and_deviations_are_those_of_the_split(tmp_path):
    made = simulated(5, 8, members=7, held_out=3)
    with open_fields(sealed_fields(tmp_path, made, per_shard=2)) as dataset:
        normal = dataset.windows(Split.train, Cutting(fields=("velocity",))).normal()
    train = np.stack([one.values["velocity"] for one in made.trajectories[:4]]).astype(float)
    np.testing.assert_allclose(normal.mean, train.reshape(-1, 2).mean(0), rtol=1e-6)
    np.testing.assert_allclose(normal.std, train.reshape(-1, 2).std(0), rtol=1e-6)
    change = np.diff(train, axis=1).reshape(-1, 2)
    np.testing.assert_allclose(normal.delta_std, change.std(0), rtol=1e-6)


def test_nan_outside_a_body_stays_and_counts_nowhere(tmp_path):
    made = simulated(5, 8, members=2, storage="i16", held_out=0)
    for one in made.trajectories:
        one.values["temperature"][:, 0] = np.nan
    with open_fields(sealed_fields(tmp_path, made)) as dataset:
        windows = dataset.windows(Split.train, Cutting(fields=("temperature",)))
        values = windows.gather([(0, 0)]).values
        assert np.isnan(values[:, :, 0, 0]).all()
        assert np.isfinite(values[:, :, 0, 1:]).all()
        assert np.isfinite(windows.normal().std).all()


def test_trajectories_of_other_lengths_lie_in_other_shards(tmp_path):
    parts = [simulated(4, 4, members=2, steps=steps, held_out=0) for steps in (3, 8)]
    second = [replace(one, member=one.member + "b") for one in parts[1].trajectories]
    mixed = [second[0], parts[0].trajectories[0], second[1], parts[0].trajectories[1]]
    made = replace(parts[0], trajectories=mixed)
    directory = sealed_fields(tmp_path, made)
    assert [entry.steps for entry in load_manifest(directory).shards] == [6, 16]
    assert check(directory) == []
    with open_fields(directory) as dataset:
        windows = dataset.windows(Split.train, Cutting(steps=4))
        assert windows.counts == (10,)
        np.testing.assert_array_equal(
            windows.gather([(0, 5)]).values[0, :, 0], second[1].values["temperature"][:4]
        )


def test_content_id_hangs_on_values_and_meaning_not_on_storage_or_shards(tmp_path):
    def ids(folder, change, **more):
        made = simulated(4, 4, members=2, held_out=0)
        words = replace(made.schema, fields=tuple(change(one) for one in made.schema.fields))
        directory = sealed_fields(tmp_path / folder, replace(made, schema=words), **more)
        return [entry.content_id for entry in load_manifest(directory).shards]

    same = ids("a", lambda one: one)
    assert ids("b", lambda one: replace(one, storage="f64")) == same
    assert ids("c", lambda one: replace(one, ucum="1")) != same
    assert ids("d", lambda one: replace(one, quantity="other")) == same


def test_i16_keeps_its_declared_error_or_is_refused(tmp_path):
    scale, zero, error = affine(-1.0, 1.0)
    base = simulated(4, members=1, held_out=0)
    field = Field(name="u", storage="i16", scale=scale, zero=zero, max_abs_err=error)

    def made(values):
        one = Trajectory(member="m", split=Split.train, times=np.arange(1.0), values={"u": values})
        words = Schema(grid=base.schema.grid, fields=(field,))
        return FieldSet(name="quench", contributor="forge", schema=words, trajectories=[one])

    sealed_fields(tmp_path / "a", made(np.array([[-1.0, -0.3, 0.7, 1.0]])))
    with pytest.raises(InputError, match=r"trajectory m\.u.*outside what int16"):
        sealed_fields(tmp_path / "b", made(np.array([[0.0, 0.0, 0.0, 1.1]])))
    assert list((tmp_path / "b").iterdir()) == []


def test_boundaries_as_numbers(tmp_path):
    schema = simulated(5, 8).schema
    np.testing.assert_array_equal(boundary_kinds(schema), [[0, 0], [2, 2]])
    tokens, laws = boundary_tokens(schema)
    assert laws == ("convection",)
    np.testing.assert_array_equal(tokens, [[0, 0, 0, 0, 0], [2, 1, 0, -1, -1]])


def test_two_contributions_of_one_shape_make_one_batch(tmp_path):
    for name, seed in (("quench", 0), ("anneal", 1)):
        made = replace(simulated(4, 4, seed=seed), name=name)
        seal_fields(made, field_card(name), tmp_path / name)
    seal_consortium(
        "both",
        [tmp_path / "quench", tmp_path / "anneal"],
        field_card("both", members=["anneal", "quench"]),
        tmp_path / "both",
    )
    with open_fields(tmp_path / "both") as dataset:
        windows = dataset.windows(Split.train, Cutting(steps=2))
        assert windows.names == ("anneal", "quench")
        batch = windows.gather([(1, 0), (0, 0), (1, 1)])
    expected = [simulated(4, 4, seed=seed).trajectories[0].values["temperature"] for seed in (0, 1)]
    np.testing.assert_array_equal(batch.values[0, :, 0], expected[0][:2])
    np.testing.assert_array_equal(batch.values[1, :, 0], expected[1][:2])
    np.testing.assert_array_equal(batch.values[2, :, 0], expected[0][1:3])
    assert batch.contribution.tolist() == [1, 0, 1]
