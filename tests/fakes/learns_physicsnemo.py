"""Train PhysicsNeMo's models for a few steps on made-up fields: run by a python that has the package."""

import sys

import torch

from forgia_hpc.models.field_shape import KEY, FieldShape, Scales
from forgia_hpc.models.table import build

FNO = {"latent_channels": 8, "num_fno_layers": 2, "num_fno_modes": 4, "padding": 2}
AFNO = {"patch_size": [4, 4], "embed_dim": 16, "depth": 1, "num_blocks": 4}


def shape(axes: int) -> FieldShape:
    return FieldShape(
        axes=("z", "y", "x")[-axes:],
        grid=(16,) * axes,
        channels=("t", "m"),
        parameters=("h",),
        values=Scales(mean=(0.0, 0.0), std=(1.0, 1.0)),
        increments=(0.1, 0.1),
        parameter_values=Scales(mean=(0.0,), std=(1.0,), logs=(False,)),
    )


def inputs(axes: int, steps: int) -> dict[str, torch.Tensor]:
    grid = (16,) * axes
    return {
        "static": torch.zeros(2, 0, *grid),
        "mask": torch.ones(2, *grid, dtype=torch.bool),
        "times": torch.arange(float(steps)).repeat(2, 1),
        "parameters": torch.ones(2, 1),
        "signals": torch.zeros(2, steps, 0),
        "kinds": torch.zeros(2, axes, 2, dtype=torch.long),
        "boundaries": torch.zeros(2, 1, 5, dtype=torch.long),
    }


def learns(model: str, axes: int, arguments: dict[str, object]) -> None:
    torch.manual_seed(0)
    options = {"model": model, "arguments": arguments}
    extra = {KEY: shape(axes).as_json()}
    made = build("physicsnemo", options, context=2, horizon=1, extra=extra)
    values = torch.randn(2, 3, 2, *(16,) * axes)
    worker = torch.optim.Adam(made.parameters(), 1e-2)
    losses = []
    for _ in range(15):
        worker.zero_grad()
        loss = made(values, **inputs(axes, 3))
        loss.backward()
        worker.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0], (model, axes, losses)
    found = made.eval().forecast(values[:, :2], steps=2, **inputs(axes, 4))
    assert found.shape == (2, 2, 2, *(16,) * axes)
    assert torch.isfinite(found).all()


if __name__ == "__main__":
    for count in (1, 2, 3):
        learns("FNO", count, FNO)
    learns("AFNO", 2, AFNO)
    sys.stdout.write("all of them learn\n")
