"""Bodies of the options: what is wrong with their words, and those that are made of voxels."""

from __future__ import annotations

import numpy as np

from forgia_hpc.errors import Problem, nearest
from forgia_hpc.simulate.heat.case import Voxels
from forgia_hpc.simulate.heat.masks import stepped
from forgia_hpc.simulate.heat.words import GEOMETRIES, HeatOptions

_AXES = {"ring": 2, "cylinder": 2, "ball": 1}


def body_problems(options: HeatOptions) -> list[Problem]:
    """Return what is wrong with geometry, shape and times."""
    field = "solver.options"
    if options.geometry not in GEOMETRIES:
        fix = nearest(options.geometry, GEOMETRIES, f"there are {', '.join(GEOMETRIES)}")
        return [
            Problem(field=f"{field}.geometry", got=options.geometry, limit="no such body", fix=fix)
        ]
    problems = []
    axes = _AXES.get(options.geometry, len(options.lengths))
    if options.geometry != "voxels" and (len(options.shape) != axes or not 1 <= axes <= 3):
        limit = f"one number an axis of the {options.geometry} ({axes}; 1 to 3)"
        problems.append(Problem(field=f"{field}.shape", got=list(options.shape), limit=limit))
    if any(not isinstance(n, int) or n < 1 for n in options.shape):
        limit = "whole numbers of cells, at least 1"
        problems.append(Problem(field=f"{field}.shape", got=list(options.shape), limit=limit))
    if options.frames < 2:
        problems.append(Problem(field=f"{field}.frames", got=options.frames, limit="at least 2"))
    if not 0 < options.end_s < float("inf"):
        problems.append(Problem(field=f"{field}.end_s", got=options.end_s, limit="above 0 s"))
    return problems


def voxels_of(options: HeatOptions) -> Voxels | None:
    """Return the voxel body of the options, if they name one."""
    if options.geometry != "voxels":
        return None
    return stepped([(float(a), float(b)) for a, b in options.steps], options.spacing, options.bore)


def finer_voxels(body: Voxels, finer: int) -> Voxels:
    """Return the same body, each cell cut into smaller ones."""
    mask, shares = body.mask, body.shares
    for axis in range(mask.ndim):
        mask = np.repeat(mask, finer, axis=axis)
        shares = None if shares is None else np.repeat(shares, finer, axis=axis + 1)
    return Voxels(mask=mask, spacing=body.spacing / finer, shares=shares)
