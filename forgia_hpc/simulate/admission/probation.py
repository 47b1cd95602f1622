"""Before the first member: does the sealed code, on this machine, with these options, do what it says?

Verification cases with the campaign's backend; the words' units; and the campaign's own first member on a coarse
mesh, solved by the sealed solver and by a twin that shares no code with it. A fault ends the campaign.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.fields.layout import Array, Schema
from forgia_hpc.errors import InputError, StoppedError
from forgia_hpc.simulate.admission.probe import Probe, Trial, coarse, dense, refusal
from forgia_hpc.simulate.admission.reading import Asked, UnreadError, convert, kind_of, plain
from forgia_hpc.simulate.admission.steel import balances, bars, phases
from forgia_hpc.simulate.admission.told import CASES
from forgia_hpc.simulate.admission.twin import Twin
from forgia_hpc.simulate.member import MemberError
from forgia_hpc.simulate.members import Members
from forgia_hpc.simulate.units import value_in

Floats = NDArray[np.float64]
_SLOPING = {
    "density": 5000.0,
    "conductivity": [[0, 15], [450, 60], [900, 30]],
    "specific_heat": 600.0,
    "range": [0, 900],
}
_ORDER = 0.1  # as V20 allows
_MADE = 6e-4  # relative error of V20's solution on 8 x 8 cells, where a right solver has 3.3e-4
_PARTS = {
    1: (4, 8),
    2: (2, 4),
}  # of a step, by the scheme's order in time: two, to take its error off
_FEW = 4  # members: of fewer a half of a range may be empty
_CFL = 4.0  # of a probe's implicit steps, at most
_CLOSE = 2e-3  # of the range: what twin and solver differ by where both are right is 2e-4 to 9e-4


def tried(probe: Probe, written: dict[str, Any]) -> list[Trial]:
    """Return all trials; every rank of the group calls it, the first one has the figures."""
    found = [*_units(), *_inputs(probe.members, written)]
    try:
        found += _against_twin(probe)
        found += [*bars(probe), *balances(probe), _sloping(probe)] if probe.ranks.rank == 0 else []
    except (UnreadError, InputError) as error:
        found.append(Trial(name="twin", value=0.0, limit=0.0, note=f"not asked: {error}"))
    except (MemberError, StoppedError) as error:
        found.append(Trial(name="twin", value=np.inf, limit=0.0, note=str(error)))
    if probe.ranks.rank == 0 and not refusal(found):
        found += _cases(probe.words.options)
    return found


def _units() -> Iterator[Trial]:
    """Yield conversions whose results are known by heart."""
    known = (
        ("32 [degF]", "Cel", 0.0), ("20 Cel", "K", 293.15), ("1073.15 K", "Cel", 800.0), ("40 mm", "m", 0.04),
        ("1.5 kW/(m2.K)", "W/(m2.K)", 1500.0), ("2 kW/m2", "W/m2", 2000.0), ("50 %", "1", 0.5),
    )  # fmt: skip
    for written, unit, right in known:
        off = abs(value_in(written, unit, "probation") - right)
        yield Trial(name=f"{written} in {unit}", value=off, limit=1e-9 * (1.0 + abs(right)))


def _inputs(members: Members, written: dict[str, Any]) -> Iterator[Trial]:
    """Yield how far members' inputs lie outside of what the ensemble's words ask for, as a share of the range."""
    units = {one.name: one.ucum for one in members.inputs}
    for name, words in written.items():
        try:
            kind = kind_of(units[name])
            given = [convert(float(one.inputs[name]), units[name], kind) for one in members.members]
            low, high = _ends(words, kind)
        except UnreadError as error:
            yield Trial(name=f"input {name}", value=0.0, limit=0.0, note=f"not asked: {error}")
            continue
        span = max(high - low, abs(high), 1e-12)
        out = max(low - min(given), max(given) - high, 0.0) / span
        yield Trial(name=f"input {name}", value=out, limit=1e-6)
        yield from filled(members, name, words, (low, high, kind))


def filled(
    members: Members, name: str, words: Any, ends: tuple[float, float, str]
) -> Iterator[Trial]:
    """Yield how empty the emptier half of a range is, on its scale: a design of points fills both.

    Sobol's points come in pairs, one in each half; a Latin hypercube has one in each n-th. So a half holds
    at least half of the members but one; a quarter is asked.
    """
    low, high, kind = ends
    design = members.design
    drawn = design.get("method") in ("sobol", "lhs") and not design.get("constraints")
    first = [one for one in members.members if one.level == 0]
    if not drawn or len(first) < _FEW or not isinstance(words, dict) or "values" in words:
        return
    if high - low <= 1e-6 * abs(high):  # drawn values are rounded
        return
    unit = next(one.ucum for one in members.inputs if one.name == name)
    given = np.array([convert(float(one.inputs[name]), unit, kind) for one in first])
    # a logarithm is one of the solver's unit: a °C and a K have other middles
    middle = 0.5 * (low + high)
    if words.get("scale") == "log":
        given = np.array([float(one.inputs[name]) for one in first])
        zero = convert(0.0, unit, kind)
        degree = convert(1.0, unit, kind) - zero
        middle = math.sqrt((low - zero) / degree * ((high - zero) / degree))
    below = float(np.mean(given < middle))
    note = "of the members in the emptier half of the range"
    yield Trial(
        name=f"input {name}, range", value=0.25 - min(below, 1 - below), limit=0.0, note=note
    )


def _ends(words: Any, kind: str) -> tuple[float, float]:
    ranged = isinstance(words, dict)
    several = (words.get("values") or [words["low"], words["high"]]) if ranged else [words]
    found = [plain(one, kind) for one in several]
    return min(found), max(found)


def _cases(options: dict[str, Any]) -> Iterator[Trial]:
    """Yield verification cases with the campaign's backend: of every figure its distance over what is allowed."""
    from forgia_hpc.simulate.verification import orders  # noqa: PLC0415
    from forgia_hpc.simulate.verification.figures import How  # noqa: PLC0415 - a second of SciPy
    from forgia_hpc.simulate.verification.suite import chosen, verify  # noqa: PLC0415

    how = How(backend=str(options.get("backend", "auto")), device=str(options.get("device", "cpu")))
    for outcome in verify(chosen(CASES), how):
        worst = max((abs(one.deviation) / one.tolerance for one in outcome.figures), default=np.inf)
        title = f"{outcome.case.name} {outcome.case.title}"
        value = worst if not outcome.broke else np.inf
        yield Trial(name=title, value=float(value), limit=1.0, note=outcome.broke)
    scheme = str(options.get("scheme", "explicit"))
    yield Trial(name="manufactured", value=orders.manufactured_error(scheme, how), limit=_MADE)
    off = abs(orders.time_order(scheme, how) - orders.DESIGN[scheme])
    yield Trial(name="order in time", value=off, limit=_ORDER, note=f"of V20, {scheme}")


