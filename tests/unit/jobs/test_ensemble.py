"""A simulate job on the login wing: checked whole, its members sealed, the same again in a rerun."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import fakes
import pytest
from fakes.simulated import field_card, simulated

from forgia_hpc.cli.ensemble import ensemble_lines
from forgia_hpc.data.fields.layout import Schema
from forgia_hpc.data.fields.writer import seal_fields
from forgia_hpc.errors import InputError, JobFailedError, SealBrokenError
from forgia_hpc.jobs.chain import ChainPlan, make_chain
from forgia_hpc.jobs.difference import differences
from forgia_hpc.jobs.package import Plan, job_digest, seal
from forgia_hpc.jobs.plan import Wish, make_plan
from forgia_hpc.jobs.rerun import seal_again, wish_again
from forgia_hpc.node.admission import _require_made
from forgia_hpc.node.seal import check_seal
from forgia_hpc.rundir import RunDir, read_json, write_json
from forgia_hpc.schema.job import Kind, SimulateJob
from forgia_hpc.simulate.member import Member
from forgia_hpc.simulate.members import Members, load_members
from forgia_hpc.simulate.standing import growth_problems, held

BAR = (
    "solver.kind=python",
    "solver.family=bar_solver:Bar",
    "solver.options={}",
    "ensemble=own",
    "ensemble.inputs.start={low: 800 degC, high: 950}",
    "ensemble.inputs.transfer={low: 500, high: 5000, scale: log}",
)


@pytest.fixture(autouse=True)
def _bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "mine"
    root.mkdir()
    shutil.copy(Path(fakes.__path__[0]) / "bar_solver.py", root)
    monkeypatch.setenv("FORGIA_PATH", str(root))
    monkeypatch.setenv("FORGIA_DEV_SLURM", "/nowhere")


def plan(*words: str, bar: tuple[str, ...] = BAR) -> Plan:
    return make_plan(Wish(kind=Kind.simulate, overrides=[*bar, *words]))


def refused(*words: str) -> dict[str, str]:
    with pytest.raises(InputError) as caught:
        plan(*words)
    return {one.field: one.limit for one in caught.value.problems}


def test_the_members_are_sealed_with_the_code_that_solves_them(tmp_path: Path) -> None:
    sealed = seal(plan("ensemble.members=20"))
    members = load_members(sealed.run)
    assert len(members.members) == 21
    assert members.into == str(tmp_path / "data" / "own_ensemble")
    assert (sealed.run.code / "bar_solver.py").is_file()
    check_seal(sealed.run, sealed.digest)


def test_the_shipped_ensemble_is_one_of_the_shipped_solver() -> None:
    found = plan(bar=())
    assert isinstance(found.job, SimulateJob)
    assert len(found.data["members"]["members"]["id"]) == 17
    assert found.data["card"]["licence"] == "LicenseRef-not-stated"


@pytest.mark.parametrize(
    ("solver", "ensemble"),
    [("heat_quench", "quench_sobol"), ("heat_quench", "quench_grid"), ("heat_box", "box_sobol")],
)
def test_every_shipped_ensemble_fits_its_solver(solver: str, ensemble: str) -> None:
    plan(f"solver={solver}", f"ensemble={ensemble}", bar=())


def test_the_same_words_give_the_same_job() -> None:
    assert job_digest(plan()) == job_digest(plan())
    assert job_digest(plan()) != job_digest(plan("ensemble.seed=1"))


def test_an_edited_list_of_members_is_a_broken_seal() -> None:
    sealed = seal(plan())
    path = sealed.run.inputs / "members.json"
    content = json.loads(path.read_text())
    content["members"]["split"][0] = "test"
    write_json(path, content)
    with pytest.raises(SealBrokenError, match="inputs/members"):
        check_seal(sealed.run, sealed.digest)


def test_a_rerun_has_the_same_members_and_a_difference_says_what_moved_them() -> None:
    first = seal(plan())
    again = seal_again(first.run)
    assert again.digest == first.digest
    assert load_members(again.run) == load_members(first.run)
    other = seal(make_plan(wish_again(first.run, ["ensemble.seed=5"])))
    found = {one.key: (one.left, one.right) for one in differences(first.run, other.run)}
    assert found["ensemble.seed"] == found["members.design.seed"] == (0, 5)
    assert "members.members" in found
    assert len(found) == 3


def test_every_problem_of_an_ensemble_is_told_with_those_of_the_job(tmp_path: Path) -> None:
    found = refused(
        "ensemble.inputs.start=2000",
        "ensemble.inputs.colour=1",
        "ensemble.ranks_per_member=3",
        "ensemble.member_s=1800",
        "resources.ranks_per_node=2",
        "resources.nodes=2",
    )
    assert found == {
        "resources.nodes": "one node",
        "ensemble.inputs.start": "the solver takes from -273.15 Cel up to 1500 Cel",
        "ensemble.inputs.colour": "the solver has no such input; it has start, transfer, length",
        "ensemble.member_s": found["ensemble.member_s"],
        "launch": "plain processes live on one node",
    }
    assert "a member could never finish" in found["ensemble.member_s"]
    assert not (tmp_path / "runs").exists()


def test_a_group_needs_its_ranks() -> None:
    found = refused("ensemble.ranks_per_member=4", "resources.ranks_per_node=2")
    assert found == {"ensemble.ranks_per_member": "the job has 2 rank(s)"}
    idle = plan("ensemble.ranks_per_member=2", "resources.ranks_per_node=3").warnings
    assert [one.limit for one in idle] == ["3 ranks make 1 groups, and 1 of them would be idle"]


def test_ranks_that_should_write_together_need_parallel_hdf5() -> None:
    words = ("resources.ranks_per_node=2", "ensemble.ranks_per_member=2")
    limits = refused(*words, "ensemble.writer=mpio")
    assert "was built without MPI" in limits["ensemble.writer"]
    assert "writ" not in ensemble_lines(plan(*words))[0]
    assert "of 1 rank(s), which write alone" in ensemble_lines(plan("ensemble.writer=mpio"))[0]


def test_members_that_do_not_fit_in_memory_are_refused() -> None:
    found = refused("solver.options={cell_bytes: 1000000000}", "resources.mem_gb=8")
    assert found == {"resources.mem_gb": "1 rank(s) a node need about 14.9 GB, 14.9 GB each"}


def test_a_solver_that_imports_what_is_not_here_says_where_to_import_it(tmp_path: Path) -> None:
    (tmp_path / "mine" / "far.py").write_text("import a_module_of_compute_nodes\n")
    with pytest.raises(InputError, match="import what only compute nodes have inside of prepare"):
        plan("solver.family=far:Far")


def test_a_file_of_members_is_found_again_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("start [degC],transfer\n800,100\n900,200\n")
    words = ("ensemble.design=csv", "ensemble.csv=rows.csv", "ensemble.members=0")
    job = plan(*words, "~ensemble.inputs.start", "~ensemble.inputs.transfer").job
    assert isinstance(job, SimulateJob)
    assert job.ensemble.csv == str(tmp_path / "rows.csv")


def test_rows_that_repeat_others_are_told(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("start [degC],transfer\n800,100\n900,200\n8e2,100.0\n")
    words = ("ensemble.design=csv", f"ensemble.csv={path}", "ensemble.members=0")
    found = plan(*words, "~ensemble.inputs.start", "~ensemble.inputs.transfer")
    assert found.data["members"]["members"]["level"].count(0) == 2
    told = {one.field: one.limit for one in found.warnings}
    assert told["ensemble.csv"].startswith("1 row(s) repeat earlier ones, first line 4")


@pytest.mark.parametrize(
    ("card", "said"),
    [("name: own_ensemble\n", "card"), (None, "")],
)
def test_a_card_of_the_datasets_folder_is_taken(
    tmp_path: Path, card: str | None, said: str
) -> None:
    folder = tmp_path / "mine" / "datasets" / "own_ensemble"
    folder.mkdir(parents=True)
    whole = (
        "format: forgia.card/1\nname: own_ensemble\ntitle: Bars\ncontributor: forge\n"
        "description: d\nlicence: CC0-1.0\nsource: ours\n"
    )
    (folder / "card.yaml").write_text(card or whole)
    if card is None:
        assert plan().data["card"]["contributor"] == "forge"
        return
    with pytest.raises(InputError, match=said):
        plan()


CHAIN = """
members:
  simulate: {{kind: simulate, overrides: {words}}}
  train:
    kind: train
    overrides: [data.dataset=own_ensemble, train.global_batch=8]
    after: {after}
