"""What a set of trajectories must keep before it is sealed: every problem that shows without its values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np

from forgia_hpc.data.card import Card
from forgia_hpc.data.fields.layout import (
    BOUNDARIES,
    SIDES,
    STORAGES,
    Array,
    Boundary,
    Field,
    FieldSet,
    Schema,
    Trajectory,
)
from forgia_hpc.data.ingest.unit_terms import is_term
from forgia_hpc.errors import Problem

_WORD = re.compile(r"[A-Za-z0-9][\w-]*", re.ASCII)
_MEMBER_BYTES = 64


def problems_of(given: FieldSet, card: Card) -> list[Problem]:
    """Return everything that hinders sealing these trajectories under this card."""
    found = [*_card(given, card), *_schema(given.schema)]
    if found:
        return found  # what follows counts on a whole schema
    members = Counter(one.member for one in given.trajectories)
    found += [
        Problem(field="trajectories.member", got=name, limit="there is another of this name")
        for name, count in members.items()
        if count > 1
    ]
    if not given.trajectories:
        found.append(Problem(field="trajectories", got=0, limit="at least 1"))
    for one in given.trajectories:
        found += _trajectory(given.schema, one)
    found += _shared(given)
    return found


def shape_problem(array: Array, wanted: tuple[int, ...], where: str) -> list[Problem]:
    """Return what is wrong with an array's shape or type."""
    if array.shape == wanted and array.dtype.kind in "fiub":
        return []
    got = f"{array.dtype} {array.shape}"
    return [Problem(field=where, got=got, limit=f"must be numbers of shape {wanted}")]


def _card(given: FieldSet, card: Card) -> Iterator[Problem]:
    for name in ("name", "contributor"):
        ours, theirs = getattr(given, name), getattr(card, name)
        if ours != theirs:
            yield Problem(field=f"card.{name}", got=theirs, limit=f"the fields say {ours!r}")
    if card.members:
        yield Problem(field="card.members", got=list(card.members), limit="a consortium's only")
    if card.policy_named("") is None:
        limit = "one: all trajectories are under the same terms"
        yield Problem(field="card.policies", got=list(card.policies), limit=limit)


def _schema(schema: Schema) -> Iterator[Problem]:
    axes = schema.grid.axes
    if not 1 <= len(axes) <= 3:
        yield Problem(field="grid.axes", got=len(axes), limit="1, 2 or 3")
    for axis in axes:
        points = axis.coordinates
        steps = np.diff(points)
        rising = np.isfinite(points).all() and ((steps > 0).all() or (steps < 0).all())
        if points.ndim != 1 or not len(points) or not rising:
            yield Problem(
                field=f"grid.{axis.name}",
                got=points.shape,
                limit="finite, all rising or all falling",
            )
    inputs = [one.name for one in (*schema.parameters, *schema.signals)]
    for kind, names in (
        ("grid.axes", [*schema.grid.names, "time"]),
        ("fields", [one.name for one in schema.fields]),
        ("parameters and signals", inputs),
        ("boundaries", [one.name for one in schema.boundaries]),
    ):
        yield from _names(kind, names)
    measured = (*schema.parameters, *schema.signals)
    units = {one.name: one.ucum for one in axes} | {one.name: one.ucum for one in schema.fields}
    units |= {one.name: one.ucum for one in measured} | {"time": schema.time_ucum}
    for name, ucum in units.items():
        if ucum and not is_term(ucum):
            fix = "use its UCUM code, add it to data/ingest/ucum.py, or leave it empty: not said"
            yield Problem(field=f"{name}.ucum", got=ucum, limit="not in our table", fix=fix)
    if not any(one.time_varying and not one.mask for one in schema.fields):
        yield Problem(field="fields", got="none that varies in time", limit="at least 1")
    for field in schema.fields:
        yield from _field(field, len(axes))
    for boundary in schema.boundaries:
        yield from _boundary(schema, boundary, inputs)


def _names(kind: str, names: Iterable[str]) -> Iterator[Problem]:
    for name, count in Counter(names).items():
        if not _WORD.fullmatch(name):
            yield Problem(field=kind, got=name, limit="letters, digits, - and _")
        if count > 1:
            yield Problem(field=kind, got=name, limit=f"is there {count} times")