def _sloping(probe: Probe) -> Trial:
    """Return how far solver and twin are apart where properties slope steeply between few rows of a table."""
    cooled = {"law": "convection", "h": 2000.0, "ambient": 50.0}
    own = probe.words.options
    bar = {
        "geometry": "box", "shape": [8], "lengths": [0.02], "boundaries": {"x-": "symmetry", "x+": cooled},
        "material": _SLOPING,
        "initial": 850.0, "end_s": 40.0, "frames": 5, "backend": own.get("backend", "auto"),
        "device": own.get("device", "cpu"), "dtype": own.get("dtype", "f64"),
    }  # fmt: skip
    runs = [probe.alone({**bar, "cfl": cfl}) for cfl in (0.2, 0.1)]
    twin = Twin(Asked(options=bar, inputs={}))
    best = 2.0 * _flat(runs[1].fields["temperature"], twin) - _flat(
        runs[0].fields["temperature"], twin
    )
    apart = float(np.abs(best - twin.solved(runs[0].times)).max() / 800.0)
    return Trial(name="sloping properties", value=apart, limit=_CLOSE)


def _against_twin(probe: Probe) -> list[Trial]:
    """Return how far solver and twin are apart on a coarse mesh, at both levels."""
    options, base = coarse(probe)
    scheme = 2 if options.get("scheme") == "implicit" else 1
    cfl = min(float(options.get("cfl", 0.9)), _CFL)
    steps = [{"cfl": cfl / part, "step_s": None} for part in _PARTS[scheme]]
    runs = [probe.solved({**options, **step}, 0) for step in steps]
    fine = probe.solved({**options, **base, **steps[1]}, 1) if base else None
    if probe.ranks.rank:
        return []
    fields, schema, asked, times = runs[1]
    twin = Twin(asked)
    points = dense(times)
    right = twin.solved(points)
    own = [_flat(one[0]["temperature"], twin) for one in runs]
    best = own[1] + (own[1] - own[0]) / (2**scheme - 1)
    at = np.searchsorted(points, times)
    span = max(float(np.ptp([asked.initial, *asked.ambients()])), float(np.ptp(right)), 1e-9)
    apart = float(np.abs(best - right[at]).max() / span)
    close = _CLOSE + (2e-3 if options.get("dtype") == "f32" else 0.0)
    found = [Trial(name="twin", value=apart, limit=close), *_axes(schema, twin)]
    if fine is not None:
        found.append(_finer(fine, (own[1], twin, span)))
    if options.get("phases"):
        own_cells = {name: _flat(values, twin) for name, values in fields.items()}
        found += phases("phases", options["phases"], own_cells, (points, right))
    return found


