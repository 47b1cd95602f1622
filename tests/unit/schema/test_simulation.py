from __future__ import annotations

from pathlib import Path

import pytest

from forgia_hpc.config.compose import as_yaml, compose_job
from forgia_hpc.errors import InputError
from forgia_hpc.schema.job import Kind, SimulateJob
from forgia_hpc.schema.load import load_job


def job(*words: str) -> SimulateJob:
    found = compose_job(Kind.simulate, words)
    assert isinstance(found, SimulateJob)
    return found


@pytest.mark.parametrize(
    ("word", "field"),
    [
        ("ensemble.members=0", "ensemble.members"),
        ("ensemble.members=-1", "ensemble.members"),
        ("ensemble.ranks_per_member=0", "ensemble.ranks_per_member"),
        ("ensemble.block=-1", "ensemble.block"),
        ("ensemble.retries=-1", "ensemble.retries"),
        ("ensemble.refine_share=1.1", "ensemble.refine_share"),
        ("ensemble.least_share=1.1", "ensemble.least_share"),
        ("ensemble.member_s=0", "ensemble.member_s"),
        ("ensemble.member_s=inf", "ensemble.member_s"),
        ("ensemble.dataset=../elsewhere", "ensemble.dataset"),
        ("ensemble.design=csv", "ensemble.csv"),
        ("ensemble.csv=rows.csv", "ensemble.csv"),
        ("ensemble.split.train=0.9", "ensemble.split"),
        ("ensemble.split={train: 1.2, valid: -0.1, test: -0.1}", "ensemble.split"),
        ("ensemble.design=random", "ensemble.design"),
        ("ensemble.launch=forever", "ensemble.launch"),
        ("solver.kind=python", "solver.family"),
        ("solver.kind=command", "solver.program.commands"),
        ("solver.kinds=command", "solver.kinds"),
    ],
)
def test_words_that_mean_nothing_are_refused(word: str, field: str) -> None:
    with pytest.raises(InputError) as caught:
        job(word)
    assert field in {one.field for one in caught.value.problems}


def test_inputs_and_options_may_be_new_and_may_go() -> None:
    found = job(
        "ensemble.inputs.bath=40 Cel", "~ensemble.inputs.radius", "solver.options.frames=11"
    )
    assert found.ensemble.inputs["bath"] == "40 Cel"
    assert set(found.ensemble.inputs) == {"bath", "transfer", "initial"}
    assert found.solver.options["frames"] == 11


def test_what_a_program_is_told_is_its_own(tmp_path: Path) -> None:
    words = "solver.program.commands=[[solve,'${HOME}','$1']]"
    found = job("solver=openfoam_cooling", words, "solver.program.env.WHERE='${TMPDIR}'")
    assert found.solver.program.commands == [["solve", "${HOME}", "$1"]]
    assert found.solver.program.env["WHERE"] == "${TMPDIR}"
    (tmp_path / "config.yaml").write_text(as_yaml(found))
    assert load_job(tmp_path / "config.yaml") == found
