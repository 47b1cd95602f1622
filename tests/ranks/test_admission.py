"""A defect of solver, words or output is stopped before anything is sealed; a harmless change is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from endurance.defects import DEFECTS, HARMLESS, by_whom
from fakes.admission.bed import CHECKOUT, campaign

pytestmark = pytest.mark.ranks
FEW = {
    "diffusion twice as fast": "stopped by the probation",
    "implicit: a stub that leaves all as it was": "stopped by the probation",
    "laws of opposite walls exchanged": "stopped by the probation",
    "swapped axis: lengths": "stopped by the probation",
    "wrong unit: temperature stored in kelvin": "stopped by the probation",
    "half of the time asked for": "stopped by the checks of members",
    "parameters in the wrong columns": "stopped as the shard was read",
    "a sample shifted by one cell in the shard": "stopped as the shard was read",
}


@pytest.mark.parametrize("name", FEW)
def test_a_defect_is_stopped_before_the_first_shard(name: str, tmp_path: Path) -> None:
    patch = next(one for one in DEFECTS if one.name == name)
    ended = campaign(tmp_path, patch.bed, patch.changes, patch.words)
    assert ended.stopped, ended
    assert ended.code == 3
    assert by_whom(ended.why) == FEW[name], ended


def test_a_harmless_change_is_let_through(tmp_path: Path) -> None:
    patch = HARMLESS[1]
    ended = campaign(tmp_path, patch.bed, patch.changes, patch.words)
    assert (ended.code, ended.left_out, ended.sealed) == (0, {}, True), ended


def test_a_body_of_voxels_whose_phases_release_heat_is_let_through(tmp_path: Path) -> None:
    """Its mask's outer cells have no twin: compared with them, every such campaign was refused."""
    ended = campaign(tmp_path, "forging", ())
    assert (ended.code, ended.left_out, ended.sealed) == (0, {}, True), ended


@pytest.mark.parametrize("patch", [*DEFECTS, *HARMLESS], ids=lambda one: one.name)
def test_each_patch_still_fits_the_code(patch: object) -> None:
    for file, old, new in patch.changes:  # type: ignore[attr-defined]
        assert (CHECKOUT / "forgia_hpc" / file).read_text(encoding="utf-8").count(old) == 1
        assert old != new
