"""How groups are shaped and started, and how their deaths are told apart."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import pytest

from forgia_hpc.metrics import read_metrics
from forgia_hpc.node.campaign_told import Told
from forgia_hpc.node.campaign_turn import slack_s
from forgia_hpc.node.groups import Shape, _kind, shape_of
from forgia_hpc.node.journals import AT_ONCE, Journals
from forgia_hpc.node.memory import oom_kills
from forgia_hpc.node.remains import LONGEST_PAUSE_S, Pauses, keep_left
from forgia_hpc.node.steps import step_name
from forgia_hpc.rundir import RunDir
from forgia_hpc.schema.job import Launch
from forgia_hpc.simulate.command.running import POLITE_S
from forgia_hpc.simulate.journal import Journal, file_of

OPENED: list[str] = []  # by this process, while somebody counts


def _note(event: str, words: tuple) -> None:
    if event == "open" and str(words[0]).endswith(".jsonl"):
        OPENED.append(str(words[0]))


@functools.cache
def _listen() -> None:
    """Note what is opened from now on; once, for a hook stays."""
    sys.addaudithook(_note)


def job(nodes: int, ranks: int, *, slurm: bool = False, launch: str = "processes") -> dict:
    return {
        "resources": {"nodes": nodes, "ranks_per_node": ranks},
        "slurm": slurm,
        "launch": launch,
    }


@pytest.mark.parametrize(
    ("given", "ranks", "count", "launch"),
    [
        (job(1, 4), 1, 4, None),
        (job(1, 4), 3, 1, Launch.mpirun),
        (job(1, 4, slurm=True, launch="srun"), 1, 4, None),
        (job(2, 4, slurm=True, launch="mpirun"), 4, 2, Launch.mpirun),
    ],
)
def test_groups_of_an_allocation(given: dict, ranks: int, count: int, launch) -> None:
    found = shape_of(given, ranks)
    assert (found.count, found.ranks, found.launch) == (count, ranks, launch)


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("exited on signal 11 (Segmentation fault)", "SIGSEGV"),
        ("Segmentation fault (core dumped)", "SIGSEGV"),
        ("exited on signal 9 (Killed)", "SIGKILL"),
        ("Out Of Memory", "oom"),
        ("exited on signal 8", "SIGFPE"),
        ("Exited with exit code 7", "exit 7"),
        ("exited with code 3", "exit 3"),
    ],
)
def test_the_launchers_words_of_a_death(how: str, kind: str) -> None:
    assert _kind(how) == kind


def test_kills_for_want_of_memory_are_counted_in_the_whole_job(tmp_path: Path) -> None:
    own = tmp_path / "cgroup"
    own.write_text("0::/slurmstepd.scope/job_7/step_batch/user/task_0\n")
    root = tmp_path / "sys"
    job_ = root / "slurmstepd.scope" / "job_7"
    job_.mkdir(parents=True)
    (job_ / "memory.events").write_text("low 0\nmax 4\noom 2\noom_kill 2\n")
    (job_.parent / "memory.events").write_text("oom_kill 9\n")
    assert oom_kills(own, root) == 2
    own.write_text("0::/elsewhere\n")
    assert oom_kills(own, root) == 0
    assert oom_kills(tmp_path / "none", root) == 0


def test_version_1_of_control_groups_counts_each_group_alone(tmp_path: Path) -> None:
    own = tmp_path / "cgroup"
    own.write_text("3:cpu,cpuacct:/x\n4:memory:/slurm/uid_1/job_7/step_batch\n0::/\n")
    job_ = tmp_path / "memory" / "slurm" / "uid_1" / "job_7"
    for place, kills in (
        (job_, 0),
        (job_ / "step_0", 2),
        (job_ / "step_batch", 1),
        (job_.parent, 9),
    ):
        place.mkdir(parents=True, exist_ok=True)
        told = f"oom_kill_disable 0\nunder_oom 0\noom_kill {kills}\n"
        (place / "memory.oom_control").write_text(told)
    assert oom_kills(own, tmp_path) == 3
    own.write_text("4:memory:/\n0::/\n")
    assert oom_kills(own, tmp_path) == 0


def test_fruitless_starts_wait_longer_and_longer() -> None:
    pauses = Pauses()
    counts = [pauses.after(0, fruitful=False) for _ in range(12)]
    assert counts == list(range(1, 13))
    assert pauses.after(0, fruitful=True) == 0
    assert pauses.until(1) == 0.0
    assert LONGEST_PAUSE_S == 30.0


@pytest.mark.parametrize(("nodes", "least"), [(1, 15), (2, 60)])
def test_a_line_may_come_late_before_a_group_counts_as_hung(
    monkeypatch: pytest.MonkeyPatch, nodes: int, least: float
) -> None:
    monkeypatch.delenv("FORGIA_SLACK_S", raising=False)
    assert slack_s(job(nodes, 4)) >= max(least, 2 * POLITE_S)
    monkeypatch.setenv("FORGIA_SLACK_S", "0.5")
    assert slack_s(job(nodes, 4)) == 0.5


def test_what_a_member_left_is_kept_once(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    for launch in ("000-0.0.0", "000-0.0.1"):
        work = run.output / "campaign" / "work" / launch
        work.mkdir(parents=True)
        (work / "log").write_text(launch)
        keep_left(run, launch, "abc")
    assert (run.output / "campaign" / "left" / "abc" / "log").read_text() == "000-0.0.0"


def test_a_row_tells_what_is_settled_and_the_pace(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    told = Told(run)
    told.row(0, 10, {"running": 2})
    told.row(4, 10, {"running": 1})
    told.close()
    first, second = read_metrics(run.metrics)
    assert (first["step"], first["of"], first["step_s"]) == (0, 10, None)
    assert second["step"] == 4
    assert second["step_s"] is not None


@pytest.mark.parametrize(("groups", "opens"), [(4, 20), (512, 50)])
def test_a_second_of_looks_opens_fifty_journals_at_most(
    tmp_path: Path, groups: int, opens: int
) -> None:
    """512 groups were 2,560 opens a second at the file system's one metadata server."""
    _listen()
    run, names = RunDir(tmp_path), [f"{number:03d}-0.0.{number}" for number in range(groups)]
    journals = Journals(run)
    for name in names:
        with Journal(file_of(run, name)) as journal:
            journal.write({"what": "begun", "member": 0})
        journals.add(name)
    OPENED.clear()
    found = [name for _ in range(5) for name in journals.due() for _ in journals.news(name)]
    assert len(OPENED) == opens
    assert len(found) == len(set(found)) == min(groups, opens)
    for _ in range(groups // AT_ONCE + 1):
        found += [name for name in journals.due() for _ in journals.news(name)]
    assert sorted(found) == names, "each line is seen once, and nobody is forgotten"
    journals.drop(names[0])
    assert names[0] not in {name for _ in range(groups) for name in journals.due()}


def test_groups_of_mpirun_are_dealt_the_nodes_in_order() -> None:
    slots = ("n1", "n1", "n1", "n2", "n2", "n2")  # two nodes of three ranks
    shape = Shape(3, 2, Launch.mpirun, slots=slots)
    assert [shape.hosts(number) for number in range(3)] == [
        {"n1": 2},
        {"n1": 1, "n2": 1},
        {"n2": 2},
    ]


def test_the_steps_of_a_run_are_told_from_anothers() -> None:
    mine, other = step_name("/a/1", "000-0.0.1"), step_name("/b/1", "000-0.0.1")
    assert mine.startswith("1-")
    assert mine.endswith(".000-0.0.1")
    assert mine != other
