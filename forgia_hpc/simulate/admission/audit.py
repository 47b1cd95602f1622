"""What one member's stored numbers say against what was asked: by other code than the solver's.

The numbers are those that go into the block, in the schema's units. A member that fails is rejected.
Where the words hold something that this reading does not know, a check says so and passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.fields.layout import Array, Schema
from forgia_hpc.simulate.admission.reading import Asked, UnreadError, convert
from forgia_hpc.simulate.admission.twin import Twin
from forgia_hpc.simulate.member import Finding

Floats = NDArray[np.float64]
_ROUNDING = 2e-5  # of the temperatures in play: they are stored as float32
_OVERSHOOT = 0.02  # of the range, as the solver's own check allows implicit steps
_AUDIT = 0.03  # of the heat in play: flows are known at the frames only
# of a finer mesh the cells at a wall are means: half of one is not the way that its heat went (0.13 was seen of a
# water quench on 8 cells of the radius). What stands still, or takes twice the flow, is still far beyond.
_AUDIT_FINER = 0.25
_SAMPLES = 5  # temperatures between two frames at which a wall's flow is looked at


def audits(
    asked: Asked, schema: Schema, numbers: Mapping[str, Array], *, level: int = 0
) -> Iterator[Finding]:
    """Yield what is found in a member of the built-in heat solver."""
    try:
        twin = Twin(asked)
        unit = next(one.ucum for one in schema.fields if one.name == "temperature")
        t = _celsius(numbers["fields/temperature"], unit, twin)
    except (UnreadError, StopIteration, KeyError) as error:
        note = f"not asked: {error}"
        yield Finding(
            check="audit", value=0.0, limit="words that are known", passed=True, note=note
        )
        return
    yield _times(asked, numbers["times"])
    yield _start(asked, t)
    yield _reach(asked, t)
    yield _mirror(twin, t)
    yield from _fractions(schema, numbers, twin)
    if twin.is_clear:
        heat = np.array([twin.heat(one) for one in t]) - released(numbers, twin)
        most = _AUDIT_FINER if level else _AUDIT
        yield _energy(twin, (t, heat), numbers["times"], most)


def _celsius(values: Array, unit: str, twin: Twin) -> Floats:
    """Return (step, cell) of the body in °C."""
    flat, body = np.asarray(values, np.float64).reshape(len(values), -1), twin.body
    if flat.shape[1] != body.inside.size:
        raise UnreadError(f"{flat.shape[1]} cells instead of {body.inside.size}")
    own = flat if body.is_whole else flat[:, body.inside]
    zero = convert(0.0, unit, "temperature")
    degree = convert(1.0, unit, "temperature") - zero
    return own if (degree, zero) == (1.0, 0.0) else degree * own + zero


def _times(asked: Asked, times: Array) -> Finding:
    end, count = float(asked.options.get("end_s", 60.0)), int(asked.options.get("frames", 21))
    wanted = np.linspace(0.0, end, count)
    same = len(times) == count
    off = float(np.abs(np.asarray(times) - wanted).max() / end) if same else np.inf
    limit = f"{count} frames from 0 to {end:g} s, to 1e-9"
    return Finding(check="frames", value=off, limit=limit, passed=off <= 1e-9)


def _start(asked: Asked, t: Floats) -> Finding:
    off = float(np.abs(t[0] - asked.initial).max())
    limit = 1e-6 * (abs(asked.initial) + 300.0)
    text = f"{asked.initial:g} °C everywhere in the first frame, to {limit:.1g} K"
    return Finding(check="first_frame", value=off, limit=text, passed=off <= limit)


def _reach(asked: Asked, t: Floats) -> Finding:
    """Return how far a member leaves what its start and its surroundings allow, as a share of their range."""
    drives = [asked.initial, *asked.ambients()]
    into = [law["into"] for laws in asked.laws().values() for law in laws if law["law"] == "flux"]
    heated = bool((asked.options.get("phases") or {}).get("heat"))
    low = -np.inf if any(one < 0 for one in into) else min(drives)
    high = np.inf if heated or any(one > 0 for one in into) else max(drives)
    span = max(max(drives) - min(drives), 1e-9)
    out = max(float(low - t.min()), float(t.max() - high), 0.0) / span
    limit = (_OVERSHOOT if asked.options.get("scheme") == "implicit" else 0.0) + _ROUNDING * (
        1.0 + 300.0 / span
    )
    text = f"within {low:g} to {high:g} °C, to {limit:.1g} of the range"
    return Finding(check="reach", value=out, limit=text, passed=out <= limit)


def _mirror(twin: Twin, t: Floats) -> Finding:
    """Return how far a member is from its mirror image, along axes whose two ends are alike."""
    worst, axes = 0.0, []
    if twin.body.is_whole:
        whole = t.reshape(len(t), *twin.body.shape)
        for at, name in enumerate(twin.body.names):
            if name != "r" and twin.laws.get(f"{name}-") == twin.laws.get(f"{name}+"):
                axes.append(name)
                worst = max(worst, *(_unlike(one, at) for one in whole))
    span = float(np.ptp(t)) or 1.0
    passed = worst <= 1e-3 * span
    note = f"along {', '.join(axes)}" if axes else "not asked: no two ends are alike"
    return Finding(
        check="mirror", value=worst / span, limit="1e-3 of the range", passed=passed, note=note
    )


def _unlike(frame: Floats, axis: int) -> float:
    """Return how far one half of a frame is from the other one's mirror image."""
    middle = (frame.shape[axis] + 1) // 2
    near, far = (
        (slice(None),) * axis + (slice(middle),),
        (slice(None),) * axis + (slice(None, -middle - 1, -1),),
    )
    apart = frame[near] - frame[far]
    return max(float(apart.max()), -float(apart.min()))


