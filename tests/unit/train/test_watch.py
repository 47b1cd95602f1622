from __future__ import annotations

import math
from pathlib import Path

import pytest

from forgia_hpc.errors import JobFailedError
from forgia_hpc.metrics import MetricsFile, read_metrics
from forgia_hpc.runtime.engine import Outcome
from forgia_hpc.train.watch import Ledger, SkippedWatch, Totals

GOOD = Outcome(loss=1.0, applied=True, grad_norm=1.0, seconds=0.5)
BAD = Outcome(loss=math.nan, applied=False, grad_norm=math.inf, seconds=0.5)


def test_skipped_steps_fail_only_in_a_row() -> None:
    watch = SkippedWatch(3)
    for step, outcome in enumerate([BAD, BAD, GOOD, BAD, BAD], start=1):
        watch.see(step, outcome, outcome.loss)
    assert watch.total == 4
    with pytest.raises(JobFailedError, match=r"step 6: 3 optimizer steps in a row .*loss nan"):
        watch.see(6, BAD, math.nan)


def test_rows_are_means_since_the_row_before(tmp_path: Path) -> None:
    with MetricsFile(tmp_path / "metrics.jsonl") as metrics:
        ledger = Ledger(metrics, every=2)
        ledger.start()
        for step in (1, 2, 3):
            ledger.count(Totals(loss=1.0, values=160.0, windows=4.0), 0.25 * step, 0.5)
            ledger.save_s += 1.0
            ledger.row(step, last=step == 3, loss=float(step))
    second, third = read_metrics(tmp_path / "metrics.jsonl")
    assert (second["step"], third["step"], third["phase"]) == (2, 3, "train")
    assert second["data_s"] == pytest.approx(0.375)
    assert (third["data_s"], third["compute_s"], third["save_s"]) == (0.75, 0.5, 1.0)
    assert second["tokens_per_s"] / second["samples_per_s"] == pytest.approx(20 / 8)
    assert second["step_s"] * second["samples_per_s"] == pytest.approx(4)
    assert (ledger.tokens, ledger.samples) == (30, 12)
