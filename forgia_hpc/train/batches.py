"""What one rank computes on in one step: read ahead by one thread, cut into micro-batches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType

import numpy as np
import torch
from numpy.typing import NDArray

from forgia_hpc.data.reading.loader import Loader
from forgia_hpc.data.reading.windows import WindowIndex
from forgia_hpc.data.sampler import Sampler

Micro = dict[str, torch.Tensor]  # the keyword arguments of a forecaster's forward
AHEAD = 2  # steps read ahead
Chosen = Sequence[tuple[int, int]] | NDArray[np.int64]  # (contribution, window) pairs


@dataclass(frozen=True)
class StepBatch:
    """One rank's share of a step."""

    micro: list[Micro]
    weights: list[
        float
    ]  # of each micro-batch's mean loss: 1 where all hold the same number of series
    series: int
    windows: int
    values: int  # numbers in context and target, measured or not
    chosen: Chosen  # (contribution, window) of each
    waited_s: float = 0.0  # how long the training loop stood still for it


class Batches:
    """Reads the steps to come while a step is computed."""

    def __init__(
        self, index: WindowIndex, sampler: Sampler, rank: int, world_size: int, micro_batch: int
    ) -> None:
        """Take the windows, their order and this rank's place in it."""
        self._index, self._sampler = index, sampler
        self._rank, self._world_size = rank, world_size
        self._micro_batch = micro_batch
        self._loader = Loader(self._read, AHEAD)

    def __enter__(self) -> Batches:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the thread."""
        self._loader.close()

    def take(self, step: int, last: int) -> StepBatch:
        """Return the batch of a step (from 1); those up to AHEAD steps on are read meanwhile."""
        started = time.perf_counter()
        batch = self._loader.take(step, last)
        return replace(batch, waited_s=time.perf_counter() - started)

    def _read(self, step: int, _slot: int) -> StepBatch:
        chosen = self._sampler.batch(step - 1, self._rank, self._world_size)
        micro = [
            self._micro(chosen[first : first + self._micro_batch])
            for first in range(0, len(chosen), self._micro_batch)
        ]
        counts = [len(each["group"]) for each in micro]
        return StepBatch(
            micro,
            weights=self._weights(step, counts),
            series=sum(counts),
            windows=len(chosen),
            values=sum(each["context"].numel() + each["target"].numel() for each in micro),
            chosen=chosen,
        )

    def _weights(self, step: int, counts: Sequence[int]) -> list[float]:
        """Return what makes the mean over ranks and micro-batches the mean over all series of the step.

        Windows hold different numbers of series, so a rank's own mean would count some series more than
        others, and the gradient of one batch would depend on how many ranks share it.
        """
        whole = self._index.series(self._sampler.batch(step - 1, 0, 1))
        parts = self._world_size * len(counts)
        return [count * parts / whole for count in counts]

    def _micro(self, chosen: Chosen) -> Micro:
        """Read some windows into the tensors of one forward pass."""
        found = self._index.gather(chosen)
        arrays = {"context": found.context, "target": found.target, "group": found.group}
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        if torch.cuda.is_available():
            # torch keeps pinned memory for the next: a ring of ours would save nothing
            tensors = {name: tensor.pin_memory() for name, tensor in tensors.items()}
        return tensors
