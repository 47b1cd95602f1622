"""A long member that was stopped goes on from what it saved: the same bits; from nothing if that is damaged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from itertools import count, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.heat_cases import CASES, box

from forgia_hpc.errors import StoppedError
from forgia_hpc.schema.simulation import Solver
from forgia_hpc.simulate.communicator import Alone
from forgia_hpc.simulate.heat.case import Case, History, solve
from forgia_hpc.simulate.heat.solver import HeatSolver
from forgia_hpc.simulate.member import Member
from forgia_hpc.simulate.returns import IGNORED, SAVED, mark_of
from forgia_hpc.simulate.saved import Saves

LONG = box(cfl=0.05)
WORDS = {"member": "a" * 16, "solver": "b"}


def saves(folder: Path, every_s: float = 0.0, **words: str) -> Saves:
    return Saves(folder, Alone(), lambda: {**WORDS, **words}, every_s)


def after(looks: int) -> Callable[[], bool]:
    """Return a wish to stop that comes at the so manyth look, and stays."""
    seen = count()
    return lambda: next(seen) >= looks


def plain(history: History) -> tuple[Any, ...]:
    fractions = {name: values.tobytes() for name, values in history.fractions.items()}
    facts = {**history.facts, "seconds": 0}
    return history.temperature.tobytes(), history.times.tobytes(), fractions, facts


def stopped(case: Case, folder: Path, looks: int) -> None:
    with pytest.raises(StoppedError):
        solve(case, stop=after(looks), saves=saves(folder))


def scheme(case: Any, **words: Any) -> Iterator[Case]:
    yield case(**words)
    yield case(scheme="implicit", cfl=2.0, **words)


@pytest.mark.parametrize(
    ("name", "dtype", "backend"),
    [*product(CASES, ["f64", "f32"], ["numpy", "numba"]), ("ball", "f32", "torch")],
)
def test_bits_and_books_are_those_of_an_undisturbed_one(
    tmp_path: Path, name: str, dtype: str, backend: str
) -> None:
    """Stopped twice, in the middle of an interval each time."""
    for number, case in enumerate(scheme(CASES[name], dtype=dtype, backend=backend)):
        whole = solve(case)
        folder = tmp_path / str(number)
        folder.mkdir()
        looks = max(1, int(whole.facts["steps"]) // 3)
        stopped(case, folder, looks)
        stopped(case, folder, looks)
        assert plain(solve(case, saves=saves(folder))) == plain(whole)


def test_phases_go_on_too(tmp_path: Path) -> None:
    words = {
        "shape": [6, 6], "lengths": [0.02, 0.02], "material": "stainless_steel_en1993", "initial": 850,
        "boundaries": {side: {"law": "convection", "h": 3000, "ambient": 20} for side in ("x-", "x+", "y-", "y+")},
        "phases": {"composition": {"C": 0.4, "Mn": 0.7}}, "end_s": 30.0, "frames": 5,
    }  # fmt: skip
    solver = HeatSolver(Solver(options=words))
    member = Member(number=0, id="c" * 16, inputs={})

    def solved(stop: Callable[[], bool], folder: str) -> dict[str, bytes]:
        (tmp_path / folder).mkdir(exist_ok=True)
        case = solver.prepare(member, Alone(), tmp_path / folder)
        solver.run(case, stop)
        return {name: one.tobytes() for name, one in solver.extract(case).fields.items()}

    whole = solved(lambda: False, "whole")
    for looks in (7, 11):
        with pytest.raises(StoppedError):
            solved(after(looks), "parts")
    assert solved(lambda: False, "parts") == whole
    assert "hardness" in whole


def test_a_state_is_saved_now_and_then_and_each_frame_once(tmp_path: Path) -> None:
    case = LONG
    seen: dict[str, set[int]] = {}

    def look() -> bool:
        for path in tmp_path.glob(f"{SAVED}/*.npz"):
            seen.setdefault(path.name, set()).add(path.stat().st_mtime_ns)
        return False

    solve(case, stop=look, saves=saves(tmp_path, every_s=1e-6))
    frames = [name for name in seen if name.startswith("frame")]
    steps = [name for name in seen if name.startswith("step")]
    assert len(frames) == len(case.save_times) - 1
    assert len(steps) > 5
    assert all(len(times) == 1 for times in seen.values())
    assert len(list((tmp_path / SAVED).glob("step-*"))) == 1  # the newest alone stays


def test_a_stop_before_anything_has_moved_saves_nothing(tmp_path: Path) -> None:
    stopped(LONG, tmp_path, 0)
    assert mark_of(tmp_path / SAVED) == ""
    stopped(LONG, tmp_path, 5)
    mark = mark_of(tmp_path / SAVED)
    stopped(LONG, tmp_path, 0)
    assert mark_of(tmp_path / SAVED) == mark != ""


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-50])


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [torn, flipped, Path.unlink])
@pytest.mark.parametrize("which", ["step-*", "frame-*", "state.json"])
def test_a_damaged_state_is_not_trusted(tmp_path: Path, which: str, damage: Any) -> None:
    stopped(LONG, tmp_path, 40)
    damage(next((tmp_path / SAVED).glob(which)))
    assert plain(solve(LONG, saves=saves(tmp_path))) == plain(solve(LONG))
    if (which, damage) == (
        "state.json",
        Path.unlink,
    ):  # a kill before the first index: there is no state
        assert not (tmp_path / IGNORED).exists()
    else:
        why = json.loads((tmp_path / IGNORED).read_text())["why"]
        assert "checksum" in why or "No such file" in why or "JSON" in why


def test_another_members_state_is_not_trusted(tmp_path: Path) -> None:
    stopped(LONG, tmp_path, 40)
    shutil.copytree(tmp_path / SAVED, tmp_path / "again" / SAVED)
    solve(LONG, saves=saves(tmp_path, member="d" * 16))
    assert "of another member" in (tmp_path / IGNORED).read_text()
    solve(LONG, saves=saves(tmp_path / "again", solver="e"))
    assert "of another solver" in (tmp_path / "again" / IGNORED).read_text()


def test_a_full_disk_costs_the_state_and_not_the_member(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(StoppedError, match=r"stopped after 5 steps, not saved: .*No space left"):
        solve(LONG, stop=after(5), saves=saves(tmp_path))
    assert plain(solve(LONG, saves=saves(tmp_path, every_s=1e-6))) == plain(solve(LONG))
