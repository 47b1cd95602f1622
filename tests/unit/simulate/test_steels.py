"""A steel from its words; and the quench of the shipped config, phases and hardness included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from forgia_hpc.errors import InputError
from forgia_hpc.schema.simulation import Solver
from forgia_hpc.simulate.communicator import Alone
from forgia_hpc.simulate.heat.hardness import Given, Maynier
from forgia_hpc.simulate.heat.steels import steel
from forgia_hpc.simulate.member import Member
from forgia_hpc.simulate.solvers import open_solver

CONFIG = Path(__file__).resolve().parents[3] / "configs/solver/quench_cylinder.yaml"
BAINITE = {"name": "bainite", "start": [[350, 8], [500, 2]], "finish": [[350, 90], [500, 30]]}
OWN = {
    "martensite": {"start": 320},
    "diffusive": [BAINITE],
    "hardness": {"austenite": 200, "bainite": 350, "martensite": 650},
    "heat": {"martensite": 6e8},
}


def test_by_a_diagram_of_its_own() -> None:
    found = steel(OWN)
    assert found.transformation.names == ("austenite", "bainite", "martensite")
    assert found.transformation.martensite.start_c == 320
    assert found.transformation.martensite.rate == 0.011
    assert isinstance(found.hardness, Given)
    assert found.releases
    assert steel({"martensite": {"start": 320}}).hardness is None


def test_by_its_composition() -> None:
    found = steel({"composition": {"C": 0.46, "Mn": 0.65}, "heat": {"pearlite": 6e8}})
    assert isinstance(found.hardness, Maynier)
    assert [one.heat for one in found.transformation.diffusive] == [0, 6e8, 0]
    assert not steel({"composition": {"C": 0.46}}).releases


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({}, "either composition, or martensite"),
        ({**OWN, "composition": {"C": 0.4}}, "either composition, or martensite"),
        (
            {**OWN, "hardness": {"austenite": 200}},
            "phases.hardness.bainite: got nothing, each phase",
        ),
        ({**OWN, "heat": {"perlite": 1}}, "phases.heat.perlite: got 1, no such word"),
        (
            {**OWN, "diffusive": [{"name": "bainite"}]},
            "phases.diffusive[0].start: got nothing, is needed",
        ),
        ({**OWN, "diffusive": "bainite"}, "a list of {name, start, finish}"),
        ({**OWN, "martensite": {"start": 320, "rate": 0}}, "above 0 1/K"),
        ({**OWN, "martensite": {"strat": 320}}, "did you mean start?"),
        ({"composition": 0.4}, "words with values"),
    ],
)
def test_what_is_refused_says_why(words, told) -> None:
    with pytest.raises(InputError) as caught:
        steel(words)
    assert told in str(caught.value)


def opened(**options):
    words = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    return open_solver(Solver(name=words["name"], options={**words["options"], **options}))


def test_the_shipped_quench_leaves_temperature_martensite_and_hardness(tmp_path) -> None:
    solver = opened(shape=[8, 6], frames=5)
    names = [field.name for field in solver.schema().fields]
    assert {"temperature", "martensite", "pearlite", "hardness"} <= set(names)
    member = Member(number=0, id="0" * 16, inputs={"radius": 0.01, "half_height": 0.02})
    case = solver.prepare(member, Alone(), tmp_path)
    solver.run(case, lambda: False)
    output = solver.extract(case)
    assert set(output.fields) == set(names)
    assert [finding for finding in solver.check(case, output) if not finding.passed] == []
    martensite, hardness = output.fields["martensite"][-1], output.fields["hardness"]
    assert martensite[-1, -1] > martensite[0, 0]  # the edge cools first
    assert hardness[-1, -1] > hardness[0, 0] > 150
    total = sum(
        output.fields[name][-1] for name in names if name not in ("temperature", "hardness")
    )
    np.testing.assert_allclose(total, 1.0, atol=1e-6)


def test_a_bath_colder_than_the_material_is_known_is_refused(tmp_path) -> None:
    solver = opened()
    member = Member(number=0, id="0" * 16, inputs={"bath": 5.0})
    with pytest.raises(
        InputError, match=r"got 5.0, carbon_steel_en1993_split is known from 20 to 1200"
    ):
        solver.prepare(member, Alone(), tmp_path)


def test_heat_of_transformation_is_not_counted_twice() -> None:
    with pytest.raises(InputError, match="holds the heat of transformation"):
        opened(material="carbon_steel_en1993")


def test_the_shipped_forging_is_refused_where_its_wall_has_too_few_cells() -> None:
    words = yaml.safe_load((CONFIG.parent / "quench_forging.yaml").read_text(encoding="utf-8"))
    solver = open_solver(Solver(options=words["options"]))
    assert [field.name for field in solver.schema().fields][-1] == "inside"
    with pytest.raises(InputError, match=r"3 cells of 0.01 m in the thinnest part"):
        open_solver(Solver(options={**words["options"], "spacing": 0.01}))
