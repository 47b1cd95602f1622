"""A chain is checked whole, sealed in order, and each member's door asks its predecessors' own records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from forgia_hpc.errors import InputError, JobFailedError, SealBrokenError
from forgia_hpc.jobs.chain import ChainPlan, make_chain, members_of, seal_chain
from forgia_hpc.node.door import check_door, note_outputs
from forgia_hpc.node.seal import check_seal
from forgia_hpc.rundir import RunDir, write_json

COMMON = ("cluster=dev", "resources.cpus_per_rank=1", "resources.mem_gb=1")


@pytest.fixture(autouse=True)
def _bed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGIA_DEV_SLURM", "/nowhere")


def chain(tmp_path: Path, text: str, *words: str) -> ChainPlan:
    path = tmp_path / "chain.yaml"
    path.write_text(text)
    return make_chain([f"chain={path}", *COMMON, *words])


def problems(tmp_path: Path, text: str, *words: str) -> dict[str, str]:
    with pytest.raises(InputError) as caught:
        chain(tmp_path, text, *words)
    return {problem.field: f"{problem.got} {problem.limit}" for problem in caught.value.problems}


TWO = """
second: {kind: command, argv: [cat, run:first/output/thing]}
first: {kind: command, argv: ["true"]}
"""


def test_a_run_that_is_taken_is_an_edge_and_a_path(tmp_path: Path) -> None:
    plan = chain(tmp_path, TWO, "first:seed=7")
    assert list(plan.members) == ["first", "second"]
    assert plan.after == {"second": ("first",), "first": ()}
    first, second = plan.members.values()
    assert second.job.command.argv == ["cat", f"{first.run.path}/output/thing"]  # type: ignore[attr-defined]
    assert (first.job.seed, second.job.seed) == (7, 0)


def test_the_shipped_chain_judges_the_model_that_it_will_have(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:  # there is no dataset here, and nothing else is wrong
        make_chain(["cluster=dev", "train:train.global_batch=8"])
    assert {problem.field.partition(": ")[0] for problem in caught.value.problems} == {
        "train",
        "evaluate",
    }
    assert not any("evaluate.run" in problem.field for problem in caught.value.problems)


def test_a_circle_is_refused_at_any_length(tmp_path: Path) -> None:
    for length in (1, 2, 16, 300):
        text = "".join(
            f"m{i}: {{kind: command, argv: ['true'], after: [m{(i + 1) % length}]}}\n"
            for i in range(length)
        )
        found = problems(tmp_path, text)
        assert found["chain"].endswith("no member can wait for itself")
        assert found["chain"].count("→") == length


def test_every_problem_of_every_member_is_told_at_once(tmp_path: Path) -> None:
    text = """
    one: {kind: command, argv: ["true"], overrides: [resources.nodes=0]}
    two: {kind: command, after: [one], overrides: [sead=1]}
    """
    assert {"one: resources.nodes", "two: sead"} <= set(problems(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ("one: {kind: comand}", "chain.one", "kind is one of"),
        ("one: {kind: command, argv: true}", "chain.one", "lists of texts"),
        ("one: {kind: command, arg: []}", "chain.one", "a mapping of"),
        ("'a b': {kind: command}", "chain.a b", "letters, digits"),
        ("[]", "chain", "a mapping of member names"),
        (
            "one: {kind: command, argv: ['true'], after: [two]}",
            "chain.one.after",
            "members are one",
        ),
    ],
)
def test_what_is_no_chain_is_refused(tmp_path: Path, text: str, field: str, said: str) -> None:
    assert said in problems(tmp_path, text)[field]


def test_a_word_for_nobody_and_a_machine_without_edges_are_refused(tmp_path: Path) -> None:
    assert "members are" in problems(tmp_path, TWO, "third:seed=1")["chain"]
    assert "edges are Slurm's" in problems(tmp_path, TWO, "cluster=local")["cluster"]


# --- the door -------------------------------------------------------------------------------------


@pytest.fixture
def sealed(tmp_path: Path) -> tuple[RunDir, RunDir]:
    """A sealed chain whose first member has completed."""
    plan = chain(tmp_path, TWO)
    seal_chain(plan)
    first, second = (RunDir(Path(one["run"])) for one in members_of(plan.run).values())
    (first.output / "thing").write_text("made\n")
    note_outputs(first)
    write_json(first.result, {"format": "forgia.result/1", "ending": "completed", "attempt": 0})
    first.event("batch_ended", attempt=0, exit_code=0, why="")
    return first, second


def test_the_door_opens_on_proof(sealed: tuple[RunDir, RunDir]) -> None:
    first, second = sealed
    check_seal(second, None)
    check_door(first)  # waits for nobody
    check_door(second)
    assert second.events("door_checked")[0].facts == {"predecessor": "first", "files": 1}
    assert json.loads(first.job.read_text())["member"] == "first"


def test_the_door_stays_shut_without_it(sealed: tuple[RunDir, RunDir]) -> None:
    first, second = sealed
    (first.output / "thing").write_text("edited\n")
    with pytest.raises(SealBrokenError, match="changed since it completed: thing"):
        check_door(second)
    first.result.unlink()
    with pytest.raises(JobFailedError, match="has not completed"):
        check_door(second)
    first.event("batch_ended", attempt=1, exit_code=3, why="rank 0 failed")
    with pytest.raises(JobFailedError, match="it ended with 3: rank 0 failed"):
        check_door(second)
    manifest = json.loads(first.manifest.read_text())
    manifest["code"] = {}
    first.manifest.write_text(json.dumps(manifest))
    with pytest.raises(SealBrokenError, match="not the job that was sealed"):
        check_door(second)
    first.manifest.unlink()
    with pytest.raises(JobFailedError, match="is gone"):
        check_door(second)
