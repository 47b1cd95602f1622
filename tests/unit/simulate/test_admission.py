"""The reading, the twin and the audits that share no code with the solver."""

# ruff: noqa: E501 - words of a solver
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from forgia_hpc.data.fields.layout import Schema
from forgia_hpc.schema.simulation import Solver as Words
from forgia_hpc.simulate.admission.audit import asked_of, audits
from forgia_hpc.simulate.admission.flows import Passage
from forgia_hpc.simulate.admission.properties import matter_near
from forgia_hpc.simulate.admission.reading import Asked, UnreadError, plain
from forgia_hpc.simulate.admission.twin import Twin
from forgia_hpc.simulate.communicator import Alone
from forgia_hpc.simulate.member import Member
from forgia_hpc.simulate.refine import errors_of, factor_of
from forgia_hpc.simulate.solvers import open_solver
from forgia_hpc.simulate.verification import series

COOLED = {"law": "convection", "h": "transfer", "ambient": "20 degC"}
PLATE: dict[str, Any] = {
    "geometry": "box", "shape": [6, 8], "lengths": ["60 mm", 0.08], "material": "stainless_steel_en1993",
    "initial": "1123.15 K", "boundaries": {"x-": COOLED, "x+": COOLED, "y-": "symmetry", "y+": COOLED},
    "defaults": {"transfer": "1.2 kW/(m2.K)"}, "end_s": 40.0, "frames": 9, "backend": "numpy",
}  # fmt: skip


def solved(options: dict[str, Any], level: int = 0) -> tuple[Asked, Schema, dict[str, Any]]:
    """Return what was asked, the schema, and the numbers as they are stored."""
    solver = open_solver(Words(options=options))
    inputs = {one.name: one.default for one in solver.inputs()}
    member = Member(number=0, id="0" * 16, inputs=inputs, level=level)  # type: ignore[arg-type]
    case = solver.prepare(member, Alone(), Path())
    solver.run(case, lambda: False)
    output = solver.extract(case)
    numbers = {f"fields/{name}": values for name, values in output.fields.items()}
    schema = solver.schema()
    return asked_of(options, schema, inputs), schema, {**numbers, "times": output.times}  # type: ignore[arg-type]


def failed(asked: Asked, schema: Schema, numbers: dict[str, Any], level: int = 0) -> set[str]:
    found = audits(asked, schema, numbers, level=level)
    return {one.check for one in found if not one.passed}


@pytest.mark.parametrize(
    ("written", "kind", "value"),
    [("32 [degF]", "temperature", 0.0), ("300 K", "temperature", 26.85), ("4 cm", "length", 0.04),
     (7, "length", 7.0), ("2 kW/(m2.K)", "transfer", 2000.0), ("1.5e1 %", "share", 0.15)],
)  # fmt: skip
def test_words_are_read_in_their_units(written: object, kind: str, value: float) -> None:
    assert plain(written, kind) == pytest.approx(value, abs=1e-9)


def test_a_unit_of_another_quantity_is_not_read() -> None:
    with pytest.raises(UnreadError, match="'K' is no unit"):
        plain("300 K", "length")


@pytest.mark.parametrize(
    ("body", "geometry"), [("slab", "box"), ("cylinder", "cylinder"), ("sphere", "ball")]
)
def test_the_twin_meets_the_biot_series(body: series.Body, geometry: str) -> None:
    """Bi 1, Fo 0.5: the twin alone is right, not only like the solver."""
    size: dict[str, Any] = {"box": {"lengths": [1.0]}, "cylinder": {"radius": 1.0, "height": 1.0}, "ball": {"radius": 1.0}}[geometry]  # fmt: skip
    cooled = {"law": "convection", "h": 1.0, "ambient": 0.0}
    walls = {"box": {"x-": "symmetry", "x+": cooled}, "ball": {"r+": cooled}}.get(
        geometry, {"z-": "symmetry", "z+": "symmetry", "r-": "symmetry", "r+": cooled}
    )
    options = {
        "geometry": geometry, "shape": [1, 16] if geometry == "cylinder" else [16], **size, "initial": 100.0,
        "material": {"density": 1.0, "conductivity": 1.0, "specific_heat": 1.0}, "boundaries": walls,
    }  # fmt: skip
    twin = Twin(Asked(options=options, inputs={}))
    got = twin.solved([0.0, 0.5])[-1] / 100.0
    right = series.theta(body, 1.0, 0.5, twin.body.centres[-1])
    assert np.abs(got - right).max() < 2e-3


