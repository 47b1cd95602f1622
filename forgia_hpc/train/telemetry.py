"""Telemetry as a training takes it: series of channels, several a window."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from forgia_hpc.data.layout import Split
from forgia_hpc.data.reader import Dataset, open_dataset
from forgia_hpc.data.reading.windows import WindowIndex
from forgia_hpc.schema.data import Data
from forgia_hpc.schema.job import TrainJob
from forgia_hpc.train.material import Chosen, Micro, tensors


class TelemetryReading:
    """Context and target of series; those of one window share a group."""

    numbers = ("context", "target")

    def __init__(self, index: WindowIndex) -> None:
        """Take the windows."""
        self.index = index

    def micro(self, chosen: Chosen) -> Micro:
        """Read some windows into the tensors of one forward pass."""
        found = self.index.gather(chosen)
        return tensors({"context": found.context, "target": found.target, "group": found.group})

    def rows(self, chosen: Chosen) -> int:
        """Return how many series these windows hold."""
        return self.index.series(chosen)


class Telemetry(TelemetryReading):
    """The train split of an open dataset."""

    def __init__(self, dataset: Dataset, data: Data) -> None:
        """Take the open dataset and the words of the windows."""
        super().__init__(dataset.windows(Split.train, data))
        sources = [dataset.source(name) for name in self.index.names]
        self.shards = [[one.path for one in source.manifest.shards] for source in sources]
        self.identifier = "+".join(source.manifest.identifier for source in dataset.sources)
        self.ends = dataset.ends
        self.series_numbers = data.context + data.horizon
        self.made_with = {"context": data.context, "horizon": data.horizon, "extra": {}}


@contextmanager
def open_telemetry(job: TrainJob, grant: dict[str, Any]) -> Iterator[Telemetry]:
    """Give what a grant lists of this layout."""
    with open_dataset(grant, verify=job.data.verify, io=job.data.io) as dataset:
        yield Telemetry(dataset, job.data)
