"""A chain is checked whole, sealed in order, and each member's door asks its predecessors' own records."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from forgia_hpc import sources
from forgia_hpc.data.ingest.sealing import ingest_and_seal
from forgia_hpc.errors import InputError, JobFailedError, SealBrokenError
from forgia_hpc.jobs.chain import ChainPlan, make_chain, seal_chain
from forgia_hpc.jobs.chain_data import Flags
from forgia_hpc.jobs.chain_state import members_of
from forgia_hpc.jobs.rerun import seal_again
from forgia_hpc.node.admission import admit
from forgia_hpc.node.door import check_door, note_outputs
from forgia_hpc.node.seal import check_data, check_seal
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


# --- a dataset that another member makes -----------------------------------------------------------

MADE = """
prepare: {kind: prepare, overrides: ['prepare.contributions=[demo_press]']}
train: {kind: train, after: [prepare], overrides: [data.dataset=demo_press, train.global_batch=8]}
judge: {kind: evaluate, overrides: [data.dataset=demo_press, "evaluate.run=run:train"]}
"""


def test_a_reader_that_does_not_wait_for_the_maker_is_refused(tmp_path: Path) -> None:
    found = problems(tmp_path, MADE.replace("after: [prepare], ", ""))
    assert "prepare makes it, and train does not wait for it" in found["train: data.dataset"]


@pytest.fixture
def awaiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, RunDir]:
    """A sealed chain whose first member has made the dataset that the others read."""
    monkeypatch.setenv("FORGIA_DATA", str(tmp_path / "data"))
    plan = chain(tmp_path, MADE)
    seal_chain(plan)
    runs = {name: RunDir(Path(one["run"])) for name, one in members_of(plan.run).items()}
    version, _ = ingest_and_seal("demo_press", None, tmp_path / "data")
    made = {"prepare": {"contributions": {"demo_press": {"version": version}}}}
    ended = {"format": "forgia.result/1", "ending": "completed", "attempt": 0}
    write_json(runs["prepare"].result, {**ended, **made})
    return runs


def test_what_was_made_is_admitted_at_the_door_and_sealed_from_then_on(
    awaiting: dict[str, RunDir],
) -> None:
    for run in (awaiting["train"], awaiting["judge"]):
        (run.inputs / "grant.json").write_text("half a gr")  # a start that was killed at its door
        check_seal(run, None)
        admit(run)
        check_seal(run, None)
        assert check_data(run) > 0
        admit(run)  # the next attempt
        assert len(run.events("admitted")) == 1
    (awaiting["train"].inputs / "grant.json").write_text("{}")
    with pytest.raises(SealBrokenError, match=r"inputs/grant\.json: content differs"):
        check_seal(awaiting["train"], None)
    again = seal_again(awaiting["judge"]).run  # it has a door of its own
    check_seal(again, None)
    assert not (again.inputs / "grant.json").exists()


def test_a_dataset_that_the_maker_did_not_make_stays_outside(awaiting: dict[str, RunDir]) -> None:
    made = awaiting["prepare"].result
    told = json.loads(made.read_text())
    told["prepare"]["contributions"]["demo_press"]["version"] = "0" * 64
    made.write_text(json.dumps(told))
    with pytest.raises(SealBrokenError, match="made version 000000000000"):
        admit(awaiting["train"])
    made.unlink()
    with pytest.raises(JobFailedError, match="left no result that names demo_press"):
        admit(awaiting["train"])
    shutil.rmtree(sources.data_root() / "demo_press")
    with pytest.raises(JobFailedError, match="demo_press is not granted"):
        admit(awaiting["train"])


def test_flags_hold_for_every_member(tmp_path: Path) -> None:
    path = tmp_path / "chain.yaml"
    path.write_text(TWO)
    plan = make_chain([f"chain={path}", *COMMON], Flags(debug=True))
    assert {one.job.resources.qos for one in plan.members.values()} == {"boost_qos_dbg"}
    assert plan.words[-1] == "--debug"
