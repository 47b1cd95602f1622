"""Does a block shuffle train as well as a full shuffle? The same small model, seed by seed, in each order.

    python benchmarks/data/shuffle.py --data DIR [--seeds 20] [--orders 1,2,4,8,65536/1]

DIR is a sealed dataset (`forgia data ingest demo`). Each (seed, order) is one training on one core; a
record is appended to --records as it ends, and a training with a record is not run again: start the same line to
go on. The seed gives the first weights and the order. What is compared is the loss over a fixed sample of
training windows, which no order has a say in, relative to that of run length 1 with the same seed. README.md
says beforehand what counts as alike.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import math
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from forgia_hpc.data.layout import Split
from forgia_hpc.data.order.blocks import Orders
from forgia_hpc.data.reader import Dataset, open_dataset
from forgia_hpc.data.reading.windows import WindowIndex
from forgia_hpc.data.sampler import Sampler
from forgia_hpc.schema.data import Data

BOUND = 0.01  # the means may differ by 1 % of the loss and no more
T_95 = {
    20: 1.729,
    10: 1.833,
    5: 2.132,
    3: 2.920,
}  # Student's t, one-sided 95 %, by the number of pairs
SETTINGS: dict[str, Any] = {
    "data": {"context": 128, "min_context": 32, "horizon": 32, "channels": 4},
    "width": 128,  # of the two hidden layers
    "global_batch": 32,
    "steps": 1000,
    "learning_rate": 2e-3,
    "sample": 2048,  # windows that the loss is taken over
}
Record = dict[str, Any]


class Perceptron(torch.nn.Module):
    """Each series alone: its context, brought to mean 0 and spread 1, through two hidden layers to the horizon."""

    def __init__(self, context: int, horizon: int, width: int) -> None:
        """Draw the first weights."""
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(2 * context, width),
            torch.nn.GELU(),
            torch.nn.Linear(width, width),
            torch.nn.GELU(),
            torch.nn.Linear(width, horizon),
        )

    def forward(self, context: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the mean absolute error of context (series, time) and target (series, horizon), in spreads."""
        there = ~context.isnan()
        mean = context.nanmean(dim=1, keepdim=True).nan_to_num()
        off = (context - mean).nan_to_num()
        spread = (
            off.square().sum(dim=1, keepdim=True) / there.sum(dim=1, keepdim=True).clamp(min=1)
        ).sqrt() + 1e-3
        found = self.layers(torch.cat([off / spread, there.float()], dim=1))
        error = ((target - mean) / spread - found).abs().clamp(max=10)
        return error[~error.isnan()].mean()