"""


def chain(tmp_path: Path, after: str) -> ChainPlan:
    path = tmp_path / "chain.yaml"
    path.write_text(CHAIN.format(words=json.dumps(list(BAR)), after=after))
    return make_chain([f"chain={path}", "cluster=dev", "resources.mem_gb=1"])


def test_a_train_member_reads_what_a_campaign_will_make(tmp_path: Path) -> None:
    found = chain(tmp_path, "[simulate]")
    awaited = found.members["train"].data["awaited"]
    assert awaited["dataset"] == "own_ensemble"
    assert awaited["maker"] == str(found.members["simulate"].run.path)
    with pytest.raises(InputError, match="simulate makes it, and train does not wait for it"):
        chain(tmp_path, "[]")


def test_the_shipped_chain_leads_from_solver_to_model() -> None:
    found = make_chain(["chain=surrogate", "cluster=dev", "simulate:ensemble.members=8"])
    assert found.after == {"simulate": (), "train": ("simulate",), "evaluate": ("train",)}
    maker = str(found.members["simulate"].run.path)
    assert [found.members[name].data["awaited"]["maker"] for name in ("train", "evaluate")] == [
        maker,
        maker,
    ]


def test_the_door_asks_the_campaign_which_version_it_made(tmp_path: Path) -> None:
    maker = RunDir(tmp_path)
    awaited = {"dataset": "own_ensemble", "directory": "/d", "maker": str(tmp_path)}
    with pytest.raises(JobFailedError, match="no result that names own_ensemble"):
        _require_made(awaited, "own_ensemble@0123456789ab")
    version = "0123456789ab" + "c" * 52
    told = {"dataset": "own_ensemble@0123456789ab", "version": version}
    write_json(
        maker.result,
        {"format": "forgia.result/1", "ending": "completed", "attempt": 0, "simulate": told},
    )
    assert read_json(maker.result)
    _require_made(awaited, "own_ensemble@0123456789ab")
    with pytest.raises(SealBrokenError, match="made version 0123456789ab"):
        _require_made(awaited, "own_ensemble@ffffffffffff")


def stand(into: Path, solver: str = "") -> tuple[Members, Schema]:
    """Seal a dataset of four members; return an ensemble of them that would be sealed there."""
    made = replace(simulated(), provenance={"solver": {"digest": solver}})
    seal_fields(made, field_card(), into)
    rows = tuple(
        Member(number=at, id=one.member, inputs={}, split="train", level=0, seed=0)
        for at, one in enumerate(made.trajectories)
    )
    ours = Members(dataset="quench", solver="a" * 64, inputs=(), members=rows, into=str(into))
    return ours, made.schema


def test_a_dataset_grows_and_loses_nobody(tmp_path: Path) -> None:
    ours, meaning = stand(tmp_path / "quench", "a" * 64)
    assert growth_problems(ours, meaning) == []
    assert held(Path(ours.into), [one.id for one in ours.members[1:]]) == 3
    fewer = replace(ours, members=ours.members[1:])
    assert "1 of its 4 members are not in this" in growth_problems(fewer, meaning)[0].limit
    other = replace(ours, solver="b" * 64, members=())
    limit = growth_problems(other, meaning)[0].limit
    assert f"a solver with digest {'a' * 12}, this job's has {'b' * 12}" in limit
    moved = replace(meaning, parameters=())
    assert "its numbers mean something else" in growth_problems(ours, moved)[0].limit
    index = tmp_path / "quench" / "index.pack"
    index.write_bytes(index.read_bytes()[:-1])
    assert "can't be read" in growth_problems(ours, meaning)[0].limit
    assert held(Path(ours.into), [ours.members[0].id]) == 0


def test_a_dataset_of_other_members_is_refused_before_the_job_is_sealed(tmp_path: Path) -> None:
    stand(tmp_path / "data" / "own_ensemble", "c" * 64)
    found = refused()
    assert (
        "4 of its 4 members come from a solver with digest cccccccccccc"
        in found["ensemble.dataset"]
    )


def test_the_split_is_told_and_an_empty_part_warned_of() -> None:
    whole = plan("ensemble.members=20")
    assert ensemble_lines(whole)[2] == "split: 16 train, 2 valid, 2 test"
    assert not [one for one in whole.warnings if one.field == "ensemble.split"]
    small = plan("ensemble.members=1").warnings
    assert [one.limit.partition(":")[0] for one in small] == ["no member is in valid, test"]


ROD = """
name: my_rod
kind: command
family: ""
program:
  commands: [[python3, "-c", "@start@"]]
  extractor: my_rod:extract
  inputs: {start: {ucum: Cel}}
  grid: {x: {cells: 4}}
  fields: {temperature: {ucum: Cel}}
