"""The surrogate's time against its solver's at equal error, one core, one process.

Truth is the solver on cells of half the width, averaged. The solver on other meshes, explicit and implicit, gives
a curve of error over time, its frames brought to the dataset's cells by cubic splines; where the lower envelope of
the curve has the model's error stands what the solver takes to be as wrong as the model.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from meshes import Asked, Frames, asked, on_cells, truths
from points import Point, compared, point

from forgia_hpc.data.fields.inputs import FieldInputs
from forgia_hpc.runtime import artefact

REPEATS = 2
HERE = Path(__file__).parent


def solver_point(given: Asked, name: str, words: dict[str, Any], truth: list[Frames]) -> Point:
    """Return error and time of the solver with other words; CPU seconds, best of REPEATS."""
    seconds, frames = [], []
    for row in range(len(truth)):
        tries = [given.solved(row, words) for _ in range(REPEATS)]
        seconds.append(min(one[1] for one in tries))
        frames.append(on_cells(tries[0][0], given.shape, given.channels))
    return point(given, name, seconds, (frames, truth))


def model_points(
    given: Asked, module: torch.nn.Module, batches: list[int], truth: list[Frames]
) -> list[Point]:
    """Return error and time a member of the model, in float32 and bfloat16, by members at once."""
    found = []
    for dtype in (torch.float32, torch.bfloat16):
        own = module.to(dtype)
        for size in batches:
            starts = [given.starts[at % len(truth)] for at in range(max(size, len(truth)))]
            frames, seconds = _rolled(own, _tensors(starts, own.shape), size, len(truth[0]))
            name = f"model {str(dtype).removeprefix('torch.')}, {size} at once"
            pairs = (frames[: len(truth)], truth)
            found.append(point(given, name, [seconds] * len(truth), pairs))
    return found


def _tensors(starts: list[Any], shape: Any) -> dict[str, torch.Tensor]:
    """Return the starts as one batch of a model's inputs, whatever their splits."""
    found: dict[str, list[torch.Tensor]] = {}
    for one in starts:
        for name, array in FieldInputs(one.windows, shape).of(one.gathered()).items():
            found.setdefault(name, []).append(torch.from_numpy(array))
    return {name: torch.cat(parts) for name, parts in found.items()}


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


def machine() -> dict[str, Any]:
    """Return what the figures hang on."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    commit, changed = (
        subprocess.run(
            ["git", *words], cwd=HERE, capture_output=True, text=True, check=False
        ).stdout.strip()
        for words in (
            ["rev-parse", "--short=12", "HEAD"],
            ["status", "--porcelain", ":/forgia_hpc"],
        )
    )
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "changed": bool(changed),
        "cpu": next(line.partition(": ")[2] for line in lines if line.startswith("model name")),
        "cores": os.cpu_count(),
        "cores_used": 1,
        "niceness": os.nice(0),
        "load_at_start": os.getloadavg()[0],
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("torch", "numpy", "numba")},
    }


def measured(words: argparse.Namespace) -> dict[str, Any]:
    """Return the whole comparison."""
    on = machine()
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
        "machine": {**on, "load_at_end": os.getloadavg()[0]},
        "asked": {
            name: one.name if isinstance(one, Path) else one
            for name, one in vars(words).items()
            if name not in ("cache", "out")
        },
        "solver": words.solver,
        "members": [
            {"member": one.member, "split": one.windows.split.value, "inputs": one.inputs()}
            for one in given.starts
        ],
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
    ask.add_argument("--members", type=int, default=8, help="never learnt from, at most")
    ask.add_argument("--cells", type=int, nargs="+", default=[6, 8, 12, 16], help="coarser meshes")
    ask.add_argument("--implicit", type=float, nargs="*", default=[2.0, 10.0], help="steps, s")
    ask.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    ask.add_argument("--cache", type=Path, default=Path("/tmp/forgia-truths"))
    ask.add_argument("--out", type=Path, default=None)
    words = ask.parse_args()
    found = measured(words)
    for row in found["equal_error"]:
        spread = row["spread"]["faster_of"]
        sys.stdout.write(
            f"{row['model']}, {row['channel']}: {row['model_s']:.4g} s, the solver {row['solver_s']:.4g} s at "
            f"VRMSE {row['vrmse']:.4g}: {row['faster']:.3g} times {row['bound']} "
            f"({spread['lowest']:.3g} to {spread['highest']:.3g} over members)\n"
        )
    if words.out:
        words.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
