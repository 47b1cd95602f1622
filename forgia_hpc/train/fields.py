"""Simulations as a training takes them: a few steps of the fields of one trajectory a window."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from forgia_hpc.data.access.grant import ends_of
from forgia_hpc.data.fields.inputs import FieldInputs, cutting_of, shape_of
from forgia_hpc.data.fields.reader import FieldDataset, open_fields
from forgia_hpc.data.layout import Split
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.models.field_shape import KEY
from forgia_hpc.schema.data import Data
from forgia_hpc.schema.job import TrainJob
from forgia_hpc.train.material import Chosen, Micro, tensors


class Fields:
    """The train split of an open dataset of fields; a window is one row of the loss."""

    numbers = ("values",)

    def __init__(self, dataset: FieldDataset, data: Data, grant: dict[str, Any]) -> None:
        """Take the open dataset, the words of the windows, and the grant that opened it."""
        self.index = dataset.windows(Split.train, cutting_of(data))
        shape = shape_of(self.index)
        self._inputs = FieldInputs(self.index, shape)
        manifests = [source.manifest for source in dataset.sources]
        self.shards = [[one.path for one in manifest.shards] for manifest in manifests]
        self.identifier = "+".join(manifest.identifier for manifest in manifests)
        self.ends = ends_of(grant)
        self.series_numbers = self.index.cutting.steps * int(np.prod(shape.grid))
        self.made_with = {
            "context": data.steps_in,
            "horizon": data.steps_out,
            "extra": {KEY: shape.as_json()},
        }

    def micro(self, chosen: Chosen) -> Micro:
        """Read some windows into the tensors of one forward pass."""
        return tensors(self._inputs.of(self.index.gather(chosen)))

    def rows(self, chosen: Chosen) -> int:
        """Return how many windows these are."""
        return len(chosen)


@contextmanager
def open_simulations(job: TrainJob, grant: dict[str, Any]) -> Iterator[Fields]:
    """Give what a grant lists of this layout.

    Raises:
        InputError: it has nothing to learn from, or nothing to judge the model on when that is asked for.
    """
    with open_fields(grant, verify=job.data.verify, io=job.data.io) as dataset:
        _judged_on(dataset, job)
        yield Fields(dataset, job.data, grant)


def _judged_on(dataset: FieldDataset, job: TrainJob) -> None:
    """Refuse a training that would be judged on nothing: before it, not after its hours."""
    if not job.evaluate.enabled:
        return
    seen = max(2, job.data.steps_in)  # the linear baseline takes two, as evaluate/rollout.py
    least = seen * job.data.stride + 1
    held = [
        len(source.index.times_of(row))
        for source in dataset.sources
        for name in job.evaluate.splits
        for row in source.trajectories(Split(name))
    ]
    if max(held, default=0) < least:
        said = (
            f"has no trajectory of {least} steps in them" if held else "has no trajectory in them"
        )
        raise InputError(
            Problem(
                field="evaluate.splits",
                got=", ".join(job.evaluate.splits),
                limit=f"{job.data.dataset} {said}",
                fix="hold members back, ask for other splits, or set evaluate.enabled=false",
            )
        )
