"""What the loop measures and judges: the figures of a step, and steps that teach nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass

from forgia_hpc.errors import JobFailedError
from forgia_hpc.metrics import MetricsFile
from forgia_hpc.runtime.engine import Outcome

TOKEN_STEPS = 16  # a token is one patch of 16 steps of one series; of fields, 16 cells


@dataclass(frozen=True)
class Totals:
    """One step over all ranks."""

    loss: float
    values: float
    windows: float


class SkippedWatch:
    """Fails a job whose steps are skipped in a row: it would look healthy and learn nothing."""

    def __init__(self, limit: int) -> None:
        """Take the number of skipped steps in a row that is too many."""
        self._limit = limit
        self._row = 0
        self.total = 0

    def see(self, step: int, outcome: Outcome, loss: float) -> None:
        """Count a step.

        Raises:
            JobFailedError: too many in a row were skipped; the last checkpoint's weights are good.
        """
        self._row = 0 if outcome.applied else self._row + 1
        self.total += not outcome.applied
        if self._row >= self._limit:
            raise JobFailedError(
                f"step {step}: {self._row} optimizer steps in a row were skipped, because the gradients were "
                f"not finite (loss {loss:g}); train.max_skipped allows {self._limit - 1}. The weights are "
                "those before; lower optimizer.learning_rate, or look at the data of these steps"
            )


@dataclass
class Ledger:
    """Times between two rows of metrics.jsonl, which only rank 0 writes."""

    metrics: MetricsFile | None
    every: int
    data_s: float = 0.0
    compute_s: float = 0.0
    save_s: float = 0.0
    values: float = 0.0
    windows: float = 0.0
    steps: int = 0
    tokens: float = 0.0  # since the start of this attempt
    samples: float = 0.0
    all_s: float = 0.0
    began: float = 0.0

    def start(self) -> None:
        """Begin to measure: what came before the first step is not training."""
        self.began = time.perf_counter()

    def count(self, totals: Totals, waited_s: float, compute_s: float) -> None:
        """Add one step."""
        self.data_s += waited_s
        self.compute_s += compute_s
        self.values += totals.values
        self.windows += totals.windows
        self.steps += 1
        self.tokens += totals.values / TOKEN_STEPS
        self.samples += totals.windows

    def row(self, step: int, last: bool, **values: float | None) -> None:
        """Write a row if one is due; times are means over the steps since the row before."""
        if not (last or step % self.every == 0):
            return
        elapsed = time.perf_counter() - self.began
        self.all_s += elapsed
        if self.metrics is not None:
            self.metrics.append(
                step,
                phase="train",
                tokens_per_s=self.values / TOKEN_STEPS / elapsed,
                samples_per_s=self.windows / elapsed,
                data_s=self.data_s / self.steps,
                compute_s=self.compute_s / self.steps,
                save_s=self.save_s / self.steps,
                step_s=elapsed / self.steps,
                **values,
            )
        self.data_s = self.compute_s = self.save_s = self.values = self.windows = 0.0
        self.steps, self.began = 0, time.perf_counter()
