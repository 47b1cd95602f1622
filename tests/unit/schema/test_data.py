"""What the words of a dataset refuse by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from forgia_hpc.config.compose import compose_job
from forgia_hpc.errors import InputError
from forgia_hpc.schema.data import Data, Order
from forgia_hpc.schema.job import Kind, TrainJob


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ({"run": 0}, "data.run"),
        ({"run": 65_537}, "data.run"),
        ({"shares": {"steel": 0}}, "data.shares.steel"),
        ({"shares": {"steel": 1.1}}, "data.shares.steel"),
        ({"shares": {"steel": 0.5}, "order": Order.epoch}, "data.shares"),
        ({"temperature": 1.1}, "data.temperature"),
    ],
)
def test_an_order_that_means_nothing(words: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as caught:
        Data(**words)
    assert [one.field for one in caught.value.problems] == [field]


@pytest.mark.parametrize("cap", ["data.shares.demo_press=0.3", "data.shares={demo_press: 0.3}"])
def test_the_order_is_said_on_the_command_line(cap: str) -> None:
    job = compose_job(Kind.train, [cap, "data.run=4"])
    assert isinstance(job, TrainJob)
    assert (job.data.order, job.data.shares, job.data.run) == (
        Order.mixture,
        {"demo_press": 0.3},
        4,
    )
    job = compose_job(Kind.train, ["data.order=epoch"])
    assert isinstance(job, TrainJob)
    assert job.data.order is Order.epoch
