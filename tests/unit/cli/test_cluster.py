"""forgia cluster, as a user meets it without a cluster at hand."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from fakes.slurm_commands import FakeSlurm
from rich.console import Console

from forgia_hpc.cli.cluster import chosen_here
from forgia_hpc.cli.cluster_show import blocks
from forgia_hpc.errors import InputError
from forgia_hpc.slurm.cluster import cluster_names, load_cluster
from forgia_hpc.slurm.overlay import facts_path, limits_path

RECORDED = Path(__file__).parents[1] / "slurm/recorded"


@pytest.fixture
def fake(tmp_path: Path) -> FakeSlurm:
    found = FakeSlurm(tmp_path / "bin")
    text = {path.stem: path.read_text() for path in RECORDED.glob("*.txt")}
    found.says("scontrol", text["scontrol_show_partition"] + text["scontrol_show_config"])
    found.says("sinfo", text["sinfo"])
    found.says("sacctmgr", "", err="no slurmdbd", code=1)
    return found


def path_of(fake: FakeSlurm) -> dict[str, str]:
    (fake.directory / "slurm.conf").touch()
    return {
        "PATH": f"{fake.directory}:{os.environ['PATH']}",
        "FORGIA_DEV_SLURM": str(fake.directory),
    }


def test_list_names_every_profile_and_the_disabled_ones(forgia) -> None:
    told = forgia("cluster", "list")
    assert told.returncode == 0
    rows = {line.split()[0]: line for line in told.stdout.splitlines() if line[:1].isalpha()}
    assert set(cluster_names()) <= set(rows)
    assert "disabled" in rows["lisa"]
    found = json.loads(forgia("cluster", "list", "--json").stdout)
    ages = {one["name"]: one["limits_age_days"] for one in found["clusters"]}
    assert ages["leonardo_booster"] > 0


@pytest.mark.parametrize("name", cluster_names())
def test_show_prints_every_profile(name: str) -> None:
    out = Console(file=io.StringIO(), width=160)
    for part in blocks(load_cluster(name)):
        out.print(part)
    assert name in out.file.getvalue()  # type: ignore[attr-defined]


def test_show_tells_limits_sources_and_gaps(forgia) -> None:
    told = forgia("cluster", "show", "leonardo_booster", "--sources", COLUMNS="200")
    plain = forgia("cluster", "show", "leonardo_booster", COLUMNS="200")
    assert "User Guide" not in plain.stdout
    assert "--sources" in plain.stderr
    for words in (
        "boost_qos_dbg",
        "after 40 days",
        "scheduler.version",
        "User Guide",
        "32 core-h a node-hour",
    ):
        assert words in told.stdout
    assert "forgia cluster refresh leonardo_booster" in told.stderr  # months old


def test_refresh_writes_what_it_read(forgia, fake: FakeSlurm) -> None:
    told = forgia("cluster", "refresh", "dev", **path_of(fake))
    assert told.returncode == 0, told.stderr
    assert "scheduler.version" in told.stdout
    assert "22.05.8" in told.stdout
    assert "not read: QOS and associations" in told.stderr
    assert limits_path("dev").is_file()


@pytest.mark.parametrize(
    ("program", "answer"),
    [
        ("scontrol", {"out": "", "err": "Unable to contact slurm controller", "code": 1}),
        ("scontrol", {"out": "PartitionName=a MaxTime=soon\nSLURM_VERSION = 1\n"}),
        ("sinfo", {"out": "", "err": "slurm_load_partitions: timed out", "code": 1}),
    ],
)
def test_a_silent_slurm_leaves_everything_as_it_was(
    forgia, fake: FakeSlurm, program: str, answer: dict
) -> None:
    limits_path("dev").parent.mkdir(parents=True)
    before = "format: forgia.limits/1\ncluster: dev\nlimits_as_of: '2026-01-01'\n"
    limits_path("dev").write_text(before)
    fake.says(program, **answer)
    told = forgia("cluster", "refresh", "dev", **path_of(fake))
    assert told.returncode == 4, told.stderr
    assert "Traceback" not in told.stderr
    assert limits_path("dev").read_text() == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lumi_g", "not the cluster"),
        ("lisa", "disabled"),
        ("local", "no Slurm"),
        ("moon", "one of alps"),
        (None, "no profile fits"),
    ],
)
def test_what_cannot_be_asked_here_is_told(
    name: str | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HPC_SYSTEM", raising=False)
    with pytest.raises(InputError, match=words):
        chosen_here(name)


def test_a_check_in_an_allocation_of_an_unknown_cluster_is_refused(forgia) -> None:
    told = forgia("cluster", "check", SLURM_JOB_ID="7")
    assert told.returncode == 2
    assert "this shell is in Slurm's job 7" in told.stderr
    assert "forgia cluster check NAME" in told.stderr


def test_probe_wants_a_payer_where_one_is_charged(forgia) -> None:
    told = forgia("cluster", "probe", HPC_SYSTEM="leonardo")
    assert told.returncode == 2
    assert "--account" in told.stderr


@pytest.mark.parametrize(
    ("program", "answer", "code", "words"),
    [
        (
            "scontrol",
            {"out": "", "err": "Unable to contact slurm controller", "code": 1},
            4,
            "did not answer",
        ),
        (
            "sbatch",
            {"out": "", "err": "sbatch: error: Invalid account", "code": 1},
            2,
            "Invalid account",
        ),
    ],
)
def test_a_probe_that_learns_nothing_leaves_what_was_known(
    forgia, fake: FakeSlurm, program: str, answer: dict, code: int, words: str
) -> None:
    facts_path("dev").parent.mkdir(parents=True)
    before = "format: forgia.facts/1\ncluster: dev\nscheduler: {resubmit: singleton}\n"
    facts_path("dev").write_text(before)
    fake.says(program, **answer)
    told = forgia("cluster", "probe", "dev", "--yes", **path_of(fake))
    assert told.returncode == code, told.stderr
    assert words in told.stderr
    assert facts_path("dev").read_text() == before
