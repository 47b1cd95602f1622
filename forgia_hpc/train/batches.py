"""What one rank computes on in one step: read ahead by one thread, cut into micro-batches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType

from forgia_hpc.data.reading.loader import Loader
from forgia_hpc.data.sampler import Sampler
from forgia_hpc.train.material import Chosen, Micro, Reading

AHEAD = 2  # steps read ahead


@dataclass(frozen=True)
class StepBatch:
    """One rank's share of a step."""

    micro: list[Micro]
    weights: list[
        float
    ]  # of each micro-batch's mean loss: 1 where all hold the same number of rows
    rows: int  # of the loss: series of telemetry, windows of fields
    windows: int
    values: int  # numbers learnt from, measured or not
    chosen: Chosen  # (contribution, window) of each
    waited_s: float = 0.0  # how long the training loop stood still for it


class Batches:
    """Reads the steps to come while a step is computed."""

    def __init__(
        self, reading: Reading, sampler: Sampler, rank: int, world_size: int, micro_batch: int
    ) -> None:
        """Take what reads windows, their order and this rank's place in it."""
        self._reading, self._sampler = reading, sampler
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
        parts = [
            chosen[first : first + self._micro_batch]
            for first in range(0, len(chosen), self._micro_batch)
        ]
        micro = [self._reading.micro(part) for part in parts]
        counts = [self._reading.rows(part) for part in parts]
        return StepBatch(
            micro,
            weights=self._weights(step, counts),
            rows=sum(counts),
            windows=len(chosen),
            values=sum(each[name].numel() for each in micro for name in self._reading.numbers),
            chosen=chosen,
        )

    def _weights(self, step: int, counts: Sequence[int]) -> list[float]:
        """Return what makes the mean over ranks and micro-batches the mean over all rows of the step.

        Windows hold different numbers of series, so a rank's own mean would count some series more than
        others, and the gradient of one batch would depend on how many ranks share it.
        """
        whole = self._reading.rows(self._sampler.batch(step - 1, 0, 1))
        parts = self._world_size * len(counts)
        return [count * parts / whole for count in counts]
