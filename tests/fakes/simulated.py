"""Small made-up simulations: grids of 1, 2 and 3 axes, tensors, masks, boundaries, parameters, signals."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from forgia_hpc.data.fields.layout import (
    Axis,
    Boundary,
    Field,
    FieldSet,
    Grid,
    Parameter,
    Schema,
    Trajectory,
)
from forgia_hpc.data.fields.storage import affine
from forgia_hpc.data.fields.writer import seal_fields
from forgia_hpc.data.layout import Split

IRI = "https://forgia.example/quantity/"
NAMES = ("z", "y", "x")


def grid(*shape: int) -> Grid:
    axes = [
        Axis(name=name, coordinates=np.linspace(0.0, 0.1 * size, size))
        for name, size in zip(NAMES[-len(shape) :], shape, strict=True)
    ]
    return Grid(axes=tuple(axes))


def schema(*shape: int, storage: str = "f32") -> Schema:
    scale, zero, error = affine(-10.0, 10.0) if storage == "i16" else (None, 0.0, 0.0)
    more = {"storage": storage, "scale": scale, "zero": zero, "max_abs_err": error}
    space = grid(*shape)
    return Schema(
        grid=space,
        fields=(
            Field(name="temperature", ucum="K", semantic_id=IRI + "temperature", **more),
            Field(name="velocity", order=1, ucum="m/s", **more),
            Field(name="stress", order=2, symmetric=True, **more),
            Field(name="conductivity", time_varying=False),
            Field(name="inside", time_varying=False, per_trajectory=False, mask=True),
        ),
        parameters=(Parameter(name="ambient", ucum="K"), Parameter(name="transfer")),
        signals=(Parameter(name="bath", ucum="K"),),
        boundaries=(
            Boundary(
                name="surface",
                kind="wall",
                axes=(space.names[0],),
                side="both" if len(shape) > 1 else "low",
                fields=("temperature",),
                law="convection",
                parameters=("ambient", "transfer"),
            ),
            Boundary(name="around", kind="periodic", axes=(space.names[-1],))
            if len(shape) > 1
            else Boundary(name="far", kind="open", axes=("x",), side="high"),
        ),
        design={"method": "sobol", "seed": 7},
    )


def trajectory(
    rng: np.random.Generator, words: Schema, number: int, steps: int, split: Split = Split.train
) -> Trajectory:
    values = {
        one.name: rng.uniform(-9, 9, one.shape(words.grid, steps)).astype(
            np.float64 if one.storage == "f64" else np.float32
        )
        for one in words.fields
        if one.per_trajectory
    }
    return Trajectory(
        member=f"member-{number:04d}",
        split=split,
        times=np.arange(steps) * 0.5 + 1.0,
        values=values,
        parameters={"ambient": 293.0 + number, "transfer": rng.uniform(10, 99)},
        signals={"bath": rng.normal(size=steps).astype(np.float32)},
        provenance={"solver": "made up", "number": number},
    )


def simulated(
    *shape: int,
    members: int = 4,
    steps: int = 6,
    storage: str = "f32",
    seed: int = 0,
    held_out: int = 1,
) -> FieldSet:
    """Members of one grid; the last `held_out` are of held_out_machines."""
    rng = np.random.default_rng(seed)
    words = schema(*(shape or (5, 8)), storage=storage)
    splits = [Split.train] * (members - held_out) + [Split.held_out_machines] * held_out
    return FieldSet(
        name="quench",
        contributor="forge",
        schema=words,
        trajectories=[
            trajectory(rng, words, number, steps, split) for number, split in enumerate(splits)
        ],
        shared={"inside": (rng.random(words.grid.shape) > 0.2).astype(np.float32)},
        provenance={"solver": "made up"},
    )


def field_card(name: str = "quench", **more: object) -> dict[str, object]:
    return {
        "format": "forgia.card/1",
        "name": name,
        "title": "Quench",
        "contributor": "forge",
        "description": "Made up.",
        "licence": "CC0-1.0",
        "source": "made up",
        **more,
    }


def sealed_fields(folder: Path, given: FieldSet | None = None, **more: int) -> Path:
    seal_fields(given or simulated(), field_card(), folder / "quench", **more)
    return folder / "quench"
