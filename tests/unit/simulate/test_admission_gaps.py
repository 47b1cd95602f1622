"""What a second set of defects has shown: heat of phases, ranges that are not filled, patches that fit."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from endurance import defects, defects_blind
from fakes.admission.bed import CHECKOUT
from unit.simulate.test_admission import solved

from forgia_hpc.schema.simulation import Design, Ensemble
from forgia_hpc.schema.simulation import Solver as Words
from forgia_hpc.simulate.admission.audit import audits
from forgia_hpc.simulate.admission.probation import filled
from forgia_hpc.simulate.admission.probe import Probe, Trial
from forgia_hpc.simulate.admission.steel import balances
from forgia_hpc.simulate.communicator import Alone
from forgia_hpc.simulate.design import designed
from forgia_hpc.simulate.heat.phases import Transformation
from forgia_hpc.simulate.member import Input, Member
from forgia_hpc.simulate.spread import spreads

COOLED = {"law": "convection", "h": 500.0, "ambient": 40.0}
STEEL: dict[str, Any] = {
    "geometry": "box", "shape": [8], "lengths": [0.02], "material": "carbon_steel_en1993_split", "initial": 880.0,
    "boundaries": {"x-": "symmetry", "x+": COOLED}, "end_s": 300.0, "frames": 41, "backend": "numpy",
    "phases": {"composition": {"C": 0.2, "Si": 0.2, "Mn": 0.5}, "heat": {"ferrite": 6.66e8, "pearlite": 6.66e8}},
}  # fmt: skip
HIGH = [Input(name="high", ucum="K", quantity="temperature")]


def balanced() -> list[Trial]:
    member = Member(number=0, id="0" * 16, inputs={}, level=0)
    members: Any = SimpleNamespace(members=[member])
    return list(balances(Probe(Words(options=STEEL), members, Alone(), lambda *_: {}, Path())))


def test_bars_of_known_flux_balance_with_the_heat_of_phases() -> None:
    slow, fast = balanced()
    assert max(slow.value, fast.value) < 2e-4


def test_heat_that_phases_do_not_release_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Transformation.advance

    def cold(self: Transformation, *known: Any) -> Any:
        return honest(self, *known)[0], 0.0

    monkeypatch.setattr(Transformation, "advance", cold)
    assert not any(one.passed for one in balanced())


def test_the_audit_counts_what_the_stored_shares_release() -> None:
    asked, schema, numbers = solved(STEEL)
    found = {one.check: one for one in audits(asked, schema, numbers)}
    assert found["energy_audit"].value < 1e-3
    spent = {**numbers, "fields/ferrite": np.zeros_like(numbers["fields/ferrite"])}
    found = {one.check: one for one in audits(asked, schema, spent)}
    assert not found["energy_audit"].passed


def drawn(design: Design, count: int, seed: int, words: dict[str, Any]) -> Any:
    """Return members as a manifest has them, refined ones among them."""
    ensemble = Ensemble(design=design, members=count, seed=seed, inputs={"high": words})
    table = designed(ensemble, spreads(ensemble.inputs, HIGH), [], {})
    members = [
        Member(number=at, id=f"{at:016x}", inputs={"high": float(one)}, level=0)
        for at, one in enumerate(table["high"])
    ]
    lowest = min(members, key=lambda one: one.inputs["high"])
    members += [Member(number=count, id="f" * 16, inputs=lowest.inputs, level=1)] * count
    method = {"method": design.value, "constraints": []}
    return SimpleNamespace(members=members, design=method, inputs=HIGH)


ENDS = (26.85, 726.85, "temperature")  # °C, as the words' own ends are read


@pytest.mark.parametrize("design", [Design.sobol, Design.lhs])
@pytest.mark.parametrize("scale", ["linear", "log"])
def test_every_design_of_points_fills_both_halves(design: Design, scale: str) -> None:
    words = {"low": 300.0, "high": 1000.0, "scale": scale}
    for count in (4, 5, 6, 7, 9, 16, 31):
        for seed in range(5):
            (found,) = filled(drawn(design, count, seed, words), "high", words, ENDS)
            assert found.passed, (count, seed)


def test_a_part_of_a_range_is_seen() -> None:
    words = {"low": 300.0, "high": 1000.0, "scale": "log"}
    part = {**words, "high": 300.0 * (1000 / 300) ** 0.434}
    (found,) = filled(drawn(Design.sobol, 8, 0, part), "high", words, ENDS)
    assert not found.passed


@pytest.mark.parametrize(
    "words", [{"values": [300.0, 500.0]}, 400.0, {"low": 300.0, "high": 300.0001}]
)
def test_what_no_design_fills_is_not_asked(words: Any) -> None:
    members = drawn(Design.sobol, 8, 0, {"low": 300.0, "high": 1000.0})
    ends = (26.85, 26.8501, "temperature")
    if isinstance(words, dict) and "low" in words:
        ends = (26.85, 26.85 + 1e-6, "temperature")
    assert list(filled(members, "high", words, ends)) == []


def test_a_design_with_constraints_may_leave_a_half_empty() -> None:
    words = {"low": 300.0, "high": 1000.0}
    members = drawn(Design.sobol, 8, 0, {"low": 300.0, "high": 400.0})
    members.design["constraints"] = ["high < 400"]
    assert list(filled(members, "high", words, ENDS)) == []


SETS = (defects, defects_blind)


@pytest.mark.parametrize("patches", SETS, ids=lambda one: one.__name__)
def test_each_patch_of_both_sets_stands_once_in_the_code(patches: Any) -> None:
    for patch in (*patches.DEFECTS, *patches.HARMLESS):
        for file, old, new in patch.changes:
            text = (CHECKOUT / "forgia_hpc" / file).read_text(encoding="utf-8")
            assert text.count(old) == 1, (patch.name, file)
            compile(text.replace(old, new), file, "exec")
