"""What one rank computes on in one step: read ahead by one thread, cut into micro-batches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from types import TracebackType

import torch

from forgia_hpc.data.sampler import Sampler
from forgia_hpc.data.windows import WindowIndex

Micro = dict[str, torch.Tensor]  # the keyword arguments of a forecaster's forward


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
    waited_s: float = 0.0  # how long the training loop stood still for it


class Batches:
    """Reads step s + 1 while step s is computed."""

    def __init__(
        self, index: WindowIndex, sampler: Sampler, rank: int, world_size: int, micro_batch: int
    ) -> None:
        """Take the windows, their order and this rank's place in it."""
        self._index, self._sampler = index, sampler
        self._rank, self._world_size = rank, world_size
        self._micro_batch = micro_batch
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._ahead: dict[int, Future[StepBatch]] = {}

    def __enter__(self) -> Batches:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the thread; a read that has begun ends first, because it holds the dataset's files."""
        self._reader.shutdown(wait=True, cancel_futures=True)

    def take(self, step: int, last: int) -> StepBatch:
        """Return the batch of a step (from 1), and begin to read the next unless it is the last."""
        started = time.perf_counter()
        coming = self._ahead.pop(step, None) or self._reader.submit(self._read, step)
        batch = coming.result()
        waited_s = time.perf_counter() - started
        if step < last:
            self._ahead[step + 1] = self._reader.submit(self._read, step + 1)
        return replace(batch, waited_s=waited_s)

    def _read(self, step: int) -> StepBatch:
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
        )

    def _weights(self, step: int, counts: Sequence[int]) -> list[float]:
        """Return what makes the mean over ranks and micro-batches the mean over all series of the step.

        Windows hold different numbers of series, so a rank's own mean would count some series more than
        others, and the gradient of one batch would depend on how many ranks share it.
        """
        whole = self._index.series(self._sampler.batch(step - 1, 0, 1))
        parts = self._world_size * len(counts)
        return [count * parts / whole for count in counts]

    def _micro(self, chosen: Sequence[tuple[int, int]]) -> Micro:
        """Read some windows into the tensors of one forward pass."""
        found = self._index.gather(chosen)
        arrays = {"context": found.context, "target": found.target, "group": found.group}
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        if torch.cuda.is_available():
            tensors = {name: tensor.pin_memory() for name, tensor in tensors.items()}
        return tensors