def _fractions(schema: Schema, numbers: Mapping[str, Array], twin: Twin) -> Iterator[Finding]:
    """Yield how far shares are from 1 in sum, and how much austenite comes back."""
    names = [one.name for one in schema.fields if one.quantity == "volume fraction"]
    if not names:
        return
    shares = {
        name: np.asarray(numbers[f"fields/{name}"], np.float64).reshape(
            len(numbers["times"]), -1)[:, twin.body.inside] for name in names
    }  # fmt: skip
    off = float(np.abs(sum(shares.values()) - 1.0).max())
    off = max(off, -min(float(one.min()) for one in shares.values()))
    yield Finding(
        check="shares", value=off, limit="at least 0, and 1 together, to 1e-5", passed=off <= 1e-5
    )
    if "austenite" in shares:
        back = float(np.diff(shares["austenite"], axis=0).max(initial=0.0))
        yield Finding(
            check="austenite", value=back, limit="no more than before, to 1e-5", passed=back <= 1e-5
        )


def released(numbers: Mapping[str, Array], twin: Twin) -> Floats | float:
    """Return J that the stored shares have released since the start, by the words' heats: (step,)."""
    heats = (twin.asked.options.get("phases") or {}).get("heat") or {}
    total: Floats | float = 0.0
    for name, heat in heats.items():
        share = np.asarray(numbers[f"fields/{name}"], np.float64)
        own = share.reshape(len(share), -1)[:, twin.body.inside]
        total = total + float(heat) * (own @ twin.body.volumes)
    return total


def _energy(twin: Twin, known: tuple[Floats, Floats], times: Array, most: float) -> Finding:
    """Return how far the heat that left is from what the walls can have passed, as a share of the heat in play.

    Between two frames a wall's flow lies between those at the temperatures that its cells went through.
    known: °C (step, cell); J of the body less what its phases released (step,).
    """
    t, heat = known
    low, high = _passed(twin, t)
    gained, steps = np.diff(heat), np.diff(np.asarray(times, np.float64))
    out = np.maximum(low * steps - gained, gained - high * steps)
    scale = max(
        float(np.ptp(heat)),
        float(np.abs(low * steps).sum()),
        float(np.abs(high * steps).sum()),
        1e-300,
    )
    scale = min(scale, _exchangeable(twin, t))
    worst = float(np.maximum(out, 0.0).sum() / scale)
    limit = f"what the walls can pass between two frames, to {most:g} of the heat in play"
    return Finding(check="energy_audit", value=worst, limit=limit, passed=worst <= most)


def _passed(twin: Twin, t: Floats) -> tuple[Floats, Floats]:
    """Return the least and the most W that all walls together can pass between each two frames."""
    low, high = np.zeros(len(t) - 1), np.zeros(len(t) - 1)
    shares = np.linspace(0.0, 1.0, _SAMPLES)[:, None, None]
    for passage, walls in twin.alike():
        path = t[:, np.concatenate([one.cells for one in walls])]
        area = np.concatenate([one.area for one in walls])
        if passage.is_falling:
            flow = area * passage(path)
            flow = np.stack([flow[:-1], flow[1:]])
        else:
            flow = area * passage(path[:-1] + shares * np.diff(path, axis=0))
        low += flow.min(axis=0).sum(axis=1)
        high += flow.max(axis=0).sum(axis=1)
    return low, high


def _exchangeable(twin: Twin, t: Floats) -> float:
    """Return J between the start and the temperature of the surroundings, or what a flux has moved."""
    ends = [twin.asked.initial, *twin.asked.ambients(), float(t.min()), float(t.max())]
    heats = twin.matter.heat_of(np.array(ends))
    return max(float(np.ptp(heats)) * float(twin.body.volumes.sum()), 1e-300)


def asked_of(options: Mapping[str, Any], schema: Schema, inputs: Mapping[str, float]) -> Asked:
    """Return what a member was asked to be."""
    return Asked(
        options=options, inputs=inputs, units={one.name: one.ucum for one in schema.parameters}
    )
