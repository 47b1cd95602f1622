"""Windows of fields as a model takes them: its shape from the granted shards, its inputs from a batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.fields.boundaries import boundary_kinds, boundary_tokens
from forgia_hpc.data.fields.layout import Schema
from forgia_hpc.data.fields.normal import merged, normal_of
from forgia_hpc.data.fields.opened import OpenFields
from forgia_hpc.data.fields.windows import Cutting, FieldBatch, FieldWindows
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.models.field_shape import FieldShape, Scales
from forgia_hpc.schema.data import Data

_DECADE = 10.0  # an input that spans more is looked at as a logarithm
Arrays = dict[str, NDArray[np.generic]]
Floats = NDArray[np.float64]


def cutting_of(data: Data, steps_out: int | None = None) -> Cutting:
    """Return what a window is: the steps that a model sees, and those after them."""
    ahead = data.steps_out if steps_out is None else steps_out
    return Cutting(steps=data.steps_in + ahead, stride=data.stride, fields=tuple(data.fields))


def shape_of(windows: FieldWindows) -> FieldShape:
    """Return what a model of these windows is cut to. Reads the indexes only, of granted shards of the split.

    Raises:
        InputError: a channel without a single number.
    """
    schema, stride = windows.schema, windows.cutting.stride
    units = windows.normal()
    if empty := [name for name, own in zip(windows.channels, units.known, strict=True) if not own]:
        limit = f"no trajectory of {windows.split.value} has a number in it"
        raise InputError(Problem(field="data.fields", got=", ".join(empty), limit=limit))
    static = [at for at, one in enumerate(schema.fields) if not one.time_varying and not one.mask]
    rows = [(source, source.trajectories(windows.split)) for source in windows.sources]
    lengths = [np.diff(source.index.times_of(row)) for source, some in rows for row in some]
    return FieldShape(
        axes=schema.grid.names,
        grid=schema.grid.shape,
        channels=windows.channels,
        static=schema.channels(static),
        parameters=tuple(one.name for one in schema.parameters),
        signals=tuple(one.name for one in schema.signals),
        laws=_laws(windows.sources),
        masked=any(one.mask for one in schema.fields),
        ragged=len({len(source.schema.boundaries) for source in windows.sources}) > 1,
        stride=stride,
        seconds=float(np.median(np.concatenate(lengths))) * stride or 1.0,
        values=Scales(mean=_plain(units.mean), std=_plain(_above(units.std, units.mean))),
        increments=_plain(_above(units.delta_std, units.mean) * stride),
        noise=_noise(windows),
        static_values=_static(windows, static),
        parameter_values=_scales(_parameters(rows, len(schema.parameters))),
        signal_values=_scales(_signals(rows, len(schema.signals)), logs=False),
    )


class FieldInputs:
    """Makes a model's inputs of batches; boundaries differ between contributions, so each has its own."""

    def __init__(self, windows: FieldWindows, shape: FieldShape) -> None:
        """Take windows and the shape of the model.

        Raises:
            InputError: the model is of other channels, parameters or axes.
        """
        if problems := _misfits(windows, shape):
            raise InputError(problems)
        schemas = [source.schema for source in windows.sources]
        tokens = [_tokens(schema, shape) for schema in schemas]
        self._counts = np.array([len(one) for one in tokens])
        self._boundaries = np.full((len(tokens), self._counts.max(), 5), -1, np.int64)
        for at, one in enumerate(tokens):
            self._boundaries[at, : len(one)] = one
        self._kinds = np.stack([boundary_kinds(schema) for schema in schemas])

    def of(self, batch: FieldBatch) -> Arrays:
        """Return the keyword arrays of a model's forward; times count from the window's first step."""
        rows, grid = len(batch.values), batch.values.shape[3:]
        times = (batch.times - batch.times[:, :1]).astype(np.float32)
        most = int(self._counts[batch.contribution].max())
        return {
            "values": batch.values,
            "static": batch.static,
            "mask": np.ones((rows, *grid), np.bool_) if batch.mask is None else batch.mask,
            "times": times,
            "parameters": batch.parameters,
            "signals": batch.signals,
            "kinds": self._kinds[batch.contribution],
            "boundaries": self._boundaries[batch.contribution, :most],
        }