def _field(field: Field, axes: int) -> Iterator[Problem]:
    where = f"fields.{field.name}"
    if field.along and len(field.along) != axes:
        yield Problem(
            field=f"{where}.along", got=field.along, limit=f"one word for each of {axes} axes"
        )
    if field.order not in (0, 1, 2):
        yield Problem(field=f"{where}.order", got=field.order, limit="0, 1 or 2")
    if field.storage not in STORAGES:
        limit = f"one of {', '.join(STORAGES)}"
        yield Problem(field=f"{where}.storage", got=field.storage, limit=limit)
    packed = field.storage == "i16"
    if packed and not (field.scale or 0) > 0:
        yield Problem(field=f"{where}.scale", got=field.scale, limit="i16 needs one above 0")
    if packed and not field.max_abs_err > 0:
        limit = "i16 needs a declared error above 0"
        yield Problem(field=f"{where}.max_abs_err", got=field.max_abs_err, limit=limit)


def _boundary(schema: Schema, one: Boundary, inputs: list[str]) -> Iterator[Problem]:
    where = f"boundaries.{one.name}"
    names = schema.grid.names
    if one.kind not in BOUNDARIES:
        yield Problem(field=f"{where}.kind", got=one.kind, limit=f"one of {BOUNDARIES}")
    if one.side not in SIDES:
        yield Problem(field=f"{where}.side", got=one.side, limit=f"one of {SIDES}")
    if not one.axes or not set(one.axes) <= set(names):
        yield Problem(field=f"{where}.axes", got=one.axes, limit=f"from {names}")
        return
    if one.mask is None and len(one.axes) > 1:
        yield Problem(field=f"{where}.mask", got="none", limit="needed over more than one axis")
    wanted = tuple(schema.grid.shape[names.index(axis)] for axis in one.axes)
    if one.mask is not None and one.mask.shape != wanted:
        yield Problem(field=f"{where}.mask", got=one.mask.shape, limit=f"must be {wanted}")
    known = {field.name for field in schema.fields}
    for word, got, there in (("fields", one.fields, known), ("parameters", one.parameters, inputs)):
        if not set(got) <= set(there):
            yield Problem(field=f"{where}.{word}", got=got, limit=f"from {sorted(there)}")


def _trajectory(schema: Schema, one: Trajectory) -> Iterator[Problem]:
    where = f"trajectory {one.member}"
    if not one.member or len(one.member.encode()) > _MEMBER_BYTES:
        limit = f"1 to {_MEMBER_BYTES} bytes"
        yield Problem(field="trajectories.member", got=one.member, limit=limit)
    times = np.asarray(one.times)
    if (
        times.ndim != 1
        or not len(times)
        or not np.isfinite(times).all()
        or (np.diff(times) <= 0).any()
    ):
        yield Problem(field=f"{where}.times", got=times.shape, limit="finite and rising")
    yield from _set_of(f"{where}.parameters", one.parameters, [p.name for p in schema.parameters])
    yield from _set_of(f"{where}.signals", one.signals, [s.name for s in schema.signals])
    yield from _set_of(
        f"{where}.values", one.values, [f.name for f in schema.fields if f.per_trajectory]
    )
    for name, value in one.parameters.items():
        if not np.isfinite(value):
            yield Problem(field=f"{where}.parameters.{name}", got=value, limit="finite")
    for name, values in one.signals.items():
        if np.shape(values) != times.shape:
            yield Problem(field=f"{where}.signals.{name}", got=np.shape(values), limit="one a step")


def _shared(given: FieldSet) -> Iterator[Problem]:
    schema = given.schema
    wanted = [one for one in schema.fields if not one.per_trajectory]
    yield from _set_of("shared", given.shared, [one.name for one in wanted])
    lengths = {len(one.times) for one in given.trajectories}
    if any(one.time_varying for one in wanted) and len(lengths) > 1:
        limit = "one number of steps, where a shared field varies in time"
        yield Problem(field="trajectories.times", got=sorted(lengths), limit=limit)


def _set_of(where: str, given: Iterable[str], wanted: list[str]) -> Iterator[Problem]:
    if set(given) != set(wanted):
        yield Problem(field=where, got=sorted(given), limit=f"must be {sorted(wanted)}")
