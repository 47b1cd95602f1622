"""Warnings about a block shuffle."""

from __future__ import annotations

import pytest

from forgia_hpc.config.order import order_warnings
from forgia_hpc.schema.data import Data
from forgia_hpc.schema.job import CommandJob, TrainJob
from forgia_hpc.schema.training import Train


@pytest.mark.parametrize(
    ("run", "batch", "fields"),
    [
        (1, 2, []),
        (4, 32, []),
        (5, 32, ["data.run"]),
        (4, 7, ["train.global_batch"]),
        (64, 4, ["data.run", "train.global_batch"]),
    ],
)
def test_runs_that_may_cost_more_than_they_give(run: int, batch: int, fields: list[str]) -> None:
    job = TrainJob(data=Data(run=run), train=Train(global_batch=batch))
    assert [one.field for one in order_warnings(job)] == fields


def test_other_jobs_have_no_order() -> None:
    assert order_warnings(CommandJob()) == []