def _laws(sources: Sequence[OpenFields]) -> tuple[str, ...]:
    found = (law for source in sources for law in boundary_tokens(source.schema)[1])
    return tuple(dict.fromkeys(found))


def _tokens(schema: Schema, shape: FieldShape) -> NDArray[np.int64]:
    """Return boundary_tokens with the laws numbered as the model knows them; one it does not know is none."""
    tokens, laws = boundary_tokens(schema)
    known = [shape.laws.index(law) if law in shape.laws else -1 for law in laws]
    tokens[:, 3] = [known[law] if law >= 0 else -1 for law in tokens[:, 3].tolist()]
    return tokens


def _misfits(windows: FieldWindows, shape: FieldShape) -> list[Problem]:
    schema = windows.schema
    found = {
        "fields": (windows.channels, shape.channels),
        "axes": (schema.grid.names, shape.axes),
        "parameters": (tuple(one.name for one in schema.parameters), shape.parameters),
        "signals": (tuple(one.name for one in schema.signals), shape.signals),
        "stride": (windows.cutting.stride, shape.stride),
    }
    return [
        Problem(field=f"data.{name}", got=own, limit=f"the model was trained with {wanted}")
        for name, (own, wanted) in found.items()
        if own != wanted
    ]


def _noise(windows: FieldWindows) -> tuple[float, ...]:
    """Return the RMS error of the solver a channel, the worst contribution's; none where one does not say."""
    schema, found = windows.schema, []
    for source in windows.sources:
        said = source.manifest.provenance.get("refinement") or {}
        said = said.get("errors", said)  # a campaign's stand beside its members'
        rows = []
        for at in schema.chosen(windows.cutting.fields):
            one = schema.fields[at]
            error = said.get(one.name, {}).get("rms") if isinstance(said, dict) else None
            rows += [error] * len(one.components(schema.grid.names))
        if any(not isinstance(error, int | float) for error in rows):
            return ()
        found.append(rows)
    return _plain(np.max(np.array(found, np.float64), axis=0))


def _static(windows: FieldWindows, static: Sequence[int]) -> Scales:
    """Return mean and deviation of the channels that do not vary in time, from the sealed statistics."""
    parts = []
    for source in windows.sources:
        index, schema = source.index, source.schema
        total = len(schema.channels(range(len(schema.fields))))
        rows = [
            index.channels_before(field) + part
            for field in static
            for part in range(len(schema.fields[field].components(schema.grid.names)))
        ]
        for shard in sorted(source.granted):
            if index.split_of(shard) is windows.split:
                parts.append(index.stats[np.array(rows, np.int64) + shard * total])
    whole = merged(parts, len(windows.schema.channels(static)))
    units = normal_of(whole, whole)
    return Scales(mean=_plain(units.mean), std=_plain(units.std))


def _parameters(rows: Sequence[tuple[OpenFields, Sequence[int]]], count: int) -> Floats:
    found = [
        source.index.parameters.reshape(-1, count)[list(some)] for source, some in rows if count
    ]
    return np.concatenate([np.zeros((0, count)), *found])


def _signals(rows: Sequence[tuple[OpenFields, Sequence[int]]], count: int) -> Floats:
    found = [source.index.signals_of(row) for source, some in rows for row in some if count]
    return np.concatenate([np.zeros((0, count)), *found])


def _scales(numbers: Floats, *, logs: bool = True) -> Scales:
    """Return location and scale of (…, input); a wide positive input is looked at as a logarithm."""
    if not numbers.size:
        return Scales()
    low, high = numbers.min(0), numbers.max(0)
    wide = (low > 0) & (high > _DECADE * low) & logs
    seen = np.where(wide, np.log(np.where(wide, numbers, 1.0)), numbers)
    std = seen.std(0)
    flat = std <= 1e-9 * np.abs(seen.mean(0))  # the same in all simulations, but for rounding
    return Scales(
        mean=_plain(seen.mean(0)), std=_plain(np.where(flat, 0.0, std)), logs=tuple(wide.tolist())
    )


def _above(std: Floats, mean: Floats) -> Floats:
    """Return deviations, none finer than the rounding of float32: a model would learn noise."""
    found: Floats = np.maximum(std, 4 * np.finfo(np.float32).eps * np.abs(mean))
    return found


def _plain(numbers: Floats) -> tuple[float, ...]:
    return tuple(float(one) for one in numbers)
