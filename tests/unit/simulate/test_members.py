from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fakes
import pytest

from forgia_hpc.errors import InputError, SealBrokenError
from forgia_hpc.rundir import RunDir, write_json
from forgia_hpc.schema.simulation import Ensemble, Solver, SolverKind
from forgia_hpc.simulate.digests import member_id, member_seed, solver_digest
from forgia_hpc.simulate.freeze import freeze
from forgia_hpc.simulate.members import Members, load_members, members_json, of_level

INPUTS = {"start": {"low": 800, "high": 900}, "transfer": 100}


@pytest.fixture(autouse=True)
def _bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(fakes.__path__[0])))


def bar(**options: Any) -> Solver:
    return Solver(kind=SolverKind.python, family="bar_solver:Bar", options=options)


def frozen(**words: Any) -> Members:
    return freeze(bar(), Ensemble(**{"inputs": INPUTS, "members": 50, **words}))


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    found = RunDir(tmp_path)
    found.inputs.mkdir()
    write_json(found.inputs / "members.json", members_json(frozen()))
    return found


def test_what_was_frozen_comes_back(run: RunDir) -> None:
    assert load_members(run) == frozen()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("members", "values", "start", 3), 850.0),
        (("members", "level", 3), 1),
        (("members", "id", 3), "0" * 16),
        (("solver",), "0" * 64),
        (("format",), "forgia.members/0"),
        (("members", "split"), []),
        (("members",), None),
    ],
)
def test_a_list_that_was_changed_is_a_broken_seal(
    run: RunDir, path: tuple[Any, ...], value: object
) -> None:
    content = json.loads((run.inputs / "members.json").read_text())
    at = content
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    write_json(run.inputs / "members.json", content)
    with pytest.raises(SealBrokenError, match=r"members\.json: no list of members"):
        load_members(run)


def test_refined_members_come_last_and_know_whom_they_are_compared_with() -> None:
    found = frozen(refine_share=0.1)
    fine = of_level(found.members, 1)
    assert [one.number for one in fine] == list(range(50, 55))
    for one in fine:
        coarse = found.members[found.coarse[one.number]]
        assert (coarse.inputs, coarse.seed, coarse.split) == (one.inputs, one.seed, one.split)
        assert coarse.id != one.id
    assert len({one.id for one in found.members}) == 55


def test_an_id_is_its_inputs_its_solver_and_its_level() -> None:
    inputs = {"a": 0.1, "b": 2.0}
    one = member_id(inputs, "digest")
    assert one == member_id({"b": 2, "a": 0.1}, "digest")  # neither order nor an int matters
    assert (
        one == "40c0f1a035ee1e22"
    )  # it stands in sealed datasets: another one would compute them anew
    others = {
        member_id({"a": 0.1000000000000001, "b": 2.0}, "digest"),
        member_id(inputs, "other"),
        member_id(inputs, "digest", level=1),
        member_id({"a": 0.1}, "digest"),
    }
    assert len({one, *others}) == 5
    assert member_id({"a": -0.0}, "digest") == member_id({"a": 0.0}, "digest")
    assert member_seed(inputs, "digest") < 2**32


def test_seed_and_split_of_the_ensemble_are_in_no_id() -> None:
    given = {"start": {"values": [800, 900]}, "transfer": 100}
    from forgia_hpc.schema.simulation import Design, Shares

    grid = {"design": Design.grid, "members": 0, "inputs": given}
    one = frozen(**grid)
    other = frozen(**grid, seed=9, split=Shares(train=0.5, valid=0.5, test=0.0))
    assert [a.id for a in of_level(one.members)] == [b.id for b in of_level(other.members)]


def test_a_solver_digest_is_its_words_and_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = solver_digest(bar())
    assert solver_digest(bar(cells=9)) != before
    named = bar()
    named.name = "another name"
    assert solver_digest(named) == before
    text = (Path(fakes.__path__[0]) / "bar_solver.py").read_text()
    (tmp_path / "bar_solver.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert solver_digest(bar()) == before  # the same file at another place
    (tmp_path / "bar_solver.py").write_text(text + "# faster\n")
    assert solver_digest(bar()) != before


def test_a_package_counts_whole_with_its_templates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "casting"
    (package / "templates").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "solver.py").write_text("class Cast: ...\n")
    (package / "templates" / "case.inp").write_text("@length@\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    solver = Solver(kind=SolverKind.python, family="casting.solver:Cast")
    before = solver_digest(solver)
    (package / "templates" / "case.inp").write_text("@width@\n")
    assert solver_digest(solver) != before


def test_the_built_in_solver_counts_with_its_own_folder_alone() -> None:
    from forgia_hpc.simulate.digests import source_digests

    files = source_digests(Solver(), "forgia_hpc.simulate.heat.solver")
    assert "forgia_hpc/simulate/heat/solver.py" in files
    assert all(name.startswith("forgia_hpc/simulate/heat/") for name in files)


def test_a_plug_in_counts_with_its_templates_and_without_its_neighbours() -> None:
    from forgia_hpc.simulate.digests import source_digests

    solver = Solver()
    files = source_digests(solver, "forgia_hpc.simulate.plugins.openfoam.cooling", whole=True)
    assert files == source_digests(solver, "forgia_hpc.simulate.plugins.openfoam", whole=True)
    folder = "forgia_hpc/simulate/plugins/openfoam"
    assert f"{folder}/cooling/0/T" in files
    assert all(name.startswith(f"{folder}/") for name in files)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"family": "thermal"}, "one of heat"),
        ({"kind": SolverKind.python, "family": "nowhere:Solver"}, "no module nowhere"),
        ({"kind": SolverKind.python, "family": "bar_solver:Rod"}, "has no class Rod"),
        ({"kind": SolverKind.python, "family": "pathlib:Path"}, "Path has no inputs, schema"),
        ({"kind": SolverKind.python, "family": "heat"}, "module:Class"),
    ],
)
def test_a_solver_that_cannot_be_opened_is_named(words: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        freeze(Solver(**words), Ensemble(inputs=INPUTS))
