"""What a surrogate was not, or could not be, judged on: said, so that no figure claims more than it holds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from forgia_hpc.data.fields.windows import FieldWindows
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.models.field_shape import FieldShape


def limits(judged: Sequence[FieldWindows], shape: FieldShape, left_out: int) -> list[str]:
    """Return sentences on windows with holes, trajectories too short, and inputs that were never varied."""
    said = []
    if left_out:
        many = "window is" if left_out == 1 else "windows are"
        said.append(
            f"{left_out} {many} not judged: at some step there is no number to compare with."
        )
    short, all_of = map(sum, zip(*(_short(windows) for windows in judged), strict=True))
    if short:
        said.append(
            f"{short} of {all_of} trajectories are too short for the longest rollout: not judged."
        )
    for name, trained, seen in _never_varied(judged, shape):
        said.append(
            f"{name} was {trained:g} in all of the training data, here {seen}: the model can't know what it does."
        )
    return said


def something(left: int, dataset: str) -> None:
    """Refuse to judge on nothing.

    Raises:
        InputError: no window is left.
    """
    if not left:
        limit = "has no window with a number to compare with at each of its steps"
        raise InputError(Problem(field="data.dataset", got=dataset, limit=limit))


def _short(windows: FieldWindows) -> tuple[int, int]:
    """Return how many trajectories have no window, and how many there are."""
    lengths = [
        len(source.index.times_of(row))
        for source in windows.sources
        for row in source.trajectories(windows.split)
    ]
    return sum(one < windows.cutting.span for one in lengths), len(lengths)


def _never_varied(
    judged: Sequence[FieldWindows], shape: FieldShape
) -> list[tuple[str, float, str]]:
    """Return (parameter, its value in training, those it has now) of each that never varied in training."""
    scales, found = shape.parameter_values, []
    rows = [
        source.index.parameters_of(row)
        for windows in judged
        for source in windows.sources
        for row in source.trajectories(windows.split)
    ]
    for at, name in enumerate(shape.parameters):
        now = np.array([row[at] for row in rows], np.float64)
        if scales.std[at] == 0 and not np.allclose(now, scales.mean[at], rtol=1e-5, atol=1e-30):
            low, high = f"{now.min():g}", f"{now.max():g}"
            found.append((name, scales.mean[at], low if low == high else f"{low} to {high}"))
    return found
