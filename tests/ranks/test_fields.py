"""Real DeepSpeed ranks that learn from simulations: the same loop, the same promises as with telemetry."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from fakes.heat import plates
from fakes.simulated import field_card
from fakes.well_file import write_well_file
from ranks import started

from forgia_hpc.data.card import card_from
from forgia_hpc.data.fields.well import seal_well
from forgia_hpc.data.fields.writer import seal_fields
from forgia_hpc.errors import ExitCode
from forgia_hpc.metrics import read_metrics
from forgia_hpc.models.field_shape import KEY
from forgia_hpc.runtime import artefact
from forgia_hpc.runtime.stop import request_stop
from forgia_hpc.schema.data import Data
from forgia_hpc.schema.evaluation import Evaluate
from forgia_hpc.schema.job import TrainJob
from forgia_hpc.schema.model import Model
from forgia_hpc.schema.training import Optimizer, Parallel, Precision, Train

pytestmark = pytest.mark.ranks
NANO = {"width": 16, "layers": 1, "heads": 2, "feed_forward": 32, "stencil": 4, "noise": 0.01}


@pytest.fixture(scope="module")
def heat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("data") / "plates"
    seal_fields(plates(6, 2, size=12, steps=9), field_card("plates"), directory)
    return directory


def job_of(stage: int, precision: Precision, dataset: str = "plates", **train: Any) -> TrainJob:
    words = {"steps": 12, "global_batch": 4, "checkpoint_every": 4, **train}
    return TrainJob(
        seed=3,
        data=Data(dataset=dataset, steps_in=2, steps_out=2),
        model=Model(name="field", family="field", options=NANO),
        parallel=Parallel(zero_stage=stage, precision=precision),
        optimizer=Optimizer(learning_rate=3e-3),
        train=Train(**words),
        evaluate=Evaluate(enabled=False),
    )


@pytest.mark.parametrize(("stage", "precision"), [(1, Precision.fp32), (3, Precision.bf16)])
def test_stopped_and_resumed_is_the_same_to_the_bit(
    stage: int, precision: Precision, heat: Path, tmp_path: Path
) -> None:
    job = job_of(stage, precision)
    whole, broken = (started.new_run(tmp_path, job, heat) for _ in range(2))
    figures = started.trained(whole, 2)

    ranks = started.start(broken, 2)
    started.wait_for_step(broken, 2)
    request_stop(broken, 0)
    codes = ranks.wait()
    assert codes == [ExitCode.STOPPED] * 2, ranks.log(0)[-2000:]
    again = started.trained(broken, 2, attempt=1)

    assert 2 <= again["resumed_from"] < 12
    assert started.weights_digest(broken) == started.weights_digest(whole)
    rows = {row["step"]: row["loss"] for row in read_metrics(whole.metrics)}
    assert {row["step"]: row["loss"] for row in read_metrics(broken.metrics)} == rows
    assert rows[12] < rows[1]
    assert figures["samples"] == 12 * 4


@pytest.mark.parametrize("size", [1, 2])
def test_killed_and_resumed_is_the_same_to_the_bit(size: int, heat: Path, tmp_path: Path) -> None:
    marker = tmp_path / "killed"
    whole, broken = (
        started.new_run(tmp_path, _killed_by(path), heat) for path in ("", str(marker))
    )
    started.trained(whole, size)

    ranks = started.start(broken, size)
    assert ranks.wait()[-1] == -signal.SIGKILL, ranks.log(size - 1)[-2000:]
    assert marker.exists(), "in its seventh step, after the checkpoint of the fourth"
    again = started.trained(broken, size, attempt=1)

    assert again["resumed_from"] == 4
    assert started.weights_digest(broken) == started.weights_digest(whole)
    rows, redone = (
        {row["step"]: (row["loss"], row["grad_norm"]) for row in read_metrics(run.metrics)}
        for run in (whole, broken)
    )
    assert rows == redone
    assert len(rows) == 12


def _killed_by(marker: str) -> TrainJob:
    job = job_of(1, Precision.fp32)
    job.model = Model(
        name="own",
        family="own_field:KilledField",
        options={**NANO, "dropout": 0.1, "killed": marker},
    )
    return job


def test_what_was_learnt_from_stands_in_the_card_and_the_model_knows_its_units(
    heat: Path, tmp_path: Path
) -> None:
    run = started.new_run(tmp_path, job_of(0, Precision.fp32, steps=3), heat)
    started.trained(run, 1)
    model = run.output / "model"
    card = json.loads((model / "model_card.json").read_text())
    (one,) = card["data"]["contributions"]
    assert one["windows"] == 3 * 4
    assert one["tokens"] == 3 * 4 * 4 * 12 * 12 / 16
    facts = artefact.read_facts(model)
    assert (facts.context, facts.horizon, facts.quantiles) == (2, 2, ())
    assert facts.extra[KEY]["channels"] == ["temperature"]
    module = artefact.load(model)
    assert 600 < float(module.mean) < 1300


def test_the_wells_own_files_are_learnt_from_by_the_same_path(tmp_path: Path) -> None:
    """Several files of unlike length, a scalar that is one a file, tensors, walls, what is along one axis only."""
    for number, name in enumerate(("train/a_0.25", "train/a_0.5", "valid/a_0.25")):
        write_well_file(
            tmp_path / f"well/data/{name}.hdf5",
            number,
            packed=number == 1,
            tensors=True,
            a=float(name.partition("_")[2]),
            trajectories=1 + number,
        )
    card = card_from(field_card("dummy"), where="here")
    seal_well(tmp_path / "well", card, tmp_path / "dummy")
    run = started.new_run(tmp_path, job_of(1, Precision.fp32, "dummy", steps=3), tmp_path / "dummy")
    started.trained(run, 2)
    shape = artefact.read_facts(run.output / "model").extra[KEY]
    tensor = ["stress_xx", "stress_xy", "stress_yx", "stress_yy"]
    assert shape["channels"] == ["density", "velocity_x", "velocity_y", *tensor]
    assert (shape["static"], shape["signals"]) == (["wall"], ["inflow"])
    assert shape["parameters"] == ["a", "b"]
    assert shape["parameter_values"]["mean"][0] == pytest.approx((0.25 + 0.5 + 0.5) / 3)
    rows = read_metrics(run.metrics)
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert all(0 < row["loss"] < 10 for row in rows)
