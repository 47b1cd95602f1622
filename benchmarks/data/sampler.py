"""What it costs to know which windows come next: a batch, a resume, a start; beside torch's own samplers.

    python benchmarks/data/sampler.py [--batch 256] [--windows 1000000,10000000,1000000000]

CPU time of one thread, the median of many (of one for what takes seconds): the machine may be shared. To resume
is to go from nothing but the state of a checkpoint to the next batch, half-way through the windows. Torch's
samplers store no place: a resume draws the permutation again and steps over what was dealt, as torchdata's
StatefulDataLoader does with a sampler that has no state of its own.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import BatchSampler, RandomSampler

from forgia_hpc.data.sampler import Sampler
from forgia_hpc.schema.data import Data, Order

MOST = 20_000_000  # windows for which a stored permutation is still tried
ORDERS = (
    ("mixture, full shuffle", Data(run=1)),
    ("mixture, runs of 8", Data(run=8)),
    ("epoch, full shuffle", Data(order=Order.epoch, run=1)),
    ("epoch, runs of 8", Data(order=Order.epoch, run=8)),
)


@dataclass(frozen=True)
class Windows:
    """So many windows of contributions of very different sizes."""

    counts: tuple[int, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Contributions."""
        return tuple(f"contribution_{number}" for number in range(len(self.counts)))

    contributors = names

    @property
    def content_ids(self) -> tuple[str, ...]:
        """Digests."""
        return tuple(f"{number:064x}" for number in range(len(self.counts)))


def shared_out(windows: int, contributions: int) -> Windows:
    """Return windows in shares 1 : 2 : 3 : …."""
    weights = np.arange(1, contributions + 1)
    counts = np.maximum(windows * weights // weights.sum(), 1)
    counts[-1] += windows - counts.sum()
    return Windows(tuple(counts.tolist()))


def main() -> None:
    """Print a line for each way and size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--windows", default="1000000,10000000,1000000000")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    say(f"batches of {arguments.batch}; ms of CPU: start, batch, resume half-way")
    for windows in map(int, arguments.windows.split(",")):
        for contributions in (1, 5, 300):
            for name, data in ORDERS:
                index = shared_out(windows, contributions)
                line = ours(index, data, arguments.batch)
                say(f"{windows:>13,} windows of {contributions:3d}  {name:24s} {line}")
        if windows <= MOST:
            say(
                f"{windows:>13,} windows        torch RandomSampler      {torchs(windows, arguments.batch)}"
            )
        else:
            say(
                f"{windows:>13,} windows        torch RandomSampler      not tried: {8 * windows / 1e9:.0f} GB"
            )


def ours(index: Windows, data: Data, batch: int) -> str:
    """Return the three figures of our sampler."""
    start = median(lambda: Sampler(index, 0, batch, data), 3)
    sampler = Sampler(index, 0, batch, data)
    half = sum(index.counts) // 2 // batch
    steps = itertools.count()
    sampler.batch(half)
    each = median(lambda: sampler.batch(next(steps)), 300)
    cursor = sampler.cursor(half)
    resume = median(lambda: sampler.batch(sampler.from_cursor(cursor)), 100)
    return f"{start:10.2f} {each:8.3f} {resume:10.3f}"


def torchs(windows: int, batch: int) -> str:
    """Return the same of torch's: a batch of its permutation, and a resume by stepping over."""

    def opened(skipped: int) -> BatchSampler:
        chance = torch.Generator().manual_seed(0)
        return iter(
            itertools.islice(
                BatchSampler(RandomSampler(range(windows), generator=chance), batch, True),
                skipped,
                None,
            )
        )

    start = median(lambda: next(opened(0)), 1)
    batches = opened(0)
    each = median(lambda: next(batches), 300)
    resume = median(lambda: next(opened(windows // 2 // batch)), 1)
    return f"{start:10.2f} {each:8.3f} {resume:10.3f}"


def median(work: Callable[[], object], times: int) -> float:
    """Return the milliseconds of CPU time of one call."""
    found = []
    for _ in range(times):
        begun = time.process_time_ns()
        work()
        found.append((time.process_time_ns() - begun) / 1e6)
    return statistics.median(found)


def say(line: str) -> None:
    """Print: a benchmark is its own CLI."""
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
