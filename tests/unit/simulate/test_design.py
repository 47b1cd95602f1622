from __future__ import annotations

from pathlib import Path
from typing import Any

import fakes
import numpy as np
import pytest

from forgia_hpc.errors import InputError
from forgia_hpc.schema.simulation import Design, Ensemble, Solver, SolverKind
from forgia_hpc.simulate.freeze import freeze
from forgia_hpc.simulate.members import Members, of_level

BAR = Solver(kind=SolverKind.python, family="bar_solver:Bar")
RANGES = {
    "start": {"low": "800 degC", "high": 950},
    "transfer": {"low": "0.5 kW/(m2.K)", "high": 5000, "scale": "log"},
}


@pytest.fixture(autouse=True)
def _bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(fakes.__path__[0])))


def ensemble(**words: Any) -> Ensemble:
    return Ensemble(**{**words, "design": Design[words.get("design", "sobol")]})


def frozen(solver: Solver = BAR, **words: Any) -> Members:
    return freeze(solver, ensemble(**{"inputs": RANGES, "members": 32, **words}))


def columns(members: Members) -> dict[str, np.ndarray]:
    plain = of_level(members.members)
    return {one.name: np.array([row.inputs[one.name] for row in plain]) for one in members.inputs}


def problems(**words: Any) -> dict[str, str]:
    with pytest.raises(InputError) as caught:
        frozen(**words)
    return {one.field: f"{one.limit}; {one.fix}" for one in caught.value.problems}


def ids(members: Members) -> list[str]:
    return [one.id for one in of_level(members.members)]


def test_every_member_has_every_input_in_the_unit_of_the_solver() -> None:
    found = columns(frozen())
    assert list(found) == ["start", "transfer", "length"]
    assert (found["length"] == 0.1).all()  # the solver's own
    assert found["start"].min() >= 800
    assert found["start"].max() <= 950
    assert 500 <= found["transfer"].min() < found["transfer"].max() <= 5000


def test_a_sobol_sequence_fills_every_stratum_and_a_log_scale_its_decades() -> None:
    found = columns(frozen(members=64))
    strata = ((found["start"] - 800) / 150 * 64).astype(int)
    assert sorted(strata) == list(range(64))
    assert abs(np.median(found["transfer"]) / np.sqrt(500 * 5000) - 1) < 0.05


def test_a_latin_hypercube_has_one_member_in_each_slice() -> None:
    found = columns(frozen(members=50, design="lhs"))
    strata = ((found["start"] - 800) / 150 * 50).astype(int)
    assert sorted(strata) == list(range(50))


@pytest.mark.parametrize("constraints", [[], ["start / 1000 < transfer / 1500"]])
def test_a_sobol_design_that_grows_keeps_its_first_members(constraints: list[str]) -> None:
    few = frozen(members=100, constraints=constraints)
    many = frozen(members=200, constraints=constraints)
    assert ids(many)[:100] == ids(few)
    kept = [one.split for one in of_level(many.members)[:100]]
    assert kept == [one.split for one in of_level(few.members)]


def test_a_latin_hypercube_of_another_size_is_another_design() -> None:
    few, many = frozen(members=10, design="lhs"), frozen(members=20, design="lhs")
    assert not set(ids(few)) & set(ids(many))


def test_the_seed_and_nothing_else_moves_the_points() -> None:
    backwards = dict(reversed(RANGES.items()))
    assert ids(frozen()) == ids(frozen()) == ids(frozen(inputs=backwards))
    assert not set(ids(frozen())) & set(ids(frozen(seed=1)))


def test_the_points_are_those_of_the_datasets_that_there_are() -> None:
    """Another SciPy that drew otherwise would solve every growing ensemble anew."""
    found = columns(frozen(members=3))
    assert found["start"].tolist() == [861.492438, 908.286749, 935.729961]
    assert found["transfer"].tolist() == [4603.522, 640.464085, 1688.57956]


