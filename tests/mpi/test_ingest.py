"""Raw files are read by ranges and shards written by ranks: the same bytes from 1, 2 or 3 ranks."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from mpi4py import MPI

from forgia_hpc.data.card import card_from
from forgia_hpc.data.ingest.gather import Means
from forgia_hpc.data.ingest.load import recipe_from_text
from forgia_hpc.data.ingest.run import alone
from forgia_hpc.data.ingest.sealing import seal_contribution
from forgia_hpc.errors import InputError
from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.world import World, open_world

pytestmark = pytest.mark.mpi
NAME = "mill"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    own = str(tmp_path_factory.mktemp("run"))
    run = RunDir(Path(MPI.COMM_WORLD.bcast(own, root=0)))
    before = dict(os.environ)
    with open_world(run, mpi=True) as opened:
        yield opened
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def shared(tmp_path: Path, world: World) -> Path:
    return Path(world.broadcast(str(tmp_path)))


def raw_files(root: Path, broken: str = "") -> str:
    """Write two machines' files and return the recipe."""
    rng = np.random.default_rng(0)
    (root / NAME).mkdir(parents=True)
    files = []
    for machine in ("a", "b"):
        stamps = np.datetime_as_string(np.datetime64("2025-01-01T00:00") + np.arange(900))
        cells = [np.char.mod("%.1f", rng.normal(50, 9, 900)) for _ in range(2)]
        lines = ["time,x,y", *map(",".join, zip(stamps, *cells, strict=True))]
        lines[701] = broken or lines[701]
        path = root / NAME / f"{machine}.csv"
        path.write_text("\n".join(lines) + "\n", encoding="ascii")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        files.append({"path": path.name, "sha256": digest})
    facts = {"format": "forgia.recipe/1", "name": NAME, "contributor": "x", "licence": "x"}
    table = {
        "group": "slow",
        "files": [{"path": one["path"], "asset": one["path"][0]} for one in files],
        "parser": "csv",
        "clock": {"column": "time", "format": "%Y-%m-%dT%H:%M", "step_s": 60},
        "defaults": {
            "semantic_base": "https://forgia.example/",
            "ucum": "Cel",
            "quantity": "temperature",
            "decimals": 1,
            "min": -50.0,
            "max": 150.0,
        },
        "columns": [{"column": "x"}, {"column": "y"}],
    }
    rest = {"source": "x", "files": files, "tables": [table], "season_steps": {"slow": 1}}
    return yaml.safe_dump({**facts, **rest, "split": {"time_share": 0.25}})


def card():
    facts = dict.fromkeys(("title", "description", "licence", "source", "contributor"), "x")
    return card_from({"format": "forgia.card/1", "name": NAME, **facts}, where="test")


def digests(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_all_ranks_together_make_the_bytes_that_one_makes(world: World, shared: Path) -> None:
    text = raw_files(shared) if world.is_root else ""
    recipe = recipe_from_text(world.broadcast(text), where="test")
    words = {"shard_bytes": 1500}
    together, report = seal_contribution(
        card(),
        recipe,
        shared,
        shared / "all",
        means=Means(world=world, stretch_bytes=7000),
        **words,
    )
    if world.is_root:
        one, told = seal_contribution(card(), recipe, shared, shared / "one", **words)
        assert together == one
        assert digests(shared / "all" / NAME) == digests(shared / "one" / NAME)
        assert replace(report, seconds=0.0) == replace(told, seconds=0.0)
        assert len(list((shared / "one" / NAME / "shards").iterdir())) >= 4
        assert [path.name for path in (shared / "all").iterdir()] == [NAME]
    world.barrier()


def test_a_cell_that_one_rank_finds_is_refused_by_all(world: World, shared: Path) -> None:
    text = raw_files(shared, "2025-01-01T11:40,50.1,5O.1") if world.is_root else ""
    recipe = recipe_from_text(world.broadcast(text), where="test")
    with pytest.raises(InputError, match=r"5O\.1") as error:
        seal_contribution(
            card(), recipe, shared, shared / "out", means=Means(world=world, stretch_bytes=7000)
        )
    assert error.value.problems[0].where == "a.csv, line 702"
    assert alone().world.size == 1
    world.barrier()
