"""What model and solver are asked for, and what the solver answers on any mesh, on the dataset's cells."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from scipy.interpolate import make_interp_spline

from forgia_hpc.data.fields.reader import open_fields
from forgia_hpc.data.fields.windows import Cutting, FieldBatch, FieldWindows
from forgia_hpc.data.layout import Split
from forgia_hpc.simulate.heat.case import History, solve
from forgia_hpc.simulate.heat.geometry import geometry_of
from forgia_hpc.simulate.heat.problem import Problems
from forgia_hpc.simulate.heat.restrict import restricted

CONFIGS = Path(__file__).parents[2] / "configs/solver"
Frames = np.ndarray  # (step, channel, *grid), float64


@dataclass(frozen=True)
class Start:
    """A held-out trajectory from its first step on: a window of one split."""

    windows: FieldWindows
    window: int

    def gathered(self) -> FieldBatch:
        """Read it."""
        return self.windows.gather([(0, self.window)])

    @property
    def trajectory(self) -> int:
        """Its row in the dataset."""
        return int(self.gathered().trajectory[0])

    @property
    def member(self) -> str:
        """Its name in the dataset: it says inputs and solver."""
        name: bytes = self.windows.sources[0].index.trajectories["member"][self.trajectory]
        return name.decode()

    def inputs(self) -> dict[str, float]:
        """Return the member's inputs as they were drawn."""
        names = [one.name for one in self.windows.schema.parameters]
        values = self.windows.sources[0].index.parameters.reshape(-1, len(names))
        return dict(zip(names, values[self.trajectory].tolist(), strict=True))


@dataclass(frozen=True)
class Asked:
    """What model and solver are asked for: the first `steps` of the model's steps of some members."""

    starts: list[Start]
    options: dict[str, Any]
    seen: int

    @property
    def windows(self) -> FieldWindows:
        """Windows of the first of the splits: names, grid and channels are the same in all."""
        return self.starts[0].windows

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells along each axis."""
        return tuple(self.windows.schema.grid.shape)

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the fields that are judged."""
        return tuple(self.windows.channels)

    def times(self) -> tuple[float, ...]:
        """Return the times of a window's frames, s."""
        return tuple(self.starts[0].gathered().times[0].tolist())

    def solved(self, row: int, words: dict[str, Any], level: int = 0) -> tuple[Frames, float]:
        """Return the frames after those that the model sees, on the solver's own cells, and the seconds."""
        times = self.times()
        problems = Problems({**self.options, **words})
        case = problems.case(self.starts[row].inputs(), level)
        case = replace(case, end_s=times[-1], save_times=times)
        began = time.process_time()
        history = solve(case)
        seconds = time.process_time() - began
        frames = self._frames(history)
        if level:
            fine = geometry_of(case.grid)
            frames = restricted(frames, fine, history.where, 2**level)
        return frames[self.seen :], seconds

    def _frames(self, history: History) -> Frames:
        known = {"temperature": history.temperature, **history.fractions}
        return np.stack([known[name] for name in self.channels], 1).astype(np.float64)


def asked(names: tuple[Path, str], module: torch.nn.Module, steps: int, members: int) -> Asked:
    """Return the starts of the held-out members: those of other machines first, then the validation's."""
    (dataset, solver), shape = names, module.shape
    cutting = Cutting(
        steps=module.context + steps, stride=shape.stride, fields=tuple(shape.channels)
    )
    opened = open_fields(dataset)
    starts = []
    for split in (Split.held_out_machines, Split.held_out_time):
        windows = opened.windows(split, cutting)
        firsts = windows.gather([(0, at) for at in range(len(windows))]).step
        starts += [Start(windows, at) for at in np.flatnonzero(firsts == 0).tolist()]
    options = yaml.safe_load((CONFIGS / f"{solver}.yaml").read_text())["options"]
    return Asked(starts[:members], options, module.context)


def truths(given: Asked, cache: Path) -> list[Frames]:
    """Return the solver's answer at half the width, of each member; kept, for it takes longest."""
    found = []
    for row, start in enumerate(given.starts):
        path = cache / f"truth-{start.member}-{len(given.times())}-{given.times()[-1]:g}.npy"
        if not path.exists():
            np.save(path, given.solved(row, {}, level=1)[0])
        found.append(np.load(path))
    return found


def on_cells(frames: Frames, shape: tuple[int, ...], channels: tuple[str, ...]) -> Frames:
    """Return frames of a coarser mesh on the cells of `shape`; fractions stay between 0 and 1."""
    for axis, size in enumerate(shape, start=2):
        own = frames.shape[axis]
        if own != size:
            spline = make_interp_spline(_centres(own), frames, k=min(3, own - 1), axis=axis)
            frames = spline(_centres(size))
    for at, name in enumerate(channels):
        if name != "temperature":
            frames[:, at] = np.clip(frames[:, at], 0.0, 1.0)
    return frames


def _centres(cells: int) -> np.ndarray:
    return (np.arange(cells) + 0.5) / cells