"""


@pytest.fixture
def program(tmp_path: Path) -> tuple[str, ...]:
    (tmp_path / "mine" / "my_rod.py").write_text(
        "import netcdf_of_nodes\n\ndef extract(left): ...\n"
    )
    words = tmp_path / "mine" / "configs" / "solver" / "my_rod.yaml"
    words.parent.mkdir(parents=True)
    words.write_text(ROD)
    low = "ensemble.inputs.start={low: 800, high: 950}"
    return ("solver=my_rod", "ensemble=own", "ensemble.refine_share=0", low)


def test_what_a_program_names_is_looked_up(program: tuple[str, ...]) -> None:
    assert plan(bar=program).unchecked == ()
    with pytest.raises(InputError) as caught:
        plan("solver.program.extractor=my_rod:nosuch", bar=program)
    assert [(one.field, one.limit) for one in caught.value.problems] == [
        ("solver.program.extractor", "module my_rod has no nosuch")
    ]
    gone = "solver.program.commands=[[no_such_solver,'@start@']]"
    with pytest.raises(InputError, match="there is no such program on this machine"):
        plan(gone, bar=program)
    told = plan(gone, "cluster=dev", "resources.mem_gb=1", bar=program).unchecked
    assert told == (
        "solver.program.commands no_such_solver: there is no such program on this machine",
    )
