from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from forgia_hpc.data.reading.windows import WindowIndex
from forgia_hpc.data.sampler import Sampler
from forgia_hpc.errors import SealBrokenError
from forgia_hpc.train.batches import Batches
from forgia_hpc.train.telemetry import TelemetryReading


class Windows:
    """Two contributions of numbered windows: window w of contribution c is two series of value 100c + w."""

    names = ("first", "second")
    counts = (50, 30)
    content_ids = ("a", "b")

    def __init__(self, broken_at: int | None = None) -> None:
        self.broken_at = broken_at
        self.threads: set[str] = set()

    def series(self, pairs: list[tuple[int, int]]) -> int:
        return 2 * len(pairs)

    def gather(self, pairs: list[tuple[int, int]]) -> Any:
        self.threads.add(threading.current_thread().name)
        if self.broken_at in [window for _, window in pairs]:
            raise SealBrokenError("shard.h5: leaf 3 differs")
        values = np.repeat([100 * each + window for each, window in pairs], 2).astype(np.float32)
        return SimpleNamespace(
            context=np.repeat(values[:, None], 4, axis=1),
            target=np.repeat(values[:, None], 2, axis=1),
            group=np.repeat(np.arange(len(pairs)), 2),
        )


def batches(index: Windows, rank: int = 0, size: int = 1, micro: int = 4) -> Batches:
    sampler = Sampler(index, seed=1, global_batch=8)
    return Batches(TelemetryReading(cast(WindowIndex, index)), sampler, rank, size, micro)


def dealt(opened: Batches, step: int) -> list[float]:
    batch = opened.take(step, last=9)
    return [float(value) for micro in batch.micro for value in micro["context"][::2, 0]]


def test_ranks_together_take_the_global_batch_whatever_their_number() -> None:
    found = []
    for size in (1, 2, 4):
        steps: list[float] = []
        for step in (1, 2, 9):
            for rank in range(size):
                with batches(Windows(), rank, size, micro=2) as opened:
                    steps += dealt(opened, step)
        found.append(steps)
    assert found[0] == found[1] == found[2]


def test_a_share_is_cut_into_micro_batches() -> None:
    with batches(Windows(), rank=1, size=2, micro=2) as opened:
        batch = opened.take(1, last=1)
    assert [len(micro["group"]) for micro in batch.micro] == [4, 4]
    assert (batch.windows, batch.rows, batch.values) == (4, 8, 8 * 6)
    assert batch.micro[0]["group"].tolist() == [0, 0, 1, 1]


def test_reading_ahead_changes_nothing_and_happens_in_one_other_thread() -> None:
    index = Windows()
    with batches(index) as ahead:
        onwards = [dealt(ahead, step) for step in range(1, 10)]
    for step in (1, 5, 9):
        with batches(Windows()) as fresh:
            assert dealt(fresh, step) == onwards[step - 1]
    assert len(index.threads) == 1
    assert threading.current_thread().name not in index.threads


def test_broken_data_is_told_in_the_training_loop() -> None:
    sampler = Sampler(Windows(), seed=1, global_batch=8)
    wanted = sampler.batch(1)[0][1]  # of step 2, read ahead while step 1 is computed
    with batches(Windows(broken_at=wanted)) as opened:
        if wanted not in [window for _, window in sampler.batch(0)]:
            opened.take(1, last=2)
        with pytest.raises(SealBrokenError, match="leaf 3"):
            opened.take(2, last=2)


class UnevenWindows(Windows):
    """As Windows, but an odd window is one series."""

    def series(self, pairs: list[tuple[int, int]]) -> int:
        return sum(2 - window % 2 for _, window in pairs)

    def gather(self, pairs: list[tuple[int, int]]) -> Any:
        found = super().gather(pairs)
        counts = [2 - window % 2 for _, window in pairs]
        kept = np.concatenate([np.arange(count) + 2 * n for n, count in enumerate(counts)])
        arrays = {name: value[kept] for name, value in vars(found).items()}
        return SimpleNamespace(**arrays)


@pytest.mark.parametrize(("size", "micro"), [(1, 8), (1, 4), (2, 4), (2, 2), (4, 2)])
def test_the_weighted_mean_of_the_parts_is_the_mean_over_all_series(size: int, micro: int) -> None:
    def mean(ranks: int, share: int) -> float:
        parts = []
        for rank in range(ranks):
            with batches(UnevenWindows(), rank, ranks, share) as opened:
                batch = opened.take(3, last=3)
            means = [float(each["context"].mean()) for each in batch.micro]
            weighted = zip(batch.weights, means, strict=True)
            parts.append(sum(weight * value for weight, value in weighted) / len(means))
        return sum(parts) / ranks

    assert mean(size, micro) == pytest.approx(mean(1, 8), rel=1e-6)
