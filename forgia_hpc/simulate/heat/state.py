"""The state of a march as arrays, and back: everything that the next step reads, to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.simulate.heat.arrays import INNER
from forgia_hpc.simulate.saved import Arrays, Parts

if TYPE_CHECKING:
    from forgia_hpc.simulate.heat.march import March

_BOOK = ("content", "most", "residual", "per_step", "entered", "made")
_DRIVEN = ("low", "high", "heated", "cooled")


def parts_of(march: March) -> dict[str, Callable[[], Arrays]]:
    """Return what a save holds, made when it is written: the state now, and every frame in a file of its own."""
    frames: dict[str, Callable[[], Arrays]] = {
        f"frame-{number:05d}": partial(_frame, march, number) for number in range(len(march.times))
    }
    return {f"step-{march.steps:09d}": partial(_state, march), **frames}


def _frame(march: March, number: int) -> Arrays:
    return {"temperature": march.frames[number], **_named("of ", march.fractions[number])}


def _state(march: March) -> Arrays:
    part = march.part
    host = part.arrays.host
    driven = part.walls.driven
    return {
        "place": np.array([march.steps, march.done]),
        "longest": np.array(march.longest),
        "book": np.array([getattr(march.account, name) for name in _BOOK]),
        "driven": np.array([float(getattr(driven, name)) for name in _DRIVEN]),
        "state": np.array(host(part.state[INNER])),
        "sources": part.made,
        "taken": part.walls.noted(),
        **_named("now ", march.now),
    }


def _named(before: str, arrays: Any) -> dict[str, NDArray[Any]]:
    return {f"{before}{name}": np.asarray(values) for name, values in arrays.items()}


def _of(before: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    found = [name for name in arrays if name.startswith(before)]
    return {name.removeprefix(before): arrays[name] for name in found}


def restore(march: March, parts: Parts) -> None:
    """Set a march that has not begun to where these parts were saved."""
    part = march.part
    state = next(arrays for name, arrays in parts.items() if name.startswith("step-"))
    for frame in sorted(name for name in parts if name.startswith("frame-")):
        march.frames.append(parts[frame]["temperature"])
        march.fractions.append(_of("of ", parts[frame]))
    march.steps, march.done = (int(one) for one in state["place"])
    march.longest = float(state["longest"])
    for name, value in zip(_BOOK, state["book"], strict=True):
        setattr(march.account, name, float(value))
    low, high, heated, cooled = (float(one) for one in state["driven"])
    driven = part.walls.driven
    driven.low, driven.high, driven.heated, driven.cooled = low, high, bool(heated), bool(cooled)
    part.state = part.field(state["state"])
    part.made = state["sources"]
    part.walls.recall(state["taken"])
    march.now = _of("now ", state)
