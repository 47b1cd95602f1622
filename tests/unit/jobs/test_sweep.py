"""A sweep is checked at once and sealed once; each point's config is in the seal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from forgia_hpc.cli.sweep import _again
from forgia_hpc.compact import applied
from forgia_hpc.digest import digest_of
from forgia_hpc.errors import InputError, SealBrokenError
from forgia_hpc.jobs.feed import Fed
from forgia_hpc.jobs.package import job_digest, seal
from forgia_hpc.jobs.sweep import SweepPlan, SweepWish, make_sweep
from forgia_hpc.jobs.sweep_requests import requests
from forgia_hpc.node.point import make_point
from forgia_hpc.node.seal import check_seal
from forgia_hpc.schema.job import Kind
from forgia_hpc.schema.load import load_job, plain
from forgia_hpc.sweepdir import SweepDir, start_of

SMALL = ("resources.cpus_per_rank=1", "resources.mem_gb=1")


def plan(*overrides: str, kind: Kind = Kind.command, **more: object) -> SweepPlan:
    argv = ("true",) if kind is Kind.command else ()
    wish = SweepWish(kind=kind, overrides=overrides, argv=argv, **more)  # type: ignore[arg-type]
    return make_sweep(wish)


@pytest.fixture
def bed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGIA_DEV_SLURM", "/nowhere")


def test_problems_are_told_once_with_their_points() -> None:
    with pytest.raises(InputError) as caught:
        plan("resources.nodes=1,0,2", "seed=1,2")
    assert {problem.field for problem in caught.value.problems} >= {
        "points 2-3: resources.nodes",
        "points 4-5: resources.nodes",
    }
    with pytest.raises(InputError) as caught:
        plan("cluster=local,dev")
    assert "point 1: cluster" in [problem.field for problem in caught.value.problems]


def test_one_point_is_one_point() -> None:
    sent = [{"points": 1, "job_id": "7"}]
    assert _again(Fed(sent=sent)) == "1 point again  job 7"
    assert _again(Fed(sent=sent, left=1, why="the queue is full")) == (
        "2 points again  job 7, 1 point waits (the queue is full)"
    )


def test_what_all_points_have_wrong_names_no_points() -> None:
    with pytest.raises(InputError) as caught:
        plan("resources.nodes=3", "seed=range(4)")
    assert "resources.nodes" in [problem.field for problem in caught.value.problems]


@pytest.mark.usefixtures("bed")
def test_each_distinct_resources_have_a_script(tmp_path: Path) -> None:
    made = plan("cluster=dev", "resources.mem_gb=1,2", "seed=1,2", "resources.cpus_per_rank=1")
    scripts = made.scripts("D")
    assert [("--mem=1G" in text, "--mem=2G" in text) for text in scripts.values()] == [
        (True, False),
        (False, True),
    ]
    assert all(text.rstrip().endswith('--digest D "$@"') for text in scripts.values())
    assert [point.group for point in made.points] == [0, 0, 1, 1]
    assert made.price() is not None
    assert made.price().amount == pytest.approx(4 * 0.5)  # type: ignore[union-attr]


@pytest.mark.usefixtures("bed")
def test_the_digest_is_of_what_runs_and_not_of_where() -> None:
    words = ("cluster=dev", "seed=1,2", *SMALL)
    first, second = plan(*words), plan(*words)
    assert first.run.name != second.run.name
    assert seal(first).digest == seal(second).digest == job_digest(first)
    assert seal(plan("cluster=dev", "seed=1,3", *SMALL)).digest != job_digest(first)


def test_a_point_has_the_config_that_was_sealed() -> None:
    made = plan("seed=1,2", "resources.walltime='10:00:00','00:10:00'", *SMALL)
    sealed = seal(made)
    sweep = SweepDir(sealed.run.path)
    point = make_point(sweep, 2, task=False)
    job = load_job(point.config)
    assert (job.seed, job.resources.walltime) == (2, "10:00:00")
    assert job.command.argv == ["true"]  # type: ignore[attr-defined]
    assert digest_of(yaml.safe_load(point.config.read_text())) == sweep.points[2].digest
    assert start_of(point)["resources"]["walltime"] == "10:00:00"
    check_seal(point, sealed.digest)
    assert make_point(sweep, 2, task=False) == point  # found again


def test_an_edited_point_breaks_the_seal() -> None:
    sealed = seal(plan("seed=1,2", *SMALL))
    sweep = SweepDir(sealed.run.path)
    point = make_point(sweep, 1, task=False)
    point.config.write_text(point.config.read_text().replace("seed: 2", "seed: 3"))
    with pytest.raises(SealBrokenError, match=r"config\.yaml: content differs"):
        check_seal(point, sealed.digest)
    lines = [json.loads(line) for line in sweep.points_file.read_text().splitlines()]
    lines[1]["digest"] = digest_of(yaml.safe_load(point.config.read_text()))
    sweep.points_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(SealBrokenError, match=r"points\.jsonl"):
        check_seal(make_point(SweepDir(sealed.run.path), 1, task=False), sealed.digest)


def test_a_dry_run_writes_nothing(forgia, tmp_path: Path) -> None:
    done = forgia(
        "sweep", "command", "seed=range(3)", "cluster=dev", *SMALL, "--dry-run", "--json",
        "--", "true", FORGIA_DEV_SLURM="/nowhere",
    )  # fmt: skip
    said = json.loads(done.stdout)
    assert (said["points"], said["submitted"], said["jobs"]) == (3, False, 3)
    assert said["overrides"] == [["seed=0"], ["seed=1"], ["seed=2"]]
    assert not (tmp_path / "runs").exists()


def test_every_distinct_request_is_foreseen_once() -> None:
    same = requests(plan("cluster=dev", "seed=range(50)", *SMALL))
    assert list(same) == [""]
    two = requests(plan("cluster=dev", "seed=range(3)", "resources.nodes=1,2", *SMALL))
    assert list(two) == ["3 points of nodes=1", "3 points of nodes=2"]
    assert [one.job.resources.nodes for one in two.values()] == [1, 2]


def test_a_point_that_reads_like_another_is_completed_like_it() -> None:
    found = plan("cluster=dev", "seed=range(3)", "command.env.LR=1e-3,3e-4", *SMALL)
    assert found.groups == (found.first.resources,)
    values = [point.values for point in found.points]
    assert values[4]["seed"] == {"=": 2}
    assert all("argv" not in str(one) and "resources" not in one for one in values)


def test_a_secret_in_one_point_is_found_among_many() -> None:
    token = "hf_" + "a" * 30
    with pytest.raises(InputError) as caught:
        plan("cluster=dev", f"command.env.SAID=a,b,{token}", "seed=1,2", *SMALL)
    assert [(one.field, one.got) for one in caught.value.problems] == [
        ("points 4-5: command.env.SAID", "hidden")
    ]


def test_the_words_of_a_program_are_the_same_in_every_point() -> None:
    word = "${HOME} \\${x}"
    found = make_sweep(
        SweepWish(
            kind=Kind.command,
            overrides=["cluster=dev", "seed=1,2", "command.env.D='${HOME}','${a:b}'", *SMALL],
            argv=["sh", "-c", word],
            dry=True,
        )
    )
    configs = [applied(plain(found.first), point.values)["command"] for point in found.points]
    assert {config["argv"][2] for config in configs} == {word}
    assert {config["env"]["D"] for config in configs} == {"${HOME}", "${a:b}"}
