"""Real ranks: what was learnt from is counted once, whatever interrupted it and however many ranks went on."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
from ranks import started

from forgia_hpc.data.access.grant import grant_digest
from forgia_hpc.errors import ExitCode
from forgia_hpc.jobs.used import usage_of
from forgia_hpc.rundir import read_json, write_json
from forgia_hpc.runtime.checkpoint import problems_of
from forgia_hpc.runtime.stop import request_stop
from forgia_hpc.schema.training import Precision

pytestmark = pytest.mark.ranks
SLOW = {"pause_s": 0.05}


@pytest.fixture(scope="module")
def waves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return started.sealed_waves(tmp_path_factory.mktemp("data"))


def test_use_goes_on_over_a_stop_at_another_number_of_ranks(waves: Path, tmp_path: Path) -> None:
    job = started.waves_job(0, Precision.fp32, options=SLOW)
    whole, broken = (started.new_run(tmp_path, job, waves) for _ in range(2))
    started.trained(whole, 1)

    ranks = started.start(broken, 2)
    started.wait_for_step(broken, 5)
    request_stop(broken, 0)
    assert ranks.wait() == [ExitCode.STOPPED] * 2, ranks.log(0)[-2000:]
    halfway = max(int(path.name) for path in broken.checkpoints.iterdir())
    checkpoint = broken.checkpoints / str(halfway)
    assert problems_of(checkpoint) == []
    _, told = usage_of(str(checkpoint))
    assert windows(told) == 8 * halfway
    started.trained(broken, 1, attempt=1)

    (_, one), (_, other) = (usage_of(str(run.output / "model")) for run in (whole, broken))
    assert one == other
    assert windows(one) == 8 * 12
    card = json.loads((whole.output / "model" / "model_card.json").read_text())
    assert card["data"]["contributions"][0]["windows"] == 8 * 12


def windows(told: dict[str, object]) -> int:
    shards = told["contributions"]["waves"]["shards"]  # type: ignore[index]
    return sum(entry["windows"] for entry in shards.values())


def test_a_grant_that_ends_in_mid_run_saves_and_refuses(waves: Path, tmp_path: Path) -> None:
    job = started.waves_job(0, Precision.fp32, options=SLOW, train={"steps": 100_000})
    run = started.new_run(tmp_path, job, waves)
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=60)
    grant = {**read_json(run.inputs / "grant.json"), "expires": ends.isoformat()}
    write_json(run.inputs / "grant.json", {**grant, "digest": grant_digest(grant)})

    ranks = started.start(run, 2)
    assert ranks.wait() == [ExitCode.INPUT] * 2
    assert "grant.expires" in ranks.log(0)
    newest = max(int(path.name) for path in run.checkpoints.iterdir())
    assert f"left after step {newest} of 100000; it is saved" in ranks.log(0)
    after = started.start(run, 1, attempt=1)
    assert after.wait() == [ExitCode.INPUT]
    assert "grant.expires" in after.log(0)
