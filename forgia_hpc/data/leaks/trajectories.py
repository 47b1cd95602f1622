"""Simulated trajectories that are copies of each other: the same field again, scaled, turned over, with noise.

Members of a smooth ensemble are alike without being copies. So a pair that is alike is judged by what is left when
one is taken off the other: nothing, or noise in which neighbours are independent. What is left of two
honest members is as smooth as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.fields.opened import OpenFields
from forgia_hpc.data.fields.reader import FieldDataset
from forgia_hpc.data.layout import Split
from forgia_hpc.data.leaks.landmarks import Doubles, Floats
from forgia_hpc.data.leaks.pool import compared

CELLS = 8  # means along each axis of a trajectory, for the first look
ALIKE = 0.8  # correlation of the means
NEAREST = 4  # of each trajectory that are laid on it
NOTHING = 1e-6  # of the power: rounding and quantisation
WHITE = 0.3  # correlation of neighbours in noise, at most
Document = dict[str, Any]
Laid = dict[tuple[int, int], tuple[float, float]]  # pair: correlation and scale


@dataclass(frozen=True)
class Run:
    """One field of one trajectory."""

    source: OpenFields
    row: int
    field: int
    split: Split

    @property
    def side(self) -> tuple[str, bool]:
        """Contributor, and whether it is held out."""
        return self.source.manifest.contributor, self.split is not Split.train

    def values(self) -> Doubles:
        """Return ([step,] *grid, *component), gaps as the mean of the rest."""
        found = np.asarray(self.source.exact(self.field, self.row), np.float64)
        gaps = np.isnan(found)
        return np.where(gaps, found[~gaps].mean() if (~gaps).any() else 0.0, found)

    def told(self) -> Document:
        """Return which it is, in words."""
        manifest, index = self.source.manifest, self.source.index
        return {
            "contribution": manifest.name,
            "contributor": manifest.contributor,
            "split": self.split.value,
            "member": bytes(index.trajectories["member"][self.row]).decode(),
        }


def copied_trajectories(dataset: FieldDataset, between: str) -> list[Document]:
    """Return the pairs of trajectories that are copies of each other, with what of them agrees."""
    found = []
    for (name, _), runs in sorted(_alike_in_shape(dataset).items()):
        laid = {
            (a, b): compare(runs[a].values(), runs[b].values())
            for a, b in _candidates(runs, between)
        }
        for (a, b), (correlation, scale) in _closest(runs, laid).items():
            pair = {"a": runs[a].told(), "b": runs[b].told(), "field": name}
            said = {"correlation": round(correlation, 4), "scale": float(f"{scale:.4g}")}
            found.append(pair | said)
    return found


def _closest(runs: list[Run], laid: Laid) -> Laid:
    """Return the pairs that are each other's closest: under noise a copy is as like to its source's neighbours.

    A held-out trajectory's own closest in training counts, whatever else that one was copied to.
    """
    best: dict[int, float] = {}
    for pair, (correlation, _) in laid.items():
        for one in pair:
            best[one] = max(best.get(one, 0.0), abs(correlation))
    found = {}
    for pair, (correlation, scale) in laid.items():
        held_out = [one for one in pair if runs[one].side[1]]
        owners = held_out if len(held_out) == 1 else pair
        if correlation and all(abs(correlation) >= best[one] - NOTHING for one in owners):
            found[pair] = (correlation, scale)
    return found


def contaminated_trajectories(dataset: FieldDataset, pairs: list[Document]) -> list[Document]:
    """Return what share of each held-out split's trajectories has a copy in whose training data."""
    copied: dict[tuple[str, str, str], set[str]] = {}
    for pair in pairs:
        for mine, its in ((pair["a"], pair["b"]), (pair["b"], pair["a"])):
            if mine["split"] != Split.train.value and its["split"] == Split.train.value:
                key = (mine["contribution"], mine["split"], its["contribution"])
                copied.setdefault(key, set()).add(mine["member"])
    sizes = {
        (source.manifest.name, split.value): len(source.trajectories(split))
        for source in dataset.sources
        for split in Split
    }
    return [
        {"contribution": name, "split": split, "by": by, "share": len(who) / sizes[name, split]}
        for (name, split, by), who in sorted(copied.items())
    ]


def _alike_in_shape(dataset: FieldDataset) -> dict[tuple[str, tuple[int, ...]], list[Run]]:
    """Return what can be laid on each other: fields of one name and shape."""
    found: dict[tuple[str, tuple[int, ...]], list[Run]] = {}
    for source in dataset.sources:
        fields = source.schema.fields
        for shard in sorted(source.granted):
            steps = int(source.index.shards["steps"][shard])
            for number, one in enumerate(fields):
                if not one.per_trajectory or one.mask:
                    continue
                key = (one.name, one.shape(source.schema.grid, steps))
                split = source.index.split_of(shard)
                found.setdefault(key, []).extend(
                    Run(source, row, number, split) for row in source.index.rows_of(shard)
                )
    return found


def _candidates(runs: list[Run], between: str) -> Iterator[tuple[int, int]]:
    """Yield the pairs worth a look: of each trajectory the nearest that may be compared."""
    sketches = np.stack([_sketch(run.values()) for run in runs])
    sides = sorted({run.side for run in runs})
    side = np.array([sides.index(run.side) for run in runs])
    allowed = np.array([[compared(between, one, other) for other in sides] for one in sides])
    seen = set()
    for first in range(0, len(runs), 1024):
        like = np.abs(sketches[first : first + 1024] @ sketches.T)
        like[~allowed[side[first : first + 1024]][:, side]] = 0.0
        for at, row in enumerate(like, first):
            row[at] = 0.0
            for other in np.argsort(-row)[:NEAREST].tolist():
                pair = (min(at, other), max(at, other))
                if row[other] >= ALIKE and pair not in seen:
                    seen.add(pair)
                    yield pair


def _sketch(values: Doubles) -> Floats:
    """Return means of at most CELLS parts of each axis, of mean 0 and size 1."""
    for axis, size in enumerate(values.shape):
        if size > CELLS:
            edges = np.linspace(0, size, CELLS + 1).astype(np.int64)
            shape = [-1 if n == axis else 1 for n in range(values.ndim)]
            values = np.add.reduceat(values, edges[:-1], axis) / np.diff(edges).reshape(shape)
    found = values.ravel() - values.mean()
    size = float(np.sqrt(found @ found))
    sketch: Floats = (found / size if size > 0 else found).astype(np.float32)
    return sketch


def compare(a: Doubles, b: Doubles) -> tuple[float, float]:
    """Return correlation and scale of a copy; zeros where it is none."""
    a, b = a - a.mean(), b - b.mean()
    power, other, both = float((a * a).sum()), float((b * b).sum()), float((a * b).sum())
    if min(power, other) <= 0:
        return 0.0, 0.0
    correlation, scale = both / np.sqrt(power * other), both / power
    rest = b - scale * a
    left = float((rest * rest).sum()) / other
    if abs(correlation) < ALIKE or (left > NOTHING and _neighbours(rest) > WHITE):
        return 0.0, 0.0
    return float(correlation), float(scale)


def _neighbours(rest: NDArray[np.float64]) -> float:
    """Return the greatest correlation of neighbours along any axis."""
    power = float((rest * rest).mean())
    found = []
    for axis, size in enumerate(rest.shape):
        if size > 3:
            turned = np.moveaxis(rest, axis, 0)
            found.append(float((turned[1:] * turned[:-1]).mean()) / power)
    return max(map(abs, found), default=1.0)
