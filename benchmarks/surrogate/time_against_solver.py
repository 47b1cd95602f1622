"""The surrogate's time against its solver's at equal error, one core, one process.

Truth is the solver on cells of half the width, averaged. The solver on other meshes, explicit and implicit, gives
a curve of error over time, its frames brought to the dataset's cells by cubic splines; where the lower envelope of
the curve has the model's error stands what the solver takes to be as wrong as the model.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from meshes import Asked, Frames, asked, on_cells, truths

from forgia_hpc.data.fields.inputs import FieldInputs
from forgia_hpc.evaluate.field_metrics import rmse, vrmse
from forgia_hpc.runtime import artefact

REPEATS = 2


@dataclass(frozen=True, kw_only=True)
class Point:
    """One way to the last step: CPU seconds a member, best of REPEATS, and errors against the truth."""

    name: str
    seconds: float
    vrmse: dict[str, float]  # channel → at the last step, mean over the members
    rmse: dict[str, float]  # in the channel's unit
    over_all: dict[str, float]  # channel → VRMSE, mean over all steps


def solver_point(given: Asked, name: str, words: dict[str, Any], truth: list[Frames]) -> Point:
    """Return error and time of the solver with other words."""
    seconds, frames = [], []
    for row in range(len(truth)):
        tries = [given.solved(row, words) for _ in range(REPEATS)]
        seconds.append(min(one[1] for one in tries))
        frames.append(on_cells(tries[0][0], given.shape, given.channels))
    return _point(given, name, float(np.mean(seconds)), (frames, truth))


def model_points(
    given: Asked, module: torch.nn.Module, batches: list[int], truth: list[Frames]
) -> list[Point]:
    """Return error and time a member of the model, in float32 and bfloat16, by members at once."""
    inputs = FieldInputs(given.windows, module.shape)
    found = []
    for dtype in (torch.float32, torch.bfloat16):
        own = module.to(dtype)
        for size in batches:
            pairs = [(0, given.rows[at % len(given.rows)]) for at in range(max(size, len(truth)))]
            tensors = {
                name: torch.from_numpy(array)
                for name, array in inputs.of(given.windows.gather(pairs)).items()
            }
            frames, seconds = _rolled(own, tensors, size, len(truth[0]))
            name = f"model {str(dtype).removeprefix('torch.')}, {size} at once"
            found.append(_point(given, name, seconds, (frames[: len(truth)], truth)))
    return found


def _rolled(
    module: torch.nn.Module, tensors: dict[str, torch.Tensor], size: int, steps: int
) -> tuple[list[Frames], float]:
    """Return the frames of all rows, and the seconds a row where `size` are rolled out at once."""
    rows, best, frames = len(tensors["values"]), float("inf"), []
    for turn in range(1 + REPEATS):  # the first one warms up
        frames, began = [], time.process_time()
        for at in range(0, rows, size):
            part = {name: each[at : at + size] for name, each in tensors.items()}
            values = part.pop("values")[:, : module.context]
            with torch.inference_mode():
                frames += list(module.forecast(values, steps=steps, **part).double().numpy())
        if turn:
            best = min(best, (time.process_time() - began) / rows)
    return frames, best


def _point(
    given: Asked, name: str, seconds: float, pairs: tuple[list[Frames], list[Frames]]
) -> Point:
    inside = np.ones(given.shape, np.bool_)
    off = np.mean([vrmse(truth, one, inside) for one, truth in zip(*pairs, strict=True)], 0)
    wrong = np.mean([rmse(truth, one, inside) for one, truth in zip(*pairs, strict=True)], 0)
    names = given.channels
    point = Point(
        name=name,
        seconds=seconds,
        vrmse=dict(zip(names, off[-1].tolist(), strict=True)),
        rmse=dict(zip(names, wrong[-1].tolist(), strict=True)),
        over_all=dict(zip(names, off.mean(0).tolist(), strict=True)),
    )
    errors = ", ".join(f"{key} {one:.4f}" for key, one in point.vrmse.items())
    sys.stdout.write(f"{name}: {seconds:.4f} s, VRMSE {errors}\n")
    return point


def equal(solver: list[Point], error: float, channel: str) -> tuple[float, str]:
    """Return the seconds at which the solver's lower envelope has an error, and whether that is a bound."""
    curve: list[tuple[float, float]] = []  # error falls, time rises
    for one in sorted(solver, key=lambda one: one.seconds):
        if not curve or one.vrmse[channel] < curve[-1][0]:
            curve.append((one.vrmse[channel], one.seconds))
    errors, seconds = np.log([one[0] for one in curve]), np.log([one[1] for one in curve])
    if np.log(error) >= errors[0]:
        return float(np.exp(seconds[0])), "at most: the coarsest mesh errs less"
    if np.log(error) < errors[-1]:
        return float(np.exp(seconds[-1])), "at least: no mesh errs so little"
    return float(np.exp(np.interp(-np.log(error), -errors, seconds))), ""


