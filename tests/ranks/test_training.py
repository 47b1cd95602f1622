"""Real DeepSpeed ranks on the CPU: what is interrupted goes on as if nothing had happened."""

from __future__ import annotations

import functools
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ranks import started

from forgia_hpc.errors import ExitCode
from forgia_hpc.metrics import read_metrics
from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime import artefact
from forgia_hpc.runtime.heartbeat import read_beats
from forgia_hpc.runtime.stop import request_stop
from forgia_hpc.schema.training import Precision

pytestmark = pytest.mark.ranks


SLOW = {"pause_s": 0.05}


@pytest.fixture(scope="module")
def waves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return started.sealed_waves(tmp_path_factory.mktemp("data"))


Undisturbed = Callable[[int, Precision], RunDir]


@pytest.fixture(scope="module")
def undisturbed(waves: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Train once for all tests that compare with the same slow training of two ranks."""

    @functools.cache
    def trained(stage: int, precision: Precision) -> RunDir:
        job = started.waves_job(stage, precision, options=SLOW)
        run = started.new_run(tmp_path_factory.mktemp("undisturbed"), job, waves)
        started.trained(run, 2)
        return run

    return trained


@pytest.mark.parametrize(
    ("stage", "precision"), [(0, Precision.fp32), (1, Precision.bf16), (3, Precision.bf16)]
)
def test_stopped_and_resumed_is_the_same_to_the_bit(
    stage: int, precision: Precision, waves: Path, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    whole = undisturbed(stage, precision)
    broken = started.new_run(tmp_path, started.waves_job(stage, precision, options=SLOW), waves)

    ranks = started.start(broken, 2, attempt=0)
    started.wait_for_step(broken, 5)
    request_stop(broken, 0)
    assert ranks.wait() == [ExitCode.STOPPED] * 2, ranks.log(0)[-2000:]
    (resumable,) = [int(path.name) for path in broken.checkpoints.iterdir() if path.name != "4"]
    assert 5 <= resumable < 12
    figures = started.trained(broken, 2, attempt=1)

    assert figures["resumed_from"] == resumable
    assert started.weights_digest(broken) == started.weights_digest(whole)
    rows = {row["step"]: row for row in read_metrics(whole.metrics)}
    again = {row["step"]: row for row in read_metrics(broken.metrics)}
    assert rows.keys() == again.keys() == set(range(1, 13))
    for name in ("loss", "learning_rate", "grad_norm"):
        assert [rows[step][name] for step in rows] == [again[step][name] for step in rows]


def test_a_killed_rank_ends_the_other_and_the_next_attempt_goes_on(
    waves: Path, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    options = {**SLOW, "fault": f"kill:{tmp_path / 'killed'}"}
    killed = started.new_run(tmp_path, started.waves_job(1, Precision.bf16, options=options), waves)
    whole = undisturbed(1, Precision.bf16)

    ranks = started.start(killed, 2)
    assert ranks.processes[1].wait(120) == -9
    dead_since = time.monotonic()
    assert ranks.wait(60)[0] not in (0, ExitCode.STOPPED)
    assert time.monotonic() - dead_since < 30  # not the ten minutes of a collective's time limit
    figures = started.trained(killed, 2, attempt=1)

    assert figures["resumed_from"] == 4
    assert started.weights_digest(killed) == started.weights_digest(whole)
    assert [(beat.rank, beat.phase) for beat in read_beats(killed, 1)] == [
        (0, "export"),
        (1, "export"),
    ]


def test_losses_that_are_no_numbers_fail_by_name_and_spare_the_weights(
    waves: Path, tmp_path: Path
) -> None:
    for stage, precision in ((0, Precision.fp32), (1, Precision.bf16)):
        job = started.waves_job(
            stage,
            precision,
            options={"fault": "nan"},
            train={"max_skipped": 3, "checkpoint_every": 1},
        )
        run = started.new_run(tmp_path, job, waves)
        ranks = started.start(run, 2)
        assert ranks.wait() == [ExitCode.JOB_FAILED] * 2
        assert "step 6: 3 optimizer steps in a row were skipped" in ranks.log(0)
        assert "train.max_skipped" in ranks.log(1)
        assert [row["skipped"] for row in read_metrics(run.metrics)] == [0, 0, 0, 1, 2]


def test_a_checkpoint_of_other_ranks_is_refused_under_zero_and_taken_without(
    waves: Path, tmp_path: Path
) -> None:
    job = started.waves_job(1, Precision.bf16, options=SLOW)
    run = started.new_run(tmp_path, job, waves)
    ranks = started.start(run, 2)
    started.wait_for_step(run, 4)
    request_stop(run, 0)
    assert ranks.wait() == [ExitCode.STOPPED] * 2
    alone = started.start(run, 1, attempt=1)
    assert alone.wait() == [ExitCode.INPUT]
    assert "was written by 2 ranks" in alone.log(0)

    plain = started.new_run(
        tmp_path, started.waves_job(0, Precision.fp32, train={"steps": 6}), waves
    )
    started.trained(plain, 2)
    (plain.output / "train.json").unlink()
    shutil.rmtree(plain.checkpoints / "6")
    assert started.trained(plain, 1, attempt=1)["resumed_from"] == 4


def test_the_exported_model_is_whole_float32_and_starts_another_run(
    waves: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    first = started.new_run(
        tmp_path, started.waves_job(3, Precision.bf16, train={"steps": 4}), waves
    )
    figures = started.trained(first, 2)
    facts = artefact.read_facts(first.output / "model")
    assert (facts.step, facts.seed, facts.dataset) == (4, 3, figures["dataset"])
    module = artefact.load(first.output / "model")
    assert module.mix.weight is module.tied.weight
    assert {str(value.dtype) for value in module.state_dict().values()} == {"torch.float32"}
    # the optimizer's masters, not the bf16 weights that the passes ran on
    assert any(not value.bfloat16().float().equal(value) for value in module.parameters())

    job = started.waves_job(
        2, Precision.fp32, train={"steps": 1, "start_from": first.name, "micro_batch": 2}, seed=9
    )
    job.optimizer.learning_rate = 1e-12
    second = started.new_run(tmp_path, job, waves)
    started.trained(second, 2)
    for name, value in started.weights(first).items():
        assert abs(value - started.weights(second)[name]).max() < 1e-8, name


def test_an_ended_training_is_not_done_again(waves: Path, tmp_path: Path) -> None:
    run = started.new_run(tmp_path, started.waves_job(0, Precision.fp32, train={"steps": 2}), waves)
    figures = started.trained(run, 1)
    lines = run.metrics.read_text()
    assert started.trained(run, 1, attempt=1) == figures
    assert run.metrics.read_text() == lines
    assert json.loads((run.checkpoints / "2" / "manifest.json").read_text())["facts"]["order"]
