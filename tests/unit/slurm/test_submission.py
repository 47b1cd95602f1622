"""sbatch text, and submission against an sbatch that misbehaves."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.slurm_commands import FakeSlurm

from forgia_hpc.config.check import complete
from forgia_hpc.errors import InputError, SlurmSilentError
from forgia_hpc.schema.resources import Resources
from forgia_hpc.slurm import executor
from forgia_hpc.slurm.cluster import load_cluster
from forgia_hpc.slurm.executor import BatchExecutor, Script, allowed, render
from forgia_hpc.slurm.request import BatchStep, sbatch_request


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    found = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{found.directory}{os.pathsep}{os.environ['PATH']}")
    return found


@pytest.fixture
def script(tmp_path: Path) -> Script:
    (tmp_path / "logs").mkdir()
    return Script(
        name="forgia-x",
        text="#!/bin/bash\n",
        folder=tmp_path / "logs",
        environment={"SLURM_CONF": "/c"},
    )


def text_for(cluster: str, **asked: object) -> str:
    profile = load_cluster(cluster)
    resources = complete(Resources(account="AIFAC_L01", **asked), profile)  # type: ignore[arg-type]
    run = Path("/runs/20261122-120000-train-abcdef")
    step = BatchStep(python="/venv/bin/python", digest="d" * 64, launch=profile.software.launch)
    return render(sbatch_request(resources, profile, step, run=run))


def test_the_script_needs_no_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert shutil.which("srun") is None
    assert "exec /venv/bin/python -m forgia_hpc.node.batch" in text_for("leonardo_booster")


def test_each_directive_stands_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        line.split("=")[0]
        for line in text_for("leonardo_booster").splitlines()
        if "#SBATCH" in line
    ]
    assert sorted(lines) == sorted(set(lines))


def test_nothing_but_the_allowed_environment_reaches_sbatch(
    fake: FakeSlurm, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CPU_BIND", "mask_cpu:0xf")
    monkeypatch.setenv("SBATCH_ACCOUNT", "somebody")
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    monkeypatch.setenv("PYTHONPATH", "/checkout")
    fake.says("sbatch", "Submitted batch job 4711\n")
    assert BatchExecutor(script).submit_script() == "4711"
    (call,) = fake.calls("sbatch")
    assert call["env"]["SLURM_CONF"] == "/c"
    assert not {"SLURM_CPU_BIND", "SBATCH_ACCOUNT", "SECRET_TOKEN", "PYTHONPATH"} & set(call["env"])
    assert os.environ["SECRET_TOKEN"] == "hunter2"


def test_no_pickle_anywhere(fake: FakeSlurm, script: Script) -> None:
    fake.says("sbatch", "Submitted batch job 4711\n")
    BatchExecutor(script).submit_script()
    assert not [path for path in script.folder.rglob("*") if "pkl" in path.name]


def test_a_refusal_is_told_in_slurms_words(fake: FakeSlurm, script: Script) -> None:
    fake.says("sbatch", "", err="sbatch: error: Invalid qos specification\n", code=1)
    with pytest.raises(InputError, match="Invalid qos specification"):
        BatchExecutor(script).submit_script()


@pytest.mark.parametrize(
    "said",
    [
        "sbatch: error: Unable to contact slurm controller (connect failure)",
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
    ],
)
def test_no_answer_is_not_a_refusal(fake: FakeSlurm, script: Script, said: str) -> None:
    fake.says("sbatch", "", err=said, code=1)
    with pytest.raises(SlurmSilentError, match="forgia status x"):
        BatchExecutor(script).submit_script()


@pytest.mark.parametrize(
    ("out", "err", "code"),
    [
        ("", "", 0),
        ("Submitted batch job 7\n", "sbatch: error: lost the line\n", 1),
        ("", "", 1),
        ("", "sbatch: error: whatever\n", 137),
        ("", "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying\n", 1),
    ],
)
def test_what_is_no_verdict_of_slurm_leaves_the_job_in_doubt(
    fake: FakeSlurm, script: Script, out: str, err: str, code: int
) -> None:
    fake.says("sbatch", out, err=err, code=code)
    with pytest.raises(SlurmSilentError, match="whether forgia-x is queued is not known"):
        BatchExecutor(script).submit_script()


def test_a_refusal_after_retries_is_a_refusal(fake: FakeSlurm, script: Script) -> None:
    retried = "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying\n"
    verdict = "sbatch: error: Batch job submission failed: Invalid qos specification\n"
    fake.says("sbatch", "", err=retried + verdict, code=1)
    with pytest.raises(InputError, match="Invalid qos"):
        BatchExecutor(script).submit_script()


def test_token_options_and_arguments_are_on_the_command_line(
    fake: FakeSlurm, script: Script
) -> None:
    fake.says("sbatch", "Submitted batch job 4711\n")
    asked = replace(script, options=("--hold",), arguments=("--from", "7"))
    BatchExecutor(asked).submit_script()
    (call,) = fake.calls("sbatch")
    first, second, text, *rest = call["argv"]
    assert [first, second, rest] == ["--job-name=forgia-x", "--hold", ["--from", "7"]]
    assert text.endswith(".sh")


def test_an_sbatch_that_hangs_is_left_alone_after_its_time(
    fake: FakeSlurm, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "SBATCH_TIMEOUT_S", 1)
    fake.says("sbatch", "Submitted batch job 1\n", sleep_s=30)
    with pytest.raises(SlurmSilentError):
        BatchExecutor(script).submit_script()


def test_without_slurm_the_way_out_is_named(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match="cluster=local, or --dry-run"):
        BatchExecutor(script)


def test_slurm_conf_of_the_shell_survives() -> None:
    assert allowed({"SLURM_CONF": "/a", "SLURM_JOB_ID": "1", "FORGIA_DATA": "/d"}, {}) == {
        "SLURM_CONF": "/a",
        "FORGIA_DATA": "/d",
    }
