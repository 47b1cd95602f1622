"""A schema as plain data and back: for index.pack and the content id."""

from __future__ import annotations

from typing import Any

import numpy as np

from forgia_hpc.data.fields.layout import Array, Axis, Boundary, Field, Grid, Parameter, Schema
from forgia_hpc.digest import canonical_json
from forgia_hpc.errors import SealBrokenError

_MEANING = (
    "name",
    "order",
    "ucum",
    "semantic_id",
    "time_varying",
    "per_trajectory",
    "along",
    "mask",
)


def as_plain(schema: Schema) -> dict[str, Any]:
    """Return the schema as JSON holds it, complete."""
    return {
        "grid": {
            "kind": schema.grid.kind,
            "axes": [
                {"name": one.name, "ucum": one.ucum, "coordinates": one.coordinates.tolist()}
                for one in schema.grid.axes
            ],
        },
        "fields": [vars(one) for one in schema.fields],
        "parameters": [vars(one) for one in schema.parameters],
        "signals": [vars(one) for one in schema.signals],
        "boundaries": [
            {**vars(one), "mask": _packed(one.mask), "values": _packed(one.values)}
            for one in schema.boundaries
        ],
        "time_ucum": schema.time_ucum,
        "design": dict(schema.design),
    }


def from_plain(words: dict[str, Any]) -> Schema:
    """Return the schema that `as_plain` gave; ValueError or LookupError where it did not."""
    axes = tuple(
        Axis(**{**one, "coordinates": np.array(one["coordinates"], "<f8")})
        for one in words["grid"]["axes"]
    )
    return Schema(
        grid=Grid(axes=axes, kind=words["grid"]["kind"]),
        fields=tuple(Field(**{**one, "along": tuple(one["along"])}) for one in words["fields"]),
        parameters=tuple(Parameter(**one) for one in words["parameters"]),
        signals=tuple(Parameter(**one) for one in words["signals"]),
        boundaries=tuple(_boundary(one) for one in words["boundaries"]),
        time_ucum=words["time_ucum"],
        design=words["design"],
    )


def meaning(schema: Schema) -> dict[str, Any]:
    """Return what the values mean, as the content id covers it: no storage, no error, no law."""
    plain = as_plain(schema)
    fields = [{key: one[key] for key in _MEANING} for one in plain["fields"]]
    inputs = {
        key: [[one["name"], one["ucum"], one["semantic_id"]] for one in plain[key]]
        for key in ("parameters", "signals")
    }
    boundaries = [
        {key: one[key] for key in ("kind", "axes", "side", "fields", "mask", "values")}
        for one in plain["boundaries"]
    ]
    return {
        "grid": plain["grid"],
        "fields": fields,
        "boundaries": boundaries,
        "time_ucum": schema.time_ucum,
        **inputs,
    }


def text_of(content: object) -> str:
    """Return canonical JSON as a text."""
    return canonical_json(content).decode()


def _boundary(one: dict[str, Any]) -> Boundary:
    lists = {key: tuple(one[key]) for key in ("axes", "fields", "parameters")}
    arrays = {key: _unpacked(one[key]) for key in ("mask", "values")}
    return Boundary(**{**one, **lists, **arrays})


def _packed(array: Array | None) -> dict[str, Any] | None:
    """Return an array as text: bits for a mask, float32 for values."""
    if array is None:
        return None
    bits = array.dtype == np.bool_
    data = np.packbits(array) if bits else array.astype("<f4")
    return {"bits": bits, "shape": list(array.shape), "hex": data.tobytes().hex()}


def _unpacked(words: dict[str, Any] | None) -> Array | None:
    if words is None:
        return None
    data = bytes.fromhex(words["hex"])
    count = int(np.prod(words["shape"]))
    if words["bits"]:
        flat = np.unpackbits(np.frombuffer(data, np.uint8), count=count).astype(np.bool_)
    else:
        flat = np.frombuffer(data, "<f4", count)
    return flat.reshape(words["shape"])


def broken(where: str, error: Exception) -> SealBrokenError:
    """Return the error of a packed index that can't be read."""
    return SealBrokenError(f"{where}: index.pack is broken ({type(error).__name__}: {error})")
