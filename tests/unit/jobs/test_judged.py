"""A model is judged on what it was trained on, unless somebody says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from forgia_hpc.config.compose import as_yaml, compose_job
from forgia_hpc.errors import SealBrokenError
from forgia_hpc.jobs.judged import take_its_data
from forgia_hpc.schema.data import Data
from forgia_hpc.schema.job import EvaluateJob, Kind

NAME = "20261122-101010-train-abc123"
TRAINED = ("data.dataset=bars", "data.steps_in=3", "data.stride=2", "data.contributions=[bars]")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "job.json").write_text("{}")
    (tmp_path / NAME / "config.yaml").write_text(as_yaml(compose_job(Kind.train, TRAINED)))
    return tmp_path


def data_of(runs: Path, *words: str, run: str = NAME) -> Data:
    said = (f"evaluate.run={run}", *words)
    job = compose_job(Kind.evaluate, said)
    assert isinstance(job, EvaluateJob)
    take_its_data(job, said, runs)
    return job.data


def test_the_data_section_is_the_runs_own(runs: Path) -> None:
    found = data_of(runs)
    assert (found.dataset, found.steps_in, found.stride) == ("bars", 3, 2)
    assert found.contributions == ["bars"]


def test_one_word_more_changes_that_word_alone(runs: Path) -> None:
    found = data_of(runs, "data.stride=4")
    assert (found.dataset, found.steps_in, found.stride) == ("bars", 3, 4)


@pytest.mark.parametrize(
    ("words", "dataset"), [(("data.dataset=others",), "others"), (("data=refinery",), "refinery")]
)
def test_who_says_the_data_gets_it(runs: Path, words: tuple[str, ...], dataset: str) -> None:
    found = data_of(runs, *words)
    assert (found.dataset, found.steps_in, found.contributions) == (dataset, 2, [])


def test_of_a_run_that_is_not_there_nothing_is_taken(runs: Path) -> None:
    assert data_of(runs, run="nosuch").dataset == "demo"


def test_a_config_that_is_none_is_told(runs: Path) -> None:
    (runs / NAME / "config.yaml").write_text("nonsense: [")
    with pytest.raises(SealBrokenError, match="not a sealed config"):
        data_of(runs)
