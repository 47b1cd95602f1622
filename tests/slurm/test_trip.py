"""The trip on a real Slurm: what is submitted is what runs, and every ending tells the truth."""

from __future__ import annotations

import json
import os
import shutil
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from slurm.trip import SLEEP, Trip

pytestmark = pytest.mark.slurm


@pytest.fixture
def trip(dev_slurm, tmp_path: Path):
    found = Trip(dev_slurm, tmp_path)
    yield found
    found.open_the_door()


# --- exit truth -----------------------------------------------------------------------------------


def test_a_job_that_raised_is_failed_and_its_follower_never_runs(trip: Trip) -> None:
    trip.hold_the_door()
    run, job = trip.submit("command", "--", sys.executable, "-c", "raise SystemExit(9)")
    _, follower = trip.submit("command", "--after", run.name, "--", "true")
    trip.open_the_door()
    facts = trip.until(job, "FAILED", "COMPLETED")
    assert (facts["JobState"], facts["ExitCode"]) == ("FAILED", "3:0")
    assert trip.until(follower, "CANCELLED", "COMPLETED", "FAILED")["JobState"] == "CANCELLED"
    said = json.loads(trip("status", run.name, "--json").stdout)["runs"][0]
    assert said["state"] == "failed"
    assert "exit code 9" in said["why"]


def test_a_job_that_ended_well_is_completed_with_a_result(trip: Trip) -> None:
    run, job = trip.submit(
        "command", "resources.nodes=2", "resources.ranks_per_node=2", "--", "hostname"
    )
    assert trip("wait", run.name).stdout.strip() == f"{run.name} completed"
    assert trip.until(job, "COMPLETED")["ExitCode"] == "0:0"
    assert json.loads(run.result.read_text())["world_size"] == 4
    hosts = {path.name: path.read_text().strip() for path in run.logs.glob("rank-*.log")}
    assert len(hosts) == 4
    assert len(set(hosts.values())) == 2


def test_a_dead_rank_ends_the_job_and_names_itself(trip: Trip) -> None:
    code = (
        "import os, signal, time; time.sleep(2 if os.environ['RANK'] == '1' else 300); "
        "os.kill(os.getppid(), signal.SIGKILL)"
    )
    run, job = trip.submit("command", "resources.nodes=2", "--", sys.executable, "-c", code)
    facts = trip.until(job, "FAILED", seconds=120)
    assert facts["ExitCode"] == "3:0"
    said = trip("wait", run.name, code=3).stdout
    assert "rank 1 on n" in said
    assert "Killed" in said
    assert trip.slurm.run(["squeue", "-h", "-j", job], check=False).stdout == ""


def test_completed_for_slurm_without_a_result_is_a_failure(trip: Trip) -> None:
    run, job = trip.submit("command", "--", "true")
    trip("wait", run.name)
    trip.until(job, "COMPLETED")
    run.result.unlink()
    said = json.loads(trip("status", run.name, "--json").stdout)["runs"][0]
    assert said["state"] == "failed"


# --- signals --------------------------------------------------------------------------------------


def test_the_warning_reaches_the_batch_step_and_becomes_a_stop(trip: Trip) -> None:
    run, job = trip.submit("command", "resources.nodes=2", "--", *SLEEP)
    trip.until(job, "RUNNING")
    trip.started(run, 2)
    trip.slurm.run(["scancel", "--batch", "--signal=USR1", job])
    assert "stopped" in trip("wait", run.name, code=6).stdout
    assert trip.until(job, "FAILED")["ExitCode"] == "6:0"
    (asked,) = run.events("stop_asked")
    assert asked.facts["signal"] == "SIGUSR1"


def test_cancel_and_resume(trip: Trip) -> None:
    run, job = trip.submit("command", "--", *SLEEP)
    trip.until(job, "RUNNING")
    trip("cancel", job)
    trip.until(job, "CANCELLED")
    said = json.loads(trip("status", run.name, "--json").stdout)["runs"][0]
    assert said["state"] in ("cancelled", "stopped")
    again = json.loads(trip("resume", run.name, "--json").stdout)["runs"][run.name]
    assert again["job_id"] != job
    trip.until(again["job_id"], "RUNNING")
    trip("cancel", run.name)
    trip.until(again["job_id"], "CANCELLED")


# --- the seal -------------------------------------------------------------------------------------


def test_an_edit_of_the_source_after_submission_changes_nothing(trip: Trip, tmp_path: Path) -> None:
    source = tmp_path / "project"
    source.mkdir()
    (source / "work.py").write_text("print('as submitted')\n")
    trip.hold_the_door()
    words = ["command", f"command.source={source}", "--", sys.executable, "work.py"]
    run, job = trip.submit(*words)
    again, other = trip.submit(*words)
    (source / "work.py").write_text("print('edited')\n")
    trip.open_the_door()
    for each in (job, other):
        trip.until(each, "COMPLETED")
    assert (run.logs / "rank-0.log").read_text() == "as submitted\n"
    digests = {json.loads(each.manifest.read_text())["digest"] for each in (run, again)}
    assert len(digests) == 1


