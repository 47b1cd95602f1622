"""The solvers of docs/solvers.md do what the page says."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes.pages import examples
from fakes.programs import MEMBER

from forgia_hpc.config.compose import compose_job
from forgia_hpc.jobs.plan import Wish, make_plan
from forgia_hpc.schema.job import Kind
from forgia_hpc.simulate.communicator import Alone
from forgia_hpc.simulate.solvers import open_solver


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = examples("solvers.md", tmp_path / "mine")
    monkeypatch.setenv("FORGIA_PATH", str(root))
    monkeypatch.syspath_prepend(str(root))
    yield root
    for name in [one for one in sys.modules if one.partition(".")[0] in ("my_bar", "my_slab")]:
        sys.modules.pop(name)


def solved(name: str, directory: Path, level: int = 0, **inputs: float):
    solver = open_solver(compose_job(Kind.simulate, [f"solver={name}"]).solver)
    directory.mkdir()
    case = solver.prepare(replace(MEMBER, inputs=inputs, level=level), Alone(), directory)
    solver.run(case, lambda: False)
    output = solver.extract(case)
    assert all(one.passed for one in solver.check(case, output))
    return output


def test_the_program_cools_a_bar_on_both_meshes(mine, tmp_path):
    inputs = {"hot": 900.0, "cold": 300.0, "rate": 0.5}
    coarse = solved("my_bar", tmp_path / "coarse", **inputs).fields["temperature"]
    fine = solved("my_bar", tmp_path / "fine", level=1, **inputs).fields["temperature"]
    assert coarse.shape == fine.shape == (11, 32)
    assert coarse[-1, 8] < 700  # a quarter of the way in
    assert np.abs(coarse[-1] - fine[-1]).max() < 0.005 * 600


def test_its_words_and_files_are_sealed_whole(mine):
    wish = Wish(
        kind=Kind.simulate,
        overrides=["solver=my_bar", "ensemble=own", "ensemble.inputs={hot: 700 K, rate: 0.5}"],
    )
    with pytest.raises(Exception, match="members"):  # sixteen of one are one
        make_plan(wish)
    wish = replace(
        wish,
        overrides=[*wish.overrides[:2], "ensemble.inputs={hot: {low: 600, high: 900}, rate: 0.5}"],
    )
    plan = make_plan(wish)
    assert {"my_bar", "my_slab.py"} <= set(plan.sources)
    before = plan.data["members"]["solver"]
    script = mine / "my_bar" / "files" / "bar.py"
    script.write_text(script.read_text() + "\n# another script makes other members\n")
    assert make_plan(wish).data["members"]["solver"] != before


def test_the_class_cools_a_slab(mine, tmp_path):
    output = solved("my_slab", tmp_path / "member", left=300.0, right=500.0)
    assert output.fields["temperature"].shape == (9, 48)
    assert output.fields["temperature"][-1][[0, -1]] == pytest.approx([302, 498], abs=1)
