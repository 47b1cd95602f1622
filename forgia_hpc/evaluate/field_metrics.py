"""How good a rollout of fields is, in numpy and float64. Formulas and sources: docs/surrogate.md.

Everywhere: truth and predicted (step, channel, *grid), counts (*grid): what each cell counts for, its volume or
True, and 0 or False outside. What is not a number in the truth does not count either.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.fields.layout import Grid

Array = NDArray[np.float64]
Inside = NDArray[np.bool_]
Counts = Array | Inside
EPSILON = 1e-7  # of the_well.benchmark.metrics: a field that is one number all over has no variance
BANDS = ("low", "middle", "high")
_TURNS = {("cylindrical", ("z", "r")): 2, ("spherical", ("r",)): 3}  # power of r in a cell's volume


def vrmse(truth: Array, predicted: Array, counts: Counts) -> Array:
    """Return (step, channel): RMS error over the deviation of the truth in space.

    Source: Ohana et al., "The Well" (arXiv 2412.00568), section 4; as the_well.benchmark.metrics computes it:
    the variance is the unbiased one, plus 1e-7 in squared units of the field.
    """
    weights = _weights(truth, counts)
    cells = (weights > 0).sum(tuple(range(2, truth.ndim)))
    mean = _mean(truth, weights)
    off = truth - mean.reshape(*mean.shape, *(1,) * counts.ndim)
    variance = _mean(off**2, weights) * cells / np.maximum(cells - 1, 1)
    found: Array = np.sqrt(_mean((predicted - truth) ** 2, weights) / (variance + EPSILON))
    return found


def rmse(truth: Array, predicted: Array, counts: Counts) -> Array:
    """Return (step, channel): RMS error, in units of the field."""
    found: Array = np.sqrt(_mean((predicted - truth) ** 2, _weights(truth, counts)))
    return found


def drift(truth: Array, predicted: Array, counts: Counts, deviation: Array) -> Array:
    """Return (step, channel): how far the mean over the body is from the truth's, in deviations (channel,).

    Where the truth keeps a quantity, this is what the rollout has lost or won of it.
    """
    found: Array = np.abs(_mean(predicted - truth, _weights(truth, counts))) / deviation
    return found


def band_errors(truth: Array, predicted: Array, counts: Counts, rings: Inside) -> Array:
    """Return (step, channel, band): error over truth, each as the root of its energy at long, middle, short waves.

    The bands are The Well's: three, logarithmic from one wave across the grid to two cells. An axis that is not
    periodic (rings (axis,)) is mirrored first, or its ends would count as a jump. All cells inside count alike.
    NaN where the truth is one number all over: it has no waves to compare with.
    """
    known = np.isfinite(truth) & (counts > 0)
    found_mean = _mean(truth, known)
    mean = found_mean.reshape(*found_mean.shape, *(1,) * counts.ndim)
    error = np.where(known, predicted - truth, 0.0)
    shape = np.where(known, truth - mean, 0.0)
    number = _bands(counts.shape, rings)
    wrong, right = (_energies(each, number, rings) for each in (error, shape))
    whole = right.sum(-1, keepdims=True)
    there = whole > np.finfo(np.float64).tiny
    found: Array = np.sqrt(wrong / np.where(there, right + 1e-10 * whole, np.nan))
    return found


def volumes(grid: Grid) -> Array:
    """Return (*grid): what each cell counts for.

    Its volume over the mean one's where the grid turns about an axis or a centre; else 1, as The Well counts.
    """
    power = _TURNS.get((grid.kind, grid.names), 1)
    if power == 1:
        return np.ones(grid.shape)
    points = np.asarray(grid.axes[-1].coordinates, np.float64)
    between = (points[1:] + points[:-1]) / 2
    edges = np.array([2 * points[0] - between[0], *between, 2 * points[-1] - between[-1]])
    shells = np.diff(np.maximum(edges, 0.0) ** power)
    found: Array = np.broadcast_to(shells / shells.mean(), grid.shape).copy()
    return found


def _energies(values: Array, number: NDArray[np.int64], rings: Inside) -> Array:
    """Return (step, channel, band): energy of (step, channel, *grid) by the band of each wave."""
    axes = range(-len(rings), 0)
    for axis, ring in zip(axes, rings, strict=True):
        if not ring:
            values = np.concatenate([values, np.flip(values, axis)], axis)
    power = np.abs(np.fft.fftn(values, axes=tuple(axes))) ** 2
    flat = power.reshape(*values.shape[:2], -1)
    parts = [flat[..., number == band].sum(-1) for band in range(len(BANDS))]
    found: Array = np.stack(parts, -1) / flat.shape[-1]
    return found


def _bands(grid: tuple[int, ...], rings: Inside) -> NDArray[np.int64]:
    """Return the band of each wave of the (mirrored) grid, flat; beyond two cells a wave: none (3)."""
    sizes = [size if ring else 2 * size for size, ring in zip(grid, rings, strict=True)]
    waves = np.meshgrid(*(2 * np.pi * np.fft.fftfreq(size) for size in sizes), indexing="ij")
    edges = np.geomspace(2 * np.pi / max(grid), np.pi, len(BANDS) + 1)[1:]
    edges[-1] *= 1 + 1e-9
    found: NDArray[np.int64] = np.searchsorted(
        edges, np.sqrt(sum(wave**2 for wave in waves)), side="right"
    ).ravel()
    return found


def _weights(truth: Array, counts: Counts) -> Array:
    """Return (step, channel, *grid): what each cell counts for, 0 where the truth is no number."""
    found: Array = np.where(np.isfinite(truth), counts, 0.0)
    return found


def _mean(values: Array, weights: Counts) -> Array:
    """Return the weighted mean over space, (step, channel); 0 where nothing counts."""
    axes = tuple(range(2, values.ndim))
    whole = np.asarray(weights.sum(axes), np.float64)
    kept = np.where(weights > 0, values, 0.0) * weights
    found: Array = kept.sum(axes) / np.where(whole > 0, whole, 1.0)
    return found
