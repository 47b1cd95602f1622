"""How many planted copies the leak watch finds, how many pairs it invents, and how fast it is.

    python benchmarks/data/leaks.py --sealed DATA [--pairs 500] [--steps 1024] [--json FILE]

Series: machine_temperature, refinery, steel_energy, tennessee_eastman and turbofan as sealed in DATA, as far as
they are longer than `steps`, and generated ones of four kinds (white noise; slow wandering of two speeds;
a random walk). One contributor has
stretches of `steps` steps of another's, distorted: shifted (all), scaled by 0.1 to 10 and turned over,
resampled by 0.5 to 2, noise of 10 dB; alone and together. Found: a match between the two series that
overlaps the planted stretch. Invented: a match between any two series of which none was planted;
`relatives` are matches of a planted copy with another channel of the plant that it came from, such as
redundant tags. CPU time of one process; MB are those of float32.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from forgia_hpc.data.leaks.landmarks import Floats
from forgia_hpc.data.leaks.pool import Pool
from forgia_hpc.data.leaks.search import plan_for, search, sketches
from forgia_hpc.data.reader import open_dataset

WAYS = ("shift", "scale", "resample", "noise", "all")
KINDS = {"white": 0.0, "wander 0.9": 0.9, "wander 0.99": 0.99, "walk": 1.0}


class Held:
    """Series in memory."""

    def __init__(self, series: list[Floats]) -> None:
        self.series = [one.astype(np.float32) for one in series]
        self.steps = np.array([len(one) for one in series], np.int64)

    def read_part(self, series: int, first: int, length: int) -> Floats:
        """Return a part of one."""
        return self.series[series][first : first + length]


def generated(rng: np.random.Generator, keep: float, steps: int) -> Floats:
    """Return a wandering signal."""
    found = rng.normal(size=steps)
    for step in range(1, steps):
        found[step] += keep * found[step - 1]
    return found


def distorted(rng: np.random.Generator, values: Floats, way: str) -> tuple[Floats, float]:
    """Return a copy and its rate."""
    rate = float(2 ** rng.uniform(-1, 1)) if way in ("resample", "all") else 1.0
    source = values.astype(np.float64)
    if rate < 1:
        wide = np.pad(source, 64, mode="edge")
        waves = np.fft.rfft(wide)
        waves[np.fft.rfftfreq(len(wide)) > rate / 2] = 0
        source = np.fft.irfft(waves, len(wide))[64:-64]
    copy = np.interp(np.arange(int(len(source) * rate)) / rate, np.arange(len(source)), source)
    if way in ("noise", "all"):
        copy += rng.normal(0, copy.std() * 10**-0.5, len(copy))
    if way in ("scale", "all"):
        copy *= rng.choice([-1, 1]) * 10 ** rng.uniform(-1, 1)
    return copy, rate


def real(sealed: Path, steps: int) -> list[tuple[str, Floats]]:
    """Return real series long enough, with enough different values to be told from others."""
    found = []
    for name in (
        "machine_temperature",
        "refinery",
        "steel_energy",
        "tennessee_eastman",
        "turbofan",
    ):
        with open_dataset(sealed / name) as dataset:
            pool = Pool(dataset)
            for number, length in enumerate(pool.steps.tolist()):
                values = pool.read_part(number, 0, length)
                if length > steps + 64 and np.isfinite(values).all() and values.std() > 0:
                    found.append((name, values))
    return found


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sealed", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--unplanted", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=1024)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    told = run(asked)
    print(json.dumps(told, indent=1))  # noqa: T201 - a benchmark says its figures
    if asked.json:
        asked.json.write_text(json.dumps(told, indent=1) + "\n")


def run(asked: argparse.Namespace) -> dict[str, Any]:  # noqa: PLR0915 - one straight story
    """Plant, search, count."""
    rng = np.random.default_rng(asked.seed)
    known = real(asked.sealed, asked.steps)
    mine: list[Floats] = [values for _, values in known]
    kinds = [name for name, _ in known]
    for number in range(max(asked.pairs - len(mine), 0) + asked.unplanted // 2):
        name = list(KINDS)[number % len(KINDS)]
        mine.append(generated(rng, KINDS[name], int(asked.steps * rng.uniform(1.5, 2.5))))
        kinds.append(name)
    theirs: list[Floats] = []
    truth: dict[int, tuple[str, int, float]] = {}
    planted = rng.permutation(asked.pairs + asked.unplanted // 4)[: asked.pairs] % len(mine)
    for number in range(len(mine)):
        keep = list(KINDS.values())[number % len(KINDS)]
        host = generated(rng, keep, int(asked.steps * 2.6))
        if number in set(planted.tolist()):
            way = WAYS[number % len(WAYS)]
            first = int(rng.integers(0, len(mine[number]) - asked.steps))
            stretch = mine[number][first : first + asked.steps]
            if stretch.std() > 1e-6 * max(abs(float(stretch.mean())), 1e-12):
                copy, rate = distorted(rng, stretch, way)
                at = int(rng.integers(0, len(host) - len(copy)))
                size = copy.std() / host.std()
                host = host * size + copy.mean()
                host[at : at + len(copy)] = copy
                truth[number] = (way, first, rate)
        theirs.append(host)
    source = Held(mine + theirs)
    side = np.repeat([0, 1], [len(mine), len(theirs)])
    comparable = np.array([[False, True], [True, False]])
    began = time.process_time()
    plan = plan_for(int(source.steps.sum()))
    sketches(source, plan.pieces, plan.most, lambda *_: None)
    sketched = time.process_time() - began
    began = time.process_time()
    found = search(source, side, comparable)
    whole = time.process_time() - began
    hit: set[int] = set()
    invented = []
    relatives = 0
    for match in found.matches:
        a, b = match.one, match.other - len(mine)
        laid = match.overlay
        if a == b and a in truth:
            first = truth[a][1]
            if laid.begin < first + asked.steps and laid.end > first:
                hit.add(a)
                continue
        if kinds[a] == kinds[b] and kinds[a] not in KINDS and b in truth:
            relatives += 1  # another tag of the same plant, which the planted one follows
            continue
        invented.append(
            (kinds[a], kinds[b], round(match.log_expected, 1), round(laid.correlation, 3))
        )
    megabytes = found.values * 4 / 1e6
    by = {
        word: [
            sum(1 for n in truth if pick(n) == word and n in hit),
            sum(1 for n in truth if pick(n) == word),
        ]
        for pick in (lambda n: truth[n][0], lambda n: kinds[n])
        for word in sorted({pick(n) for n in truth})
    }
    return {
        "planted": len(truth),
        "series": len(source.steps),
        "found": len(hit),
        "recall": round(len(hit) / len(truth), 4),
        "invented": len(invented),
        "relatives": relatives,
        "precision": round(len(hit) / max(len(hit) + len(invented), 1), 4),
        "found_of_planted_by_kind": by,
        "invented_examples": invented[:8],
        "megabytes": round(megabytes, 1),
        "sketch_mb_per_cpu_s": round(megabytes / sketched, 2),
        "whole_mb_per_cpu_s": round(megabytes / whole, 2),
        "cpu_s": round(whole, 1),
        "key_megabytes": round(found.key_bytes / 1e6, 1),
        "pairs_untried": found.untried,
    }


if __name__ == "__main__":
    main()
