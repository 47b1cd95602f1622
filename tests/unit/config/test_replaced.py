"""What braces on the command line take from an ensemble's file is told."""

from __future__ import annotations

import pytest

from forgia_hpc.config.compose import compose_job
from forgia_hpc.config.replaced import lost_words
from forgia_hpc.schema.job import Kind, SimulateJob

RANGE = "ensemble.inputs.transfer={low: 200, high: 900"


@pytest.mark.parametrize(
    ("words", "limit"),
    [
        ([RANGE + "}"], "the file's scale: log is not taken over"),
        ([RANGE + ", scale: linear}"], None),
        (["ensemble.inputs.transfer={values: [200, 900]}"], None),
        (["ensemble.inputs.transfer.low=200"], None),
        ([RANGE + "}", "~ensemble.inputs.transfer"], None),
        (["ensemble.inputs.radius={low: 30 mm, high: 40 mm}"], None),
    ],
)
def test_a_range_without_the_files_scale_is_told(words: list[str], limit: str | None) -> None:
    own = ["solver=heat_quench", "ensemble=quench_sobol", *words]
    job = compose_job(Kind.simulate, own)
    assert isinstance(job, SimulateJob)
    told = lost_words(job, own)
    assert [one.field for one in told] == (["ensemble.inputs.transfer"] if limit else [])
    assert all(limit and limit in one.limit for one in told)
