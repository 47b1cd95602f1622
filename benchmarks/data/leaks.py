"""How many planted copies the leak watch finds, how many pairs it invents, and how fast it is.

    python benchmarks/data/leaks.py --sealed DATA [--pairs 500] [--steps 1024] [--json FILE]

Series: machine_temperature, refinery, steel_energy, tennessee_eastman and turbofan as sealed in DATA, as far as
they are longer than `steps`, and generated ones of four kinds (white noise; slow wandering of two speeds;
a random walk). One contributor has
stretches of `steps` steps of another's, distorted: shifted (all), scaled by 0.1 to 10 and turned over,
resampled by 0.5 to 2, noise of 10 dB; alone and together. Found: a match between the two series that
overlaps the planted stretch. Invented: a match between any two series of which none was planted;
`relatives` are matches of a planted copy with another channel of the plant that it came from, such as
redundant tags. Provable: what the proof accepts when it is told where the copy lies. CPU time of one process; MB
are those of float32.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from forgia_hpc.data.leaks.align import Curve, Overlay, proven
from forgia_hpc.data.leaks.confirm import ALARMS, FINER, Match, places_of
from forgia_hpc.data.leaks.landmarks import Floats, scales
from forgia_hpc.data.leaks.pool import Pool
from forgia_hpc.data.leaks.search import plan_for, search, sketches
from forgia_hpc.data.leaks.series import normal
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


def distorted(rng: np.random.Generator, values: Floats, way: str) -> Floats:
    """Return a copy at another rate, with noise, or scaled."""
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
    return copy


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
    sys.stdout.write(json.dumps(told, indent=1) + "\n")
    if asked.json:
        asked.json.write_text(json.dumps(told, indent=1) + "\n")


@dataclass
class Planted:
    """Two contributors' series, and what of the first was put into the second."""

    mine: list[Floats]
    theirs: list[Floats]
    kinds: list[str]
    truth: dict[int, tuple[str, Overlay]]  # number of the pair: how distorted, where it lies


def plant(asked: argparse.Namespace) -> Planted:
    """Make the series of both."""
    rng = np.random.default_rng(asked.seed)
    known = real(asked.sealed, asked.steps)
    made = Planted([values for _, values in known], [], [name for name, _ in known], {})
    for number in range(max(asked.pairs - len(made.mine), 0) + asked.unplanted // 2):
        name = list(KINDS)[number % len(KINDS)]
        made.mine.append(generated(rng, KINDS[name], int(asked.steps * rng.uniform(1.5, 2.5))))
        made.kinds.append(name)
    count = len(made.mine)
    chosen = rng.permutation(asked.pairs + asked.unplanted // 4)[: asked.pairs] % count
    planted = set(chosen.tolist())
    for number in range(count):
        keep = list(KINDS.values())[number % len(KINDS)]
        host = generated(rng, keep, int(asked.steps * 2.6))
        if number in planted:
            host = _hidden(rng, made, number, host, asked.steps)
        made.theirs.append(host)
    return made


def _hidden(
    rng: np.random.Generator, made: Planted, number: int, host: Floats, steps: int
) -> Floats:
    """Return the host with a distorted stretch of series `number` in it, unless that does not vary."""
    way = WAYS[number % len(WAYS)]
    source = made.mine[number]
    first = int(rng.integers(0, len(source) - steps))
    stretch = source[first : first + steps]
    if stretch.std() <= 1e-6 * max(abs(float(stretch.mean())), 1e-12):
        return host
    copy = distorted(rng, stretch, way)
    at = int(rng.integers(0, len(host) - len(copy)))
    host = host * (copy.std() / host.std()) + copy.mean()
    host[at : at + len(copy)] = copy
    made.truth[number] = (way, Overlay(first, first + steps, len(copy) / steps, at))
    return host


def judged(made: Planted, matches: Sequence[Match]) -> tuple[set[int], list[Any], int]:
    """Return the pairs found, the matches invented, and how many are relatives of a planted copy."""
    hit: set[int] = set()
    invented = []
    relatives = 0
    for match in matches:
        a, b, laid = match.one, match.other - len(made.mine), match.overlay
        if a == b and a in made.truth:
            true = made.truth[a][1]
            if laid.begin < true.end and laid.end > true.begin:
                hit.add(a)
                continue
        mine, theirs = made.kinds[a], made.kinds[b]
        if mine == theirs and mine not in KINDS and b in made.truth:
            relatives += 1  # another tag of the same plant, which the planted one follows
            continue
        told = (round(match.log_expected, 1), round(laid.correlation, 3))
        invented.append((mine, theirs, *told))
    return hit, invented, relatives


def provable(made: Planted, limit: float) -> set[int]:
    """Return the pairs that the proof accepts, told where the copies lie."""
    found = set()
    for number, (_, true) in made.truth.items():
        sides = [_curves(one[number]) for one in (made.mine, made.theirs)]
        levels = list(zip(*sides, strict=False))[: FINER + 1][::-1]
        _, proof = proven(levels, true.moved(true.begin + 4, true.end - 4))
        if proof.holds(limit):
            found.add(number)
    return found


def _curves(values: Floats) -> list[Curve]:
    parts = scales(normal(values.astype(np.float32)))
    return [Curve(curve.copy(), 0.0, float(1 << octave)) for octave, curve in parts]


def run(asked: argparse.Namespace) -> dict[str, Any]:
    """Plant, search, count."""
    made = plant(asked)
    truth = made.truth
    source = Held(made.mine + made.theirs)
    side = np.repeat([0, 1], [len(made.mine), len(made.theirs)])
    comparable = np.array([[False, True], [True, False]])
    began = time.process_time()
    plan = plan_for(int(source.steps.sum()))
    sketches(source, plan.pieces, plan.most, lambda *_: None)
    sketched = time.process_time() - began
    began = time.process_time()
    found = search(source, side, comparable)
    whole = time.process_time() - began
    hit, invented, relatives = judged(made, found.matches)
    told = provable(made, math.log(ALARMS) - places_of(found.keys))
    megabytes = found.values * 4 / 1e6
    by = {
        word: [
            sum(1 for n in truth if pick(n) == word and n in hit),
            sum(1 for n in truth if pick(n) == word and n in told),
            sum(1 for n in truth if pick(n) == word),
        ]
        for pick in (lambda n: truth[n][0], lambda n: made.kinds[n])
        for word in sorted({pick(n) for n in truth})
    }
    return {
        "planted": len(truth),
        "series": len(source.steps),
        "found": len(hit),
        "provable": len(told),
        "found_of_provable": len(hit & told),
        "recall": round(len(hit) / len(truth), 4),
        "invented": len(invented),
        "relatives": relatives,
        "precision": round(len(hit) / max(len(hit) + len(invented), 1), 4),
        "found_provable_planted_by_kind": by,
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