def test_a_grid_has_every_combination_with_the_last_input_quickest() -> None:
    given = {
        "start": {"values": ["800 degC", 900]},
        "transfer": {"low": 1, "high": 1000, "scale": "log", "steps": 4},
    }
    found = columns(frozen(inputs=given, design="grid", members=0))
    assert found["start"].tolist() == [800.0] * 4 + [900.0] * 4
    assert found["transfer"].tolist() == [1.0, 10.0, 100.0, 1000.0] * 2
    assert problems(inputs=given, design="grid", members=5) == {
        "ensemble.members": "this grid has 8 members; ensemble.members=0 for all of them"
    }


def test_constraints_pass_over_what_does_not_fit() -> None:
    found = columns(frozen(constraints=["start < 850", "transfer > 2 * start"]))
    assert len(found["start"]) == 32
    assert (found["start"] < 850).all()
    assert (found["transfer"] > 2 * found["start"]).all()


def test_constraints_that_leave_nothing_give_one_line() -> None:
    with pytest.raises(InputError) as caught:
        frozen(constraints=["start < 850", "start > 2000"])
    (problem,) = caught.value.problems
    assert problem.field == "ensemble.constraints"
    assert problem.got == "start > 2000"
    assert problem.limit.startswith("holds for 0.00% of 8,192 points")


def test_choices_give_no_member_twice() -> None:
    given = {"start": {"values": [800, 900]}, "transfer": {"values": [1, 2, 3]}}
    assert len(set(ids(frozen(inputs=given, members=6, design="lhs")))) == 6
    assert problems(inputs=given, members=7) == {
        "ensemble.members": "these inputs have 6 combinations; let an input vary, or design=grid"
    }


def test_every_problem_of_the_inputs_is_told_at_once() -> None:
    found = problems(
        inputs={
            "start": {"low": 900, "high": "3000 K", "scale": "cubic", "steps": 1},
            "transfer": "-5 W/(m2.K)",
            "lenght": 1,
            "length": {"lo": 1},
        },
        constraints=["start < colour", "import os"],
        ranks_per_member=9,
    )
    assert set(found) == {
        "ensemble.inputs.start.scale",
        "ensemble.inputs.start.steps",
        "ensemble.inputs.transfer",
        "ensemble.inputs.lenght",
        "ensemble.inputs.length.lo",
        "ensemble.constraints[0]",
        "ensemble.constraints[1]",
        "ensemble.ranks_per_member",
    }
    assert "did you mean length?" in found["ensemble.inputs.lenght"]
    assert found["ensemble.ranks_per_member"].startswith("the grid has 8 cells")