def main() -> None:
    """Run what has no record yet, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a sealed dataset")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=20)
    parser.add_argument(
        "--orders", default="1,2,4,8,65536/1", help="RUN or RUN/OPEN; 1 comes first"
    )
    parser.add_argument("--set", default="{}", help="settings that differ, as JSON")
    parser.add_argument("--records", type=Path, default=Path(".cache/shuffle.jsonl"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    settings = SETTINGS | json.loads(arguments.set)
    orders = arguments.orders.split(",")
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    arguments.records.parent.mkdir(parents=True, exist_ok=True)
    with open_dataset(arguments.data) as dataset:
        facts = {"dataset": [one.manifest.identifier for one in dataset.sources], **settings}
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
        known = {(one["seed"], one["order"]): one for one in read(arguments.records, key)}
        for seed, order in itertools.product(seeds, orders):
            if (seed, order) not in known:
                record = {"key": key, **trained(dataset, seed, order, settings)}
                known[seed, order] = record
                with arguments.records.open("a") as file:
                    file.write(json.dumps(record) + "\n")
    say(f"{key}: {json.dumps(facts)}")
    for order in orders:
        say(f"{order:8s} {row(known, seeds, order)}")


def read(path: Path, key: str) -> Iterator[Record]:
    """Yield the records of these settings; a line that a kill cut short is no record."""
    for line in path.read_text().splitlines() if path.exists() else []:
        if line.endswith("}") and (record := json.loads(line))["key"] == key:
            yield record


def sampler_of(index: WindowIndex, seed: int, order: str, settings: Mapping[str, Any]) -> Sampler:
    """Return the order RUN; or RUN/OPEN, which opens fewer runs at once than `data.run` does."""
    run, _, pool = order.partition("/")
    sampler = Sampler(index, seed, settings["global_batch"], Data(**settings["data"], run=int(run)))
    if pool:
        sampler._orders = Orders(index.counts, index.content_ids, seed, int(run), int(pool))
    return sampler


def trained(dataset: Dataset, seed: int, order: str, settings: Mapping[str, Any]) -> Record:
    """Train once; return the losses."""
    begun = time.process_time()
    data = Data(**settings["data"])
    index = dataset.windows(Split.train, data)
    sampler = sampler_of(index, seed, order, settings)
    torch.manual_seed(seed)
    model = Perceptron(data.context, data.horizon, settings["width"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings["learning_rate"])
    steps = settings["steps"]
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: shape(step, steps))
    seen = []
    for step in range(steps):
        loss = loss_of(model, index, sampler.batch(step))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        rate.step()
        seen.append(loss.item())
    held_out = dataset.windows(Split.held_out_time, data)
    return {
        "seed": seed,
        "order": order,
        "loss": mean_loss(model, index, settings["sample"]),
        "held_out": mean_loss(model, held_out, settings["sample"]),
        "last_quarter": statistics.fmean(seen[-steps // 4 :]),
        "cpu_s": round(time.process_time() - begun, 2),
    }


def shape(step: int, steps: int) -> float:
    """Return the learning rate's share of its height: a tenth to rise, then half a cosine to nothing."""
    rise = steps // 10
    if step < rise:
        return (step + 1) / rise
    return (1 + math.cos(math.pi * (step - rise) / (steps - rise))) / 2


def loss_of(model: torch.nn.Module, index: WindowIndex, pairs: np.ndarray) -> torch.Tensor:
    """Return the model's loss over windows."""
    batch = index.gather(pairs)
    found: torch.Tensor = model(torch.from_numpy(batch.context), torch.from_numpy(batch.target))
    return found


def mean_loss(model: torch.nn.Module, index: WindowIndex, sample: int) -> float:
    """Return the loss over a sample of windows that is the same for every training."""
    fixed = Sampler(index, 10**9, 64, Data(run=1))
    with torch.no_grad():
        losses = [loss_of(model, index, fixed.batch(at)).item() for at in range(sample // 64)]
    return statistics.fmean(losses)


def row(known: Mapping[tuple[int, str], Record], seeds: Sequence[int], order: str) -> str:
    """Return the comparison of one order with run length 1, pair by pair."""
    own = [known[seed, order]["loss"] for seed in seeds]
    full = [known[seed, "1"]["loss"] for seed in seeds]
    text = f"loss {statistics.fmean(own):.4f} sd {statistics.pstdev(own):.4f}"
    if order == "1":
        return text
    mean, low, high = interval([a / b - 1 for a, b in zip(own, full, strict=True)])
    verdict = "alike" if max(-low, high) < BOUND else "worse" if low > BOUND else "not shown"
    held = [known[seed, order]["held_out"] / known[seed, "1"]["held_out"] - 1 for seed in seeds]
    return (
        f"{text}; {mean:+.2%} ({low:+.2%} to {high:+.2%}): {verdict}; "
        f"above {above(own, full):.2f}; held out {statistics.fmean(held):+.2%}"
    )


def interval(pairs: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean and its 90 % confidence interval: inside the bound is two one-sided tests at 5 %."""
    mean = statistics.fmean(pairs)
    half = T_95[len(pairs)] * statistics.stdev(pairs) / math.sqrt(len(pairs))
    return mean, mean - half, mean + half


def above(own: Sequence[float], full: Sequence[float]) -> float:
    """Return how often a loss of one order lies above one of the other: 0.5 where they are alike."""
    return statistics.fmean((a > b) + 0.5 * (a == b) for a in own for b in full)


def say(line: str) -> None:
    """Print: a benchmark is its own CLI."""
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