def test_an_edit_of_a_config_after_submission_changes_nothing(trip: Trip, tmp_path: Path) -> None:
    config = tmp_path / "mine" / "configs" / "train" / "mine.yaml"
    config.parent.mkdir(parents=True)
    config.write_text("steps: 1\nglobal_batch: 2\n")
    own = {"FORGIA_DATA": str(tmp_path / "data"), "FORGIA_PATH": str(tmp_path / "mine")}
    trip("data", "ingest", "demo_press", **own)
    trip.hold_the_door()
    small = ["data.dataset=demo_press", "data.context=128", "evaluate.enabled=false"]
    run, job = trip.submit("train", "train=mine", *small, **own)
    config.write_text("steps: 5000\nglobal_batch: 2\n")
    trip.open_the_door()
    assert trip.until(job, "COMPLETED", "FAILED", seconds=240)["JobState"] == "COMPLETED"
    assert json.loads(run.result.read_text())["train"]["steps"] == 1


@pytest.mark.parametrize(
    "place", ["config.yaml", "code/forgia_hpc/node/entry.py", "inputs/cluster.yaml"]
)
def test_an_edited_run_refuses_with_5(trip: Trip, place: str) -> None:
    trip.hold_the_door()
    run, job = trip.submit("command", "--", "true")
    path = run.path / place
    path.write_text(path.read_text() + "\n")
    trip.open_the_door()
    assert trip.until(job, "FAILED", "COMPLETED")["ExitCode"] == "5:0"
    assert f"{path.name}: content differs from the seal" in trip("wait", run.name, code=5).stdout


def test_a_moved_run_refuses(trip: Trip) -> None:
    trip.hold_the_door()
    run, job = trip.submit("command", "--", "true")
    run.path.rename(run.path.with_name("moved"))
    trip.open_the_door()
    assert trip.until(job, "FAILED", "COMPLETED")["JobState"] == "FAILED"


@pytest.fixture
def own_python(tmp_path: Path) -> Path:
    """Return an interpreter with all of this one's packages, whose site-packages a test may edit."""
    root = tmp_path / "venv"
    venv.create(root, symlinks=True)
    site = (
        root / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    )
    (site / "others.pth").write_text(
        f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    )
    return root / "bin" / "python"


def _site(python: Path) -> Path:
    return next((python.parent.parent / "lib").glob("python*/site-packages"))


def _install_victim(python: Path) -> Path:
    """Install a package with a RECORD, as pip does, whose model a train job uses."""
    import base64
    import hashlib

    site = _site(python)
    module = site / "victim.py"
    module.write_text("x = 1\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(module.read_bytes()).digest()).rstrip(b"=")
    info = site / "victim-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: victim\nVersion: 1.0\n")
    (info / "RECORD").write_text(f"victim.py,sha256={digest.decode()},6\n")
    # every interpreter of this environment imports it, as a plug-in would be
    (site / "victim.pth").write_text("import victim\n")
    return module


def test_an_edited_package_refuses_with_5_and_its_file(
    dev_slurm, tmp_path: Path, own_python: Path
) -> None:
    trip = Trip(dev_slurm, tmp_path, str(own_python))
    module = _install_victim(own_python)
    trip.hold_the_door()
    try:
        run, job = trip.submit("command", "--", "true")
        module.write_text("x = 2\n")
    finally:
        trip.open_the_door()
    assert trip.until(job, "FAILED", "COMPLETED")["ExitCode"] == "5:0"
    assert "victim.py (module victim)" in trip("wait", run.name, code=5).stdout


def test_an_upgraded_package_refuses_with_5_and_its_name(
    dev_slurm, tmp_path: Path, own_python: Path
) -> None:
    trip = Trip(dev_slurm, tmp_path, str(own_python))
    _install_victim(own_python)
    trip.hold_the_door()
    try:
        run, job = trip.submit("command", "--", "true")
        metadata = _site(own_python) / "victim-1.0.dist-info" / "METADATA"
        metadata.write_text(metadata.read_text().replace("1.0", "1.1"))
    finally:
        trip.open_the_door()
    assert trip.until(job, "FAILED", "COMPLETED")["ExitCode"] == "5:0"
    assert "package victim: sealed 1.0" in trip("wait", run.name, code=5).stdout


def test_from_a_checkout_the_sealed_code_runs(trip: Trip, tmp_path: Path) -> None:
    """A job started in a checkout must not run the checkout: here one that is broken after submission."""
    checkout = tmp_path / "checkout"
    shutil.copytree(Path(__file__).parents[2] / "forgia_hpc", checkout / "forgia_hpc")
    for folder in ("configs", "slurm", "datasets"):
        shutil.copytree(Path(__file__).parents[2] / folder, checkout / folder)
    trip.hold_the_door()
    run, job = trip.submit("command", "--", "true", cwd=checkout, PYTHONPATH=str(checkout))
    (checkout / "forgia_hpc" / "node" / "batch.py").write_text(
        "raise SystemExit('the checkout ran')\n"
    )
    trip.open_the_door()
    assert trip.until(job, "FAILED", "COMPLETED")["JobState"] == "COMPLETED"
    assert run.result.exists()