@pytest.mark.parametrize(
    ("inputs", "field", "said"),
    [
        ({"start": 1}, "ensemble.inputs.transfer", r"the solver needs it \(in W/\(m2.K\)\)"),
        ({"start": 1e4, "transfer": 1}, "ensemble.inputs.start", "up to 1500 Cel"),
        ({"start": float("nan"), "transfer": 1}, "ensemble.inputs.start", "the solver takes"),
        ({**RANGES, "length": "1 acre"}, "ensemble.inputs.length", "'acre' is none of"),
        (
            {**RANGES, "length": {"values": [1, 1]}},
            "ensemble.inputs.length.values",
            "stands there twice",
        ),
        ({**RANGES, "length": {"values": 3}}, "ensemble.inputs.length.values", "a list of values"),
        ({**RANGES, "length": {"low": 0.1}}, "ensemble.inputs.length.high", "a number is needed"),
        (
            {**RANGES, "length": {"low": -1, "high": 1, "scale": "log"}},
            "ensemble.inputs.length.low",
            "above 0 on a log scale",
        ),
        ({**RANGES, "length": {"low": 1, "values": [1]}}, "ensemble.inputs.length", "or {values"),
    ],
)
def test_an_input_that_cannot_be(inputs: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        frozen(inputs=inputs)
    assert {one.field for one in caught.value.problems} == {field}


def test_a_solver_says_which_members_it_will_not_solve() -> None:
    given = {**RANGES, "length": {"low": "2 mm", "high": "40 mm"}}
    with pytest.raises(InputError) as caught:
        frozen(inputs=given, ranks_per_member=2)
    (problem,) = caught.value.problems
    assert "shorter than 1 cm a rank (" in problem.limit
    assert "of 32 members)" in problem.limit
    kept = frozen(inputs=given, ranks_per_member=2, constraints=["length >= 0.02"])
    assert len(of_level(kept.members)) == 32


def test_a_solver_without_a_finer_mesh_refines_nothing() -> None:
    rigid = Solver(kind=SolverKind.python, family=BAR.family, options={"refines": False})
    with pytest.raises(InputError, match="no finer mesh to compare with"):
        frozen(rigid)
    assert not of_level(frozen(rigid, refine_share=0.0).members, 1)


CSV = """\
start [degC], transfer [kW/(m2.K)]
800, 0.5
850, 1
900, 2
"""


def rows(tmp_path: Path, text: str, **words: Any) -> Members:
    path = tmp_path / "members.csv"
    path.write_text(text)
    return frozen(csv=str(path), **{"design": "csv", "inputs": {}, "members": 0, **words})


def test_a_file_gives_its_rows_in_the_units_of_its_header(tmp_path: Path) -> None:
    found = columns(rows(tmp_path, CSV, inputs={"length": "5 cm"}))
    assert found["transfer"].tolist() == [500.0, 1000.0, 2000.0]
    assert found["length"].tolist() == [0.05] * 3
    assert columns(rows(tmp_path, "\ufeff" + CSV))["start"].tolist() == [800.0, 850.0, 900.0]


def test_a_row_more_keeps_the_members_before_it(tmp_path: Path) -> None:
    few, more = rows(tmp_path, CSV), rows(tmp_path, CSV + "950,3\n800, 0.5\n")
    assert ids(more)[:3] == ids(few)
    assert len(ids(more)) == 4  # the last row is the first one again


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ("", "ensemble.csv", "a header and at least one row"),
        ("start,transfer\n", "ensemble.csv", "a header and at least one row"),
        ("start,transfer\n800,5\n900\n", "members.csv:3", "2 values, as the header has"),
        ("start,transfer\n800,5\n900,hot\n", "members.csv:3 transfer", "a number is needed"),
        ("start,transfer\n800,5\n900,-1\n", "members.csv:3 transfer", "from 0 W"),
        ("start,transfer [mm]\n800,5\n", "members.csv:2 transfer", "measures something else"),
        ("start,transfer,colour\n800,5,1\n", "members.csv:1", "no such input"),
        ("start,transfer,start\n800,5,1\n", "members.csv:1", "two columns have this name"),
        ("start\n800\n", "ensemble.inputs.transfer", "the solver needs it"),
        ("start;transfer\n800;5\n", "members.csv:1", "the separator is ;"),
        ("start,transfer\nnan,5\n", "members.csv:2 start", "a number is needed"),
    ],
)
def test_a_file_that_cannot_be(tmp_path: Path, text: str, field: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        rows(tmp_path, text)
    assert {one.field for one in caught.value.problems} == {field}


def test_a_file_with_many_faults_tells_ten_and_counts_the_rest(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        rows(tmp_path, "start,transfer\n" + "x,5\n" * 40)
    assert len(caught.value.problems) == 11
    assert caught.value.problems[-1].got == 30


def test_an_input_stands_in_the_file_or_in_the_config(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the file has a column of it"):
        rows(tmp_path, CSV, inputs={"start": 3})
    with pytest.raises(InputError, match="one value, or a column"):
        rows(tmp_path, CSV, inputs={"length": {"low": 0.1, "high": 0.2}})
    with pytest.raises(InputError, match=r"gone\.csv"):
        frozen(csv=str(tmp_path / "gone.csv"), design="csv", members=0)
