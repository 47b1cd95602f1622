"""The optimizer on the CPU: compiled beforehand, loaded from a private copy, never behind somebody's lock."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ranks import started

from forgia_hpc.errors import ExitCode
from forgia_hpc.runtime.extensions import prebuild, prebuilt
from forgia_hpc.schema.training import Precision

pytestmark = pytest.mark.ranks


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what `.ci/setup` compiled; where nobody did, compiled now: some minutes on two cores."""
    directory = tmp_path_factory.mktemp("made") / "extensions"
    if prebuilt().is_dir():
        shutil.copytree(prebuilt(), directory)
    else:
        prebuild(directory)
    return directory


def test_offloading_trains_although_a_killed_rank_left_its_lock(
    compiled: Path, tmp_path: Path
) -> None:
    (compiled / "cpu_adam" / "lock").touch()
    job = started.waves_job(
        2, Precision.bf16, parallel={"offload_optimizer": True}, train={"steps": 4}
    )
    run = started.new_run(tmp_path, job, started.sealed_waves(tmp_path))
    figures = started.trained(run, 2, FORGIA_EXTENSIONS=str(compiled), FORGIA_INIT_S="120")
    assert figures["steps"] == 4
    assert (compiled / "cpu_adam" / "lock").exists()
    (compiled / "cpu_adam" / "lock").unlink()


def test_offloading_without_compiled_parts_says_how_to_compile_them(tmp_path: Path) -> None:
    job = started.waves_job(1, Precision.bf16, parallel={"offload_optimizer": True})
    run = started.new_run(tmp_path, job, started.sealed_waves(tmp_path))
    ranks = started.start(run, 1, FORGIA_EXTENSIONS=str(tmp_path / "nothing"))
    assert ranks.wait() == [ExitCode.INPUT]
    assert "python -m forgia_hpc.runtime.extensions" in ranks.log(0)


def test_an_engine_that_does_not_start_in_time_ends_with_its_traceback(tmp_path: Path) -> None:
    # it stands still, as in earnest: over a thread that runs faulthandler may crash (CPython 3.11, an import)
    job = started.waves_job(1, Precision.bf16, options={"fault": "hangs at start"})
    run = started.new_run(tmp_path, job, started.sealed_waves(tmp_path))
    ranks = started.start(run, 1, FORGIA_INIT_S="20")
    assert ranks.wait() == [1]
    assert "Timeout (0:00:20" in ranks.log(0)
    assert "own_model.py" in ranks.log(0)
    assert "most recent call first" in ranks.log(0)