def test_an_honest_member_passes() -> None:
    assert failed(*solved(PLATE)) == set()


Spoils = Callable[[Any], Any]


@pytest.mark.parametrize(
    ("spoil", "check"),
    [
        (lambda t: np.full_like(t, t[0, 0, 0]), "energy_audit"),  # nothing happens although it is cooled
        (lambda t: t + 273.15, "first_frame"),
        (lambda t: t[::-1], "first_frame"),
        (lambda t: t[0] + 0.5 * (t - t[0]), "energy_audit"),
        (lambda t: np.where(t > 600, t, t - 400.0), "reach"),
        (lambda t: t * np.linspace(1.0, 0.9, 8)[None, None] ** np.arange(9)[:, None, None], "mirror"),
    ],
)  # fmt: skip
def test_a_spoiled_member_is_caught(spoil: Spoils, check: str) -> None:
    asked, schema, numbers = solved(PLATE)
    numbers["fields/temperature"] = spoil(numbers["fields/temperature"])
    assert check in failed(asked, schema, numbers)


def test_times_that_were_not_asked_for_are_caught() -> None:
    asked, schema, numbers = solved(PLATE)
    assert failed(asked, schema, {**numbers, "times": 2 * numbers["times"]}) >= {"frames"}


def test_words_that_are_not_known_pass_with_a_note() -> None:
    asked, schema, numbers = solved(PLATE)
    other = Asked(
        options={**asked.options, "material": "unobtainium"}, inputs=asked.inputs, units=asked.units
    )
    (found,) = audits(other, schema, numbers)
    assert found.passed
    assert "unobtainium" in found.note


def test_a_wall_with_three_surface_temperatures_is_told() -> None:
    matter = matter_near("carbon_steel_en1993_split", 20.0, 850.0)
    law = {"law": "boiling", "convection": 700.0, "boils": 110.0, "peak": 6000.0, "peak_at": 350.0, "film": 400.0, "leidenfrost": 700.0, "ambient": 40.0}  # fmt: skip
    assert Passage([law], 2e-3, matter).is_clear
    assert not Passage([law], 1e-2, matter).is_clear


@pytest.mark.parametrize(("order", "factor"), [(None, 1.0), (1, 2.5), (2, 5 / 3)])
def test_an_error_bar_is_a_difference_times_a_factor(order: int | None, factor: float) -> None:
    assert factor_of(order) == pytest.approx(factor)
    one = {"temperature": {"max": 2.0, "squares": 8.0, "count": 2.0}}
    assert errors_of([one], factor_of(order)) == {
        "temperature": {"max": 2 * factor, "rms": 2 * factor}
    }


def test_a_finer_mesh_is_audited_by_the_cells_that_are_stored() -> None:
    """Close frames of a fierce quench on few cells: a coarse cell's half is not the way that its heat went."""
    fierce = {**PLATE, "defaults": {"transfer": "5 kW/(m2.K)"}, "frames": 41}
    for level in (0, 1):
        asked, schema, numbers = solved(fierce, level)
        assert failed(asked, schema, numbers, level) == set()
        still = np.broadcast_to(
            numbers["fields/temperature"][0], numbers["fields/temperature"].shape
        )
        assert failed(asked, schema, {**numbers, "fields/temperature": still}, level) == {
            "energy_audit"
        }
