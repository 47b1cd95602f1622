"""Each warning on its own: what would run, but wastes hours or loses files."""

from __future__ import annotations

import dataclasses
import datetime
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from forgia_hpc.cli.foresee import tell_old_limits_once
from forgia_hpc.config import advice
from forgia_hpc.config.bounds import account_warnings
from forgia_hpc.config.check import complete
from forgia_hpc.config.places import place_warnings
from forgia_hpc.config.program import program_warnings
from forgia_hpc.errors import Problem
from forgia_hpc.schema.job import Command, CommandJob
from forgia_hpc.schema.resources import Resources
from forgia_hpc.slurm.cluster import load_cluster
from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.slurm.site import Health

LEONARDO = load_cluster("leonardo_booster")


def asking(cluster: Cluster = LEONARDO, **words: Any) -> Resources:
    return complete(Resources(**{"account": "AIFAC_L01", "walltime": "02:00:00", **words}), cluster)


def program(*argv: str, env: dict[str, str] | None = None, **words: Any) -> list[Problem]:
    job = CommandJob(command=Command(argv=list(argv), env=env or {}), resources=asking(**words))
    return program_warnings(job, LEONARDO, "")


def about(**words: Any) -> list[str]:
    job = CommandJob(resources=asking(**words))
    return [problem.field for problem in advice.resource_warnings(job, LEONARDO, "")]


def test_an_ordinary_job_is_not_warned_of() -> None:
    assert about() == []
    assert program("python", "train.py") == []


def test_fewer_cores_than_are_billed_with_the_gpus() -> None:
    assert about(ranks_per_node=4, cpus_per_rank=2) == ["resources.cpus_per_rank"]


def test_memory_beyond_the_share_says_what_it_costs() -> None:
    one = asking(ranks_per_node=1, mem_gb=240, walltime="01:00:00")
    node = LEONARDO.node_of(None)
    assert node is not None
    (problem,) = advice.dear_share(one, LEONARDO, node, "")
    assert (problem.field, problem.fix) == ("resources.mem_gb", "resources.mem_gb=120")
    assert "7.9" in problem.limit
    assert "core-h" in problem.limit


def test_a_qos_for_long_jobs_for_a_short_one() -> None:
    assert about(qos="boost_qos_lprod", nodes=2) == ["resources.qos"]
    assert about(qos="boost_qos_lprod", nodes=2, walltime="3-00:00:00") == []


def test_the_debug_qos_is_named_where_a_job_waits_and_would_fit() -> None:
    assert "boost_qos_dbg" in advice.debug_takes(asking(walltime="00:30:00"), LEONARDO)
    for other in (
        {"walltime": "00:31:00"},
        {"nodes": 9, "walltime": "00:10:00"},
        {"qos": "normal"},
    ):
        assert advice.debug_takes(asking(**other), LEONARDO) == ""


def test_bprod_at_one_node_warns_because_the_minimum_is_doubtful() -> None:
    assert about(qos="boost_qos_bprod", nodes=1) == ["resources.nodes"]


def test_runs_on_a_purged_area_name_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRATCH", "/leonardo_scratch/large/userexternal/me")
    places = {"FORGIA_RUNS": "/leonardo_scratch/large/userexternal/me/runs"}
    (problem,) = place_warnings(places, LEONARDO, "", seconds=86400)
    day = (datetime.datetime.now() + datetime.timedelta(days=41)).date()
    assert str(day) in problem.limit
    assert place_warnings({"FORGIA_RUNS": "/leonardo_work/p/runs"}, LEONARDO, "") == []


def test_caches_and_runs_in_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/leonardo/home/userexternal/me")
    home = "/leonardo/home/userexternal/me/x"
    places = {"command.env.HF_HOME": home, "FORGIA_DATA": home, "command.env.OTHER": home}
    assert [p.field for p in place_warnings(places, LEONARDO, "")] == [
        "command.env.HF_HOME",
        "FORGIA_DATA",
    ]


