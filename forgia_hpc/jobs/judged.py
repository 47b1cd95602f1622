"""On what a model is judged if nobody says: on the dataset that it was trained on, read in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from forgia_hpc.config.spelling import key_of
from forgia_hpc.errors import InputError
from forgia_hpc.jobs.find import find_run
from forgia_hpc.schema.data import Data
from forgia_hpc.schema.job import EvaluateJob, Job, TrainJob
from forgia_hpc.schema.load import load_job

_CHOSEN = {"data", "data.dataset", "experiment"}  # who says one of these has said which data


def take_its_data(job: Job, words: Sequence[str], runs: Path) -> None:
    """Give an evaluate job the data section of the judged run in place, but for the `data.…` words that are said.

    Of a run that is not there (of a chain's, not yet) nothing is taken; whether that is wrong is checked later.

    Raises:
        SealBrokenError: the run's config is not what was sealed.
    """
    said = {key_of(word) for word in words}
    if not isinstance(job, EvaluateJob) or not job.evaluate.run or said & _CHOSEN:
        return
    trained = _data_of(job.evaluate.run, runs)
    if trained is None:
        return
    named = {key.split(".")[1] for key in said if key.startswith("data.")}
    job.data = replace(trained, **{name: getattr(job.data, name) for name in sorted(named)})


def _data_of(name: str, runs: Path) -> Data | None:
    try:
        run = find_run(name, runs)
    except InputError:
        return None
    trained = load_job(run.config) if run.config.is_file() else None
    return trained.data if isinstance(trained, TrainJob) else None