def test_a_lost_byte_of_a_shard_refuses_with_5_and_the_shard(trip: Trip, tmp_path: Path) -> None:
    data = {"FORGIA_DATA": str(tmp_path / "data")}
    trip("data", "ingest", "demo_press", **data)
    trip.hold_the_door()
    run, job = trip.submit("train", "data.dataset=demo_press", "train.steps=1", **data)
    shard = sorted((tmp_path / "data" / "demo_press" / "shards").glob("train*.h5"))[0]
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.chmod(0o644)
    shard.write_bytes(content)
    trip.open_the_door()
    assert trip.until(job, "FAILED", "COMPLETED")["ExitCode"] == "5:0"
    assert f"{shard}: content differs from the seal" in trip("wait", run.name, code=5).stdout


# --- environment ----------------------------------------------------------------------------------


def test_what_the_shell_inherited_stays_behind(trip: Trip) -> None:
    inherited = {
        "SLURM_CPU_BIND": "mask_cpu:0x1",
        "SBATCH_NODES": "3",
        "MY_SECRET": "hunter2",
        "SLURM_JOB_ID": "99",
    }
    run, _ = trip.submit("command", "resources.cpus_per_rank=4", "--", "env", **inherited)
    trip("wait", run.name)
    seen = dict(
        line.split("=", 1)
        for line in (run.logs / "rank-0.log").read_text().splitlines()
        if "=" in line
    )
    assert "MY_SECRET" not in seen
    assert seen.get("SLURM_CPU_BIND") != "mask_cpu:0x1"
    assert seen["SLURM_CONF"].startswith(str(trip.slurm.directory))
    assert seen["SLURM_CPUS_PER_TASK"] == "4"
    assert seen["SLURM_NNODES"] == "1"
    written = b"".join(path.read_bytes() for path in run.path.rglob("*") if path.is_file())
    assert b"hunter2" not in written


@pytest.mark.parametrize("launch", ["torchrun", "mpirun"])
def test_another_launcher_starts_the_same_ranks(trip: Trip, launch: str) -> None:
    code = (
        "import os, pathlib; "
        "pathlib.Path(os.environ['FORGIA_OUTPUT'], os.environ['RANK']).write_text(os.environ['WORLD_SIZE'])"
    )
    shape = ["resources.nodes=2", "resources.ranks_per_node=2", "resources.cpus_per_rank=1"]
    words = ["command", f"launch={launch}", *shape, "--", sys.executable, "-c", code]
    run, _ = trip.submit(*words)
    trip("wait", run.name)
    assert {path.name: path.read_text() for path in run.output.iterdir()} == dict.fromkeys(
        "0123", "4"
    )


# --- silence --------------------------------------------------------------------------------------


def test_a_slurm_that_does_not_answer_is_unknown_and_never_failed(trip: Trip) -> None:
    run, job = trip.submit("command", "--", *SLEEP)
    trip.until(job, "RUNNING")
    trip.started(run)
    trip.slurm.inside("pkill", "-STOP", "-x", "slurmctld")
    try:
        done = trip("status", run.name, "--json", code=4)
    finally:
        trip.slurm.inside("pkill", "-CONT", "-x", "slurmctld")
    assert json.loads(done.stdout)["runs"][0]["state"] == "unknown"
    trip("cancel", run.name)
    trip.until(job, "CANCELLED")


def test_without_accounting_a_cancelled_job_still_ends(
    dev_slurm_without_accounting, tmp_path: Path
) -> None:
    trip = Trip(dev_slurm_without_accounting, tmp_path)
    run, job = trip.submit("command", "--", *SLEEP)
    trip.until(job, "RUNNING")
    trip("cancel", run.name)
    done = trip("wait", run.name, "--timeout", "100", code=None)
    assert done.returncode in (3, 6), done.stdout
    done = trip("submit", "command", "cluster=dev", "--wait", "--", "true")
    assert "completed" in done.stderr


def test_a_job_whose_id_was_lost_is_found_by_its_name(trip: Trip, tmp_path: Path) -> None:
    """An sbatch that is killed by its time limit after the job was queued: no id, one job."""
    real = shutil.which("sbatch")
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "sbatch").write_text(f'#!/bin/bash\n{real} "$@" >/dev/null\nexit 124\n')
    (fake / "sbatch").chmod(0o755)
    path = f"{fake}{os.pathsep}{os.environ['PATH']}"
    run, job = trip.submit("command", "--", "true", PATH=path)
    assert run.events("submitted")[-1].facts["reconciled"] is True
    trip.until(job, "COMPLETED")