def test_a_long_list_of_excluded_nodes() -> None:
    def excluding(names: str) -> list[Problem]:
        scheduler = dataclasses.replace(LEONARDO.scheduler, extra={"exclude": names})
        return advice.excluded(
            dataclasses.replace(LEONARDO, scheduler=scheduler, health=Health()), ""
        )

    assert excluding("lrdn[1-51]")
    assert excluding("lrdn[1-50]") == []


def test_loud_logs_of_a_long_run() -> None:
    loud = {"NCCL_DEBUG": "TRACE"}
    assert [p.field for p in program("x.py", env=loud)] == ["command.env.NCCL_DEBUG"]
    assert program("x.py", env=loud, walltime="01:00:00") == []


def test_the_months_share_is_spent() -> None:
    assert advice.month_spent(1.02, "")[0].got == "102%"
    assert advice.month_spent(0.99, "") == advice.month_spent(None, "") == []


def test_a_torchrun_of_another_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    one = {"ranks_per_node": 1, "gpus_per_node": 4, "cpus_per_rank": 32}
    monkeypatch.setattr("shutil.which", lambda _: "/cineca/ai/bin/torchrun")
    (problem,) = program("torchrun", "t.py", **one)
    assert problem.fix == "python -m torch.distributed.run"
    monkeypatch.setattr("shutil.which", lambda _: f"{sys.prefix}/bin/torchrun")
    assert program("torchrun", "t.py", **one) == []


def test_gpus_asked_for_in_two_forms() -> None:
    twice = dataclasses.replace(LEONARDO.scheduler, extra={"gpus-per-node": "4"})
    assert advice.doubled_gpus(dataclasses.replace(LEONARDO, scheduler=twice), "")
    assert advice.doubled_gpus(LEONARDO, "") == []


@pytest.mark.parametrize(
    ("wheel", "warned"), [("2.8.0+cu130", True), ("2.6.0+cu126", False), ("2.6.0", False)]
)
def test_a_wheel_that_the_driver_does_not_know(wheel: str, warned: bool) -> None:
    found = advice.newer_cuda(LEONARDO, "", lambda _: wheel)
    assert bool(found) is warned
    assert not any(
        "torch" in name and name == "torch" for name in dir(advice)
    )  # it is not imported


def test_no_torch_no_warning() -> None:
    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    assert advice.newer_cuda(LEONARDO, "", absent) == []


def test_a_program_that_may_put_all_ranks_on_one_gpu() -> None:
    assert "LOCAL_RANK" in program("./solver")[0].limit
    assert program("./solver", ranks_per_node=1) == []


def test_a_fixed_port_on_shared_nodes() -> None:
    half = {"ranks_per_node": 2, "gpus_per_node": 2}
    for words in ({"env": {"MASTER_PORT": "29500"}}, {}):
        argv = ["x.py"] if words else ["x.py", "--master_port=29500"]
        assert [p.got for p in program(*argv, **words, **half)] == ["29500"]
    assert program("x.py", env={"MASTER_PORT": "29500"}) == []  # whole nodes are ours


def test_an_account_that_does_not_look_like_one_of_this_site() -> None:
    assert account_warnings(asking(account="mine"), LEONARDO, "")
    assert account_warnings(asking(), LEONARDO, "") == []


def test_old_limits_are_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    old = dataclasses.replace(LEONARDO, limits_as_of="2025-03-13")

    class Planned:
        cluster = old

    for expected in (True, False):
        tell_old_limits_once(Planned())  # type: ignore[arg-type]
        assert ("days old" in capsys.readouterr().err) is expected
    Planned.cluster = dataclasses.replace(
        old, limits_as_of="2025-04-01"
    )  # another reading, told again
    tell_old_limits_once(Planned())  # type: ignore[arg-type]
    assert "days old" in capsys.readouterr().err


def test_a_program_that_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "try.py").touch()
    assert [one.fix for one in program("python", "try.py")] == ["command.source=."]
    job = CommandJob(command=Command(argv=["python", "x.py"], source="."), resources=asking())
    (told,) = program_warnings(job, LEONARDO, "the profile")
    assert "no such file in command.source" in str(told)
