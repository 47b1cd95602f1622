"""The order of the data in real trainings: the same windows whatever the number of ranks, and no other order."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from ranks import started

from forgia_hpc.errors import ExitCode
from forgia_hpc.rundir import read_json
from forgia_hpc.schema.training import Precision

pytestmark = pytest.mark.ranks


def test_one_rank_then_two_draw_the_windows_of_one_and_no_other_order_goes_on(
    tmp_path: Path,
) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    plain = started.waves_job(
        0,
        Precision.fp32,
        options={"notes": str(notes)},
        train={"steps": 6, "checkpoint_every": 3},
    )
    job = dataclasses.replace(plain, data=dataclasses.replace(plain.data, run=4))
    run = started.new_run(tmp_path, job, started.sealed_waves(tmp_path))
    started.trained(run, 1)
    facts = read_json(run.checkpoints / "3" / "manifest.json")["facts"]["order"]
    assert len(bytes.fromhex(facts["cursor"])) == 32
    assert facts["contributions"]["waves"]["drawn"] == 3 * 8

    forget_the_second_half(run)
    assert started.trained(run, 2, attempt=1)["resumed_from"] == 3
    alone = noted(notes / "0-0")
    first, second = noted(notes / "1-0"), noted(notes / "1-1")
    assert len(alone) == 6
    assert len({tuple(step) for step in alone}) == 6
    assert [one + two for one, two in zip(first, second, strict=True)] == alone[3:]

    forget_the_second_half(run)
    other = dataclasses.replace(job, data=dataclasses.replace(job.data, run=1))
    OmegaConf.save(OmegaConf.structured(other), run.config)
    ranks = started.start(run, 1, attempt=2)
    assert ranks.wait() == [ExitCode.INPUT]
    assert "the order was begun with other windows, contributions" in ranks.log(0)


def forget_the_second_half(run: started.RunDir) -> None:
    (run.output / "train.json").unlink()
    shutil.rmtree(run.checkpoints / "6")


def noted(path: Path) -> list[list[int]]:
    """Return the series of each step."""
    return [json.loads(line) for line in path.read_text().splitlines()]
