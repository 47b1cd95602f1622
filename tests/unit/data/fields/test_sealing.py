"""A sealed set of fields appears whole or not at all, always with the same bytes, and refuses what is wrong."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes.simulated import field_card, sealed_fields, simulated

from forgia_hpc.data.fields.layout import Axis, Boundary, Field, Grid
from forgia_hpc.data.fields.reader import open_fields
from forgia_hpc.data.fields.windows import Cutting
from forgia_hpc.data.fields.writer import seal_fields
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.errors import InputError

TESTS = Path(__file__).parents[3]


def in_a_fresh_process(code, *arguments):
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.Popen([sys.executable, "-c", code, *arguments], env=environment)


def test_the_same_input_gives_the_same_bytes_in_another_process_and_second(tmp_path):
    here = sealed_fields(tmp_path / "here", per_shard=2)
    time.sleep(1.1)  # HDF5 keeps times in whole seconds
    code = (
        "import sys; from pathlib import Path; from fakes.simulated import sealed_fields;"
        "sealed_fields(Path(sys.argv[1]), per_shard=2)"
    )
    assert in_a_fresh_process(code, str(tmp_path / "there")).wait() == 0
    files = sorted(path.relative_to(here) for path in here.rglob("*") if path.is_file())
    assert len(files) == 6
    for file in files:
        assert (here / file).read_bytes() == (tmp_path / "there/quench" / file).read_bytes()


def test_a_killed_writer_leaves_nothing_that_looks_sealed(tmp_path):
    code = """
import sys, time
from dataclasses import replace
from pathlib import Path
from fakes.simulated import field_card, simulated
from forgia_hpc.data.fields.writer import seal_fields

class Slow(dict):
    def __getitem__(self, name):
        (Path(sys.argv[1]) / "begun").touch()
        time.sleep(0.05)
        return super().__getitem__(name)

made = simulated(members=200)
slow = [replace(one, values=Slow(one.values)) for one in made.trajectories]
seal_fields(replace(made, trajectories=slow), field_card(), Path(sys.argv[1]) / "quench", per_shard=1)
"""
    process = in_a_fresh_process(code, str(tmp_path))
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".quench.*.part/shards/*-002.h5")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "quench").exists()
    left = next(tmp_path.glob(".quench.*.part"))
    with pytest.raises(InputError, match=r"manifest\.json"):
        load_manifest(left)
    sealed_fields(tmp_path)  # what was left is in nobody's way


def test_a_sealed_set_is_not_changed_without_a_word(tmp_path):
    directory = sealed_fields(tmp_path)
    with pytest.raises(InputError, match="is there already"):
        sealed_fields(tmp_path)
    version = load_manifest(directory).version
    after = seal_fields(simulated(seed=1), field_card(), directory, overwrite=True)
    assert load_manifest(directory).version == after != version


def test_a_shard_holds_a_range_of_members_in_order(tmp_path):
    directory = sealed_fields(tmp_path, simulated(members=8, held_out=3), per_shard=2)
    entries = load_manifest(directory).shards
    assert [(entry.split.value, entry.segments) for entry in entries] == [
        ("train", 2),
        ("train", 2),
        ("train", 1),
        ("held_out_machines", 2),
        ("held_out_machines", 1),
    ]
    with open_fields(directory) as dataset:
        members = [row.decode() for row in dataset.sources[0].index.trajectories["member"]]
    assert members == [f"member-{number:04d}" for number in range(8)]


def field(**more):
    return lambda made: replace(
        made,
        schema=replace(
            made.schema, fields=(*made.schema.fields[:-1], Field(name="inside", **more))
        ),
    )


def first(**more):
    return lambda made: replace(
        made, trajectories=[replace(made.trajectories[0], **more), *made.trajectories[1:]]
    )


def words(**more):
    return lambda made: replace(made, schema=replace(made.schema, **more))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda made: replace(made, name="other"), r"card\.name"),
        (lambda made: replace(made, trajectories=[]), "trajectories"),
        (lambda made: replace(made, shared={}), "shared"),
        (field(order=3), r"inside\.order"),
        (field(storage="i8"), r"inside\.storage"),
        (field(storage="i16"), r"inside\.scale.*\n?.*max_abs_err"),
        (field(ucum="furlong"), r"inside\.ucum"),
        (field(along=(True,)), r"inside\.along"),
        (first(member=""), r"trajectories\.member"),
        (first(member="member-0001"), "another of this name"),
        (first(times=np.array([0.0, 1, 1, 2, 3, 4])), "rising"),
        (first(parameters={"ambient": 1.0}), r"member-0000\.parameters"),
        (first(parameters={"ambient": 1.0, "transfer": np.inf}), r"parameters\.transfer"),
        (first(signals={"bath": np.zeros(3)}), r"signals\.bath"),
        (first(values={}), r"member-0000\.values"),
        (words(grid=Grid(axes=())), r"grid\.axes"),
        (words(grid=Grid(axes=(Axis(name="x", coordinates=np.array([0.0, 2, 1])),))), r"grid\.x"),
        (words(boundaries=(Boundary(name="b", kind="sponge", axes=("x",)),)), r"b\.kind"),
        (words(boundaries=(Boundary(name="b", kind="wall", axes=("q",)),)), r"b\.axes"),
        (words(boundaries=(Boundary(name="b", kind="wall", axes=("x", "y")),)), r"b\.mask"),
    ],
)
def test_what_is_wrong_is_named_before_a_byte_is_written(change, told, tmp_path):
    with pytest.raises(InputError, match=told):
        seal_fields(change(simulated(5, 8)), field_card(), tmp_path / "quench")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.full((6, 5, 8), np.inf), "infinite"),
        (np.full((6, 5, 8), 1e300), "float32 overflows"),
        (np.zeros((6, 5, 7)), r"must be numbers of shape \(6, 5, 8\)"),
        (np.zeros((6, 5, 8), complex), "must be numbers"),
    ],
)
def test_a_value_that_can_not_be_stored_names_its_trajectory(values, told, tmp_path):
    made = simulated(5, 8)
    made.trajectories[1].values["temperature"] = values
    with pytest.raises(InputError, match=rf"member-0001\.temperature.*{told}"):
        seal_fields(made, field_card(), tmp_path / "quench")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("cutting", "told"),
    [
        (Cutting(fields=("heat",)), "that vary in time: temperature, velocity, stress"),
        (Cutting(fields=("conductivity",)), "that vary in time"),
        (Cutting(steps=0), "at least 1"),
        (Cutting(steps=7), "no trajectory of train has 7 steps"),
        (Cutting(steps=3, stride=3), "has 7 steps"),
    ],
)
def test_windows_that_can_not_be_cut_are_refused(cutting, told, tmp_path):
    with open_fields(sealed_fields(tmp_path)) as dataset, pytest.raises(InputError, match=told):
        dataset.windows(Split.train, cutting)
