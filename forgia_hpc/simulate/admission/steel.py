"""What a steel becomes: shares and hardness of the solver against those grown along the twin's path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from forgia_hpc.data.fields.layout import Array
from forgia_hpc.simulate.admission import changes
from forgia_hpc.simulate.admission.audit import asked_of
from forgia_hpc.simulate.admission.probe import Floats, Probe, Trial, coarse, dense
from forgia_hpc.simulate.admission.reading import Asked
from forgia_hpc.simulate.admission.twin import Twin
from forgia_hpc.simulate.solvers import open_solver

_SHARES, _VICKERS = 0.02, 8.0
_RATES = ((100.0, 6000.0), (1000.0, 900.0))  # W/(m2 K) at the end of a bar of 50 mm, and s


def phases(
    name: str, words: Any, fields: dict[str, Array], known: tuple[Floats, Floats]
) -> Iterator[Trial]:
    """Yield how far shares and hardness at the end are from those grown along the twin's path, in a few cells."""
    times, path = known
    cells = sorted({0, path.shape[1] // 3, path.shape[1] // 2, path.shape[1] - 1})
    shares = [changes.grown(words, times, path[:, one]) for one in cells]
    names = [part for part in shares[0] if part in fields]
    off = max(
        abs(float(np.asarray(fields[part][-1]).reshape(-1)[cell]) - one[part])
        for part in names
        for cell, one in zip(cells, shares, strict=True)
    )
    yield Trial(name=name, value=off, limit=_SHARES)
    if "hardness" in fields:
        got = np.asarray(fields["hardness"], np.float64).reshape(-1)
        hard = [
            abs(float(got[cell]) - changes.hardness(words, one))
            for cell, one in zip(cells, shares, strict=True)
        ]
        yield Trial(name=f"hardness, {name}", value=max(hard), limit=_VICKERS, note="Vickers")


def bars(probe: Probe) -> Iterator[Trial]:
    """Yield the same of bars that cool at other rates than the first member: a slow centre becomes bainite."""
    own = probe.words.options
    if not own.get("phases"):
        return
    options, _ = coarse(probe)
    first = probe.members.members[0].inputs
    asked = asked_of(own, open_solver(probe.words).schema(), first)
    for h, end in _RATES:
        cooled = {"law": "convection", "h": h, "ambient": min(asked.ambients())}
        bar = {
            **{key: options[key] for key in ("material", "phases")},
            "geometry": "box", "shape": [4], "lengths": [0.05],
            "initial": asked.initial, "boundaries": {"x-": "symmetry", "x+": cooled}, "end_s": end, "frames": 7,
            "cfl": 0.2, "backend": own.get("backend", "auto"), "device": own.get("device", "cpu"),
        }  # fmt: skip
        output = probe.alone(bar)
        points = dense(np.asarray(output.times))
        path = Twin(Asked(options=bar, inputs={})).solved(points)
        yield from phases(f"phases, h {h:g}", own["phases"], dict(output.fields), (points, path))
