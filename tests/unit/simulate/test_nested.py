"""What a program inside of a job may see, and a launcher that is asked once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from forgia_hpc.simulate import nested

STEP = {
    "PATH": "/usr/bin",
    "HOME": "/home/me",
    "OMP_NUM_THREADS": "4",
    "LD_LIBRARY_PATH": "/opt/lib",
    "SLURM_CONF": "/etc/slurm/slurm.conf",
    "SLURM_JOB_ID": "17",
    "SLURM_JOB_NODELIST": "n[1-2]",
    "SLURM_STEP_ID": "0",
    "SLURM_PROCID": "3",
    "SLURM_NTASKS": "8",
    "SLURM_TASKS_PER_NODE": "4(x2)",
    "SLURM_CPU_BIND": "quiet,mask_cpu:0x1",
    "SLURMD_NODENAME": "n1",
    "OMPI_COMM_WORLD_RANK": "3",
    "OMPI_MCA_orte_hnp_uri": "1.0;tcp://192.0.2.1:1",
    "OMPI_MCA_pml": "ucx",
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "PMIX_RANK": "3",
    "PMI_FD": "5",
    "RANK": "3",
    "MASTER_PORT": "29500",
    "PYTHONPATH": "/run/code",
    "FORGIA_GROUP": "0",
    "FORGIA_LAUNCH": "000-0.0.0",
    "FORGIA_CAMPAIGN": "/runs/a",
}
OURS = {"PATH", "HOME", "OMP_NUM_THREADS", "LD_LIBRARY_PATH", "SLURM_CONF", *nested.MARKS}
SITE = {"OMPI_MCA_pml", "OMPI_ALLOW_RUN_AS_ROOT"}


def test_a_plain_program_and_mpirun_see_no_job():
    assert set(nested.scrubbed(STEP)) == OURS | SITE
    assert set(nested.scrubbed(STEP, "mpirun")) == OURS | SITE


def test_srun_finds_the_job_and_nothing_of_the_step():
    job = {"SLURM_JOB_ID", "SLURM_JOB_NODELIST"}
    assert set(nested.scrubbed(STEP, "srun")) == OURS | SITE | job


SECRETS = (
    "HF_TOKEN", "AWS_SESSION_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID",
    "WANDB_API_KEY", "MY_SECRETS", "PGPASSWORD", "gitlab_pat",
    "GOOGLE_APPLICATION_CREDENTIALS", "SSH_AUTH_SOCK", "TOKEN", "MYSQL_PWD", "SSHPASS", "WLSSECRET",
    "SECRETKEY", "ACCESSKEY", "AUTHTOKEN", "WANDBAPIKEY", "DB_PASS", "GH_TOKEN1",
)  # fmt: skip
NONE = (
    "LM_LICENSE_FILE",
    "KRB5CCNAME",
    "TOKENIZERS_PARALLELISM",
    "PATH",
    "KEYBOARD",
    "WM_PROJECT",
    "MONKEY",
    "PWD",
    "OLDPWD",
    "PAT_RT_SUMMARY",
    "COMSOL_TOKENS",
    "AWS_REGION",
    "NSS_WRAPPER_PASSWD",
    "ANSYSLMD_LICENSE_FILE",
    "UCX_IB_PKEY",
    "OMP_NUM_THREADS",
)


def test_what_looks_like_a_secret_goes_and_what_is_named_stays():
    both = dict.fromkeys((*SECRETS, *NONE), "x")
    assert set(nested.scrubbed(both)) == set(NONE)
    assert set(nested.scrubbed(both, secrets=["HF_TOKEN"])) == {*NONE, "HF_TOKEN"}


@pytest.fixture
def launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put an mpirun of our own first on PATH; it notes each call."""

    def make(script: str) -> Path:
        program = tmp_path / "mpirun"
        program.write_text(f"#!/bin/sh\necho called >> {tmp_path}/calls\n{script}\n")
        program.chmod(0o755)
        return tmp_path / "calls"

    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    nested.probe.cache_clear()
    yield make
    nested.probe.cache_clear()


def test_a_launcher_that_never_starts_anything_is_found_in_its_time_and_asked_once(launcher):
    calls = launcher("exec sleep 60")
    began = time.monotonic()
    found = nested.probe("mpirun", 0.5)
    assert not found.works
    assert found.said == "mpirun gave no answer in 0.5 s"
    assert time.monotonic() - began < 5
    assert nested.probe("mpirun", 0.5) is found
    assert calls.read_text() == "called\n"


def test_a_launcher_that_fails_is_quoted(launcher):
    launcher("echo 'There are not enough slots available' >&2; exit 1")
    found = nested.probe("mpirun")
    assert not found.works
    assert found.said == "mpirun: There are not enough slots available"


def test_a_launcher_that_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    nested.probe.cache_clear()
    assert nested.probe("srun").said == "srun is not on this machine"
    nested.probe.cache_clear()