def _flat(values: Array, twin: Twin) -> Floats:
    """Return a field, of all steps or of one, as (step, cell) of the body: a mask's other cells have no twin."""
    flat = np.asarray(values, np.float64).reshape(-1, twin.body.inside.size)
    return flat[:, twin.body.inside]


def _axes(schema: Schema, twin: Twin) -> Iterator[Trial]:
    """Yield whether the declared axes are those of the body, in its order, where its cells are."""
    names = schema.grid.names == twin.body.names
    yield Trial(
        name="axes", value=float(not names), limit=0.0, note=f"{', '.join(schema.grid.names)}"
    )
    worst = 0.0
    for axis, right, whole in zip(
        schema.grid.axes, twin.body.centres, twin.body.lengths, strict=True
    ):
        if len(axis.coordinates) != len(right):
            worst = np.inf
        elif axis.ucum == "m":
            worst = max(worst, float(np.abs(axis.coordinates - right).max() / whole))
        else:
            shares = (np.arange(len(right)) + 0.5) / len(right)
            worst = max(worst, float(np.abs(axis.coordinates - shares).max()))
    yield Trial(name="coordinates", value=worst, limit=1e-9)


def _finer(fine: Any, known: tuple[Floats, Twin, float]) -> Trial:
    """Return how far the finer level is from our own mean of its mesh's solution over each coarse cell."""
    own, twin, span = known
    got = np.asarray(fine[0]["temperature"], np.float64)
    shape = got.shape[1:]
    weights = twin.body.volumes.reshape(twin.body.shape)
    split = [part for n in shape for part in (n, 2)]
    over = tuple(range(2, 2 * len(shape) + 1, 2))
    mean = (
        (own.reshape(len(own), *twin.body.shape) * weights).reshape(len(own), *split).sum(axis=over)
    )
    mean /= weights.reshape(split).sum(axis=tuple(one - 1 for one in over))
    apart = float(np.abs(got - mean).max() / span)
    return Trial(name="finer level", value=apart, limit=1e-5)
