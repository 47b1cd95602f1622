"""What a steel becomes: shares and hardness of the solver against those grown along the twin's path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from forgia_hpc.data.fields.layout import Array
from forgia_hpc.simulate.admission import changes
from forgia_hpc.simulate.admission.audit import asked_of, released
from forgia_hpc.simulate.admission.probe import Floats, Probe, Trial, coarse, dense
from forgia_hpc.simulate.admission.properties import matter_near
from forgia_hpc.simulate.admission.reading import Asked
from forgia_hpc.simulate.admission.twin import Twin
from forgia_hpc.simulate.solvers import open_solver

_SHARES, _VICKERS = 0.02, 8.0
_FLUXED = ((0.01, 1.0), (0.002, 50.0))  # m and K/s of bars that lose a constant flux
_WARMER = 0.15  # of start over bath: where such a bar would end if its phases released nothing
_FALL = 300.0  # K that it falls at least: from less, phases release more than leaves
_BALANCE = 2e-3  # of the heat that left
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


def balances(probe: Probe) -> Iterator[Trial]:
    """Yield how far a bar of known flux is from its balance: what it lost is what left, less what phases released.

    Between walls of any other law the flow is known at frames only, and a heat that is lost can hide in that.
    """
    own = probe.words.options
    if not any(((own.get("phases") or {}).get("heat") or {}).values()):
        return
    first = probe.members.members[0].inputs
    asked = asked_of(own, open_solver(probe.words).schema(), first)
    start, bath = asked.initial, min(asked.ambients(), default=0.0)
    cold = bath + _WARMER * (start - bath)  # a material is known between bath and start
    if start - cold < _FALL:
        note = f"not asked: {start:g} °C is no start for austenite above {bath:g} °C"
        yield Trial(name="heat of phases", value=0.0, limit=0.0, note=note)
        return
    heat_of = matter_near(own["material"], bath, start + _FALL).heat_of
    whole = float(np.ptp(heat_of(np.array([cold, start]))))  # what phases release keeps it warmer
    for length, rate in _FLUXED:
        end = (start - cold) / rate
        flux = whole * length / end
        bar = {
            "material": own["material"], "phases": own["phases"], "geometry": "box", "shape": [2],
            "lengths": [length], "initial": start,
            "boundaries": {"x-": "symmetry", "x+": {"law": "flux", "into": -flux}},
            "end_s": end, "frames": 7,
            "backend": own.get("backend", "auto"), "device": own.get("device", "cpu"),
        }  # fmt: skip
        output = probe.alone(bar)
        twin = Twin(Asked(options=bar, inputs={}))
        volumes = twin.body.volumes
        numbers = {f"fields/{name}": values for name, values in output.fields.items()}
        flat = np.asarray(output.fields["temperature"], np.float64).reshape(len(output.times), -1)
        freed = np.asarray(released(numbers, twin))
        lost = heat_of(flat) @ volumes - freed
        left = flux * np.asarray(output.times)
        off = float(np.abs(lost - lost[0] + left).max() / left[-1])
        note = f"of the heat that left; phases released {freed[-1] / left[-1]:.2g}"
        yield Trial(name=f"heat of phases, {rate:g} K/s", value=off, limit=_BALANCE, note=note)


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