def compared(solver: list[Point], models: list[Point]) -> list[dict[str, Any]]:
    """Return, of each model point and channel, the solver's time at the same error over the model's."""
    rows = []
    for one in models:
        for channel, error in one.vrmse.items():
            seconds, bound = equal(solver, error, channel)
            rows.append(
                {
                    "model": one.name,
                    "channel": channel,
                    "vrmse": error,
                    "model_s": one.seconds,
                    "solver_s": seconds,
                    "faster": seconds / one.seconds,
                    "bound": bound,
                }
            )
    return rows


def machine() -> dict[str, Any]:
    """Return what the figures hang on."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return {
        "cpu": next(line.partition(": ")[2] for line in lines if line.startswith("model name")),
        "cores_used": 1,
        "load_at_end": os.getloadavg()[0],
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("torch", "numpy", "numba")},
    }


def measured(words: argparse.Namespace) -> dict[str, Any]:
    """Return the whole comparison."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    module = artefact.load(words.run / "output/model")
    given = asked((words.dataset, words.solver), module, words.steps, words.members)
    words.cache.mkdir(parents=True, exist_ok=True)
    truth = truths(given, words.cache)
    given.solved(0, {"shape": [4] * len(given.shape)})  # compiles
    axes, own = len(given.shape), given.shape[0]
    ways = [(f"explicit {n}", {"shape": [n] * axes}) for n in (*words.cells, own)]
    ways += [
        (f"implicit {n}, {step:g} s", {"shape": [n] * axes, "scheme": "implicit", "step_s": step})
        for n in (*words.cells, own)
        for step in words.implicit
    ]
    solver = [solver_point(given, name, more, truth) for name, more in ways]
    models = model_points(given, module, words.batches, truth)
    own_s = next(one.seconds for one in solver if one.name == f"explicit {own}")
    return {
        "machine": machine(),
        "solver": words.solver,
        "members": len(truth),
        "model_steps": words.steps,
        "until_s": given.times()[-1],
        "parameters": sum(one.numel() for one in module.parameters()),
        "points": [asdict(one) for one in (*solver, *models)],
        "own_mesh": {one.name: own_s / one.seconds for one in models},
        "equal_error": compared(solver, models),
    }


def main() -> None:
    """Measure, and write what was found."""
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    ask.add_argument("run", type=Path, help="the train run")
    ask.add_argument("dataset", type=Path, help="the directory of the dataset")
    ask.add_argument("solver", help="a file of configs/solver, without .yaml")
    ask.add_argument("--steps", type=int, default=10, help="of the model")
    ask.add_argument("--members", type=int, default=4)
    ask.add_argument("--cells", type=int, nargs="+", default=[6, 8, 12, 16], help="coarser meshes")
    ask.add_argument("--implicit", type=float, nargs="*", default=[2.0, 10.0], help="steps, s")
    ask.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    ask.add_argument("--cache", type=Path, default=Path("/tmp/forgia-truths"))
    ask.add_argument("--out", type=Path, default=None)
    words = ask.parse_args()
    found = measured(words)
    for row in found["equal_error"]:
        sys.stdout.write(
            f"{row['model']}, {row['channel']}: {row['model_s']:.4g} s, the solver {row['solver_s']:.4g} s at "
            f"VRMSE {row['vrmse']:.4g}: {row['faster']:.3g} times {row['bound']}\n"
        )
    if words.out:
        words.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
