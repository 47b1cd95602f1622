"""The prepare workload: one rank and two, the consortium at the end, refusals of all ranks together."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest
import yaml

from forgia_hpc.data.ingest.load import prepare_inputs
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.presence import verify_files
from forgia_hpc.errors import InputError, StoppedError
from forgia_hpc.metrics import read_metrics
from forgia_hpc.prepare.run import prepare
from forgia_hpc.rundir import RunDir, write_json
from forgia_hpc.runtime.place import Place
from forgia_hpc.runtime.stop import StopFlag, request_stop
from forgia_hpc.runtime.world import World
from forgia_hpc.schema.job import Prepare, PrepareJob


class Threads:
    """Ranks as threads of this process: what the wire of torch or MPI does between processes."""

    def __init__(self, size):
        self.size, self.texts, self.meet = size, [""] * size, threading.Barrier(size, timeout=60)

    def wire(self, rank):
        return ThreadWire(self, rank)

    def worlds(self):
        places = [Place(rank=rank, size=self.size) for rank in range(self.size)]
        return [World(place, lambda rank=place.rank: self.wire(rank)) for place in places]


class ThreadWire:
    def __init__(self, ranks, rank):
        self.ranks, self.rank = ranks, rank

    def collect(self, text):
        self.ranks.texts[self.rank] = text
        self.ranks.meet.wait()
        found = list(self.ranks.texts)
        self.ranks.meet.wait()
        return found

    def share(self, text):
        return self.collect(text)[0]

    def sum(self, values):
        texts = self.collect(json.dumps(values.tolist()))
        return np.sum([json.loads(text) for text in texts], axis=0)

    def close(self):
        pass


@pytest.fixture
def run(tmp_path):
    run = RunDir(tmp_path / "run")
    run.inputs.mkdir(parents=True)
    return run


def inputs_of(run, into, **changes):
    """Write inputs/prepare.json for a small demo; `changes` are of every recipe."""
    inputs = prepare_inputs(["demo"], into)
    for source in inputs["contributions"].values():
        recipe = {**yaml.safe_load(source["recipe"]), **changes}
        recipe["generator"]["steps"] = 3000
        source["recipe"] = yaml.safe_dump(recipe)
    write_json(run.inputs / "prepare.json", inputs)
    return inputs


def prepared(run, world, **words):
    return prepare(PrepareJob(prepare=Prepare(**words)), run, world, StopFlag(run, 0))


def test_one_rank_makes_all_and_seals_the_consortium(run, tmp_path):
    inputs_of(run, tmp_path / "data")
    result = prepared(run, *Threads(1).worlds())
    demo = load_manifest(tmp_path / "data" / "demo")
    assert result["consortia"] == {"demo": demo.version}
    assert verify_files(demo, demo.directory) == []
    assert {n: one["version"] for n, one in result["contributions"].items()} == {
        member.name: member.version for member in demo.members
    }
    rows = read_metrics(run.metrics)
    assert [(row["phase"], row["step"], row["of"]) for row in rows] == [
        ("prepare", step, 3) for step in (1, 2, 3)
    ]
    assert len(run.events("prepared")) == 4


def test_two_ranks_make_the_same_as_one(run, tmp_path):
    inputs_of(run, tmp_path / "data")
    results = {}

    def rank(world):
        results[world.rank] = prepared(run, world)

    threads = [threading.Thread(target=rank, args=(world,)) for world in Threads(2).worlds()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other = RunDir(tmp_path / "other")
    other.inputs.mkdir(parents=True)
    inputs_of(other, tmp_path / "again")
    alone = prepared(other, *Threads(1).worlds())
    assert results[0]["consortia"] == results[1]["consortia"] == alone["consortia"]
    assert [row["step"] for row in read_metrics(run.metrics)] == [2, 3]


def test_a_second_start_keeps_what_is_sealed(run, tmp_path):
    inputs_of(run, tmp_path / "data")
    first = prepared(run, *Threads(1).worlds())
    before = (tmp_path / "data" / "demo_press").stat().st_ino
    again = prepared(run, *Threads(1).worlds())
    assert again["consortia"] == first["consortia"]
    assert (tmp_path / "data" / "demo_press").stat().st_ino == before


def test_refusals_of_all_contributions_come_together_and_nothing_is_sealed(run, tmp_path):
    inputs_of(run, tmp_path / "data", split={"machines": ["nobody"], "time_share": 0.1})
    with pytest.raises(InputError) as refused:
        prepared(run, *Threads(1).worlds())
    assert [problem.field for problem in refused.value.problems] == ["split.machines"] * 3
    assert not (tmp_path / "data" / "demo").exists()


def test_a_wish_to_stop_is_met_between_contributions(run, tmp_path):
    inputs_of(run, tmp_path / "data")
    request_stop(run, 0)
    with pytest.raises(StoppedError, match="0 of 3"):
        prepared(run, *Threads(1).worlds())
    assert not Path(tmp_path / "data").exists()
