"""One small trial of what tests/endurance counts with 300 points."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from endurance.waves import FewWaves

pytestmark = pytest.mark.slurm


def test_packed_points_end_well_once_though_two_allocations_are_killed(
    dev_slurm, tmp_path: Path
) -> None:
    with FewWaves(tmp_path, bed=dev_slurm.directory) as waves:
        found = waves.trial(random.Random("tests"))
    assert found["faults"] == []
    assert found["jobs"] * 5 <= found["points"]
