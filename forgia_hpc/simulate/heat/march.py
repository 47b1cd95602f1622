"""From the start to the end of a case, from one save time to the next."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.errors import StoppedError
from forgia_hpc.simulate.communicator import Communicator
from forgia_hpc.simulate.heat import explicit, implicit
from forgia_hpc.simulate.heat.account import Account
from forgia_hpc.simulate.heat.case import Case, History
from forgia_hpc.simulate.heat.part import Part
from forgia_hpc.simulate.heat.refuse import refuse_step
from forgia_hpc.simulate.heat.state import parts_of, restore
from forgia_hpc.simulate.member import MemberError
from forgia_hpc.simulate.saved import Saves

STOP_EVERY = 16  # steps between two looks at `stop` where ranks must agree on it
_RATE = {"rate"}  # K/s at 700 °C, which phases may remember: what hardness is read from
STEPS = {"explicit": explicit.step, "implicit": implicit.step}


def march(
    case: Case, ranks: Communicator, stop: Callable[[], bool], saves: Saves | None = None
) -> History:
    """Solve a case that nothing was refused of; see case.solve. It goes on from what `saves` holds."""
    began = time.perf_counter()
    part = Part(case, ranks)
    with part.halo:
        found = March(part, stop, saves)
        found.go()
    return found.history(time.perf_counter() - began)


class March:
    """The state between steps: frames kept, fractions of phases, and the accounts of heat."""

    def __init__(self, part: Part, stop: Callable[[], bool], saves: Saves | None) -> None:
        """Take a part at its start, all ranks together."""
        self.part = part
        self.case = part.case
        self.stop, self.saves = stop, saves
        self.account = Account(part)
        self.limit = float(part.longest_step())
        refuse_step(part.case, self.limit)
        self.step = STEPS[part.case.scheme]
        self.steps, self.longest = 0, 0.0
        self.done = 0  # steps of the present interval
        self.frames: list[NDArray[Any]] = []
        self.fractions: list[Mapping[str, NDArray[Any]]] = []
        phases = part.case.phases
        self.now = {} if phases is None else phases.start(part.block.shape)
        self.names = () if phases is None else (*phases.names, *(_RATE & set(self.now)))
        if saves is not None and (parts := saves.load()):
            restore(self, parts)
        self.saved = self.steps

    @property
    def times(self) -> tuple[float, ...]:
        """The times of the frames that are kept."""
        return saves_of(self.case)[: len(self.frames)]

    def go(self) -> None:
        """March to the end."""
        at = self.times[-1] if self.frames else 0.0
        for save in saves_of(self.case)[len(self.frames) :]:
            if save > at:
                self._interval(at, save)
            at = save
            self._keep()
        if at < self.case.end_s:
            self._interval(at, self.case.end_s)

    def _interval(self, start: float, end: float) -> None:
        """Take equal steps, none longer than allowed, that end where the interval does."""
        longest = self.case.step_s or self.case.cfl * self.limit
        count = max(1, math.ceil((end - start) / longest * (1 - 1e-12)))
        dt = float(end - start) / count  # NumPy's own float64 would widen float32
        self.longest = max(self.longest, dt)
        for number in range(self.done, count):
            self._look_up()
            self._one(start + number * dt, dt)
            self.done += 1
        self.done = 0
        self.account.close(count)
        if not math.isfinite(self.account.content):
            raise MemberError("not_finite", f"the temperature is not finite at t = {end:g} s")

    def _one(self, t: float, dt: float) -> None:
        phases = self.case.phases
        before = None if phases is None else self.part.temperature().astype(np.float64)
        self.step(self.part, t, dt)
        self.steps += 1
        if phases is None or before is None:
            return
        after = self.part.temperature().astype(np.float64)
        self.now, released = phases.advance(before, after, dt, self.now)
        heat = np.broadcast_to(released, self.part.block.shape) * self.part.inside
        self.part.add_heat(heat, self.part.state)
        self.part.note_heat(heat)

    def _look_up(self) -> None:
        """Save the state if it is time, and stop if we are to; all ranks together."""
        ranks = self.part.ranks
        if ranks.size > 1 and self.steps % STOP_EVERY:
            return
        due = self.saves is not None and self.saves.is_due
        told = ranks.allgather((self.stop(), due))
        stop = any(one for one, _ in told)
        why = self._save() if stop or told[0][1] else ""
        if stop:
            raise StoppedError(f"stopped after {self.steps} steps{why}")

    def _save(self) -> str:
        """Save the state if it has moved; return what is to be said of one that could not be."""
        if self.saves is None or self.steps == self.saved:
            return ""
        if why := self.saves.save(parts_of(self)):
            return f", not saved: {why}"
        self.saved = self.steps
        return ""

    def _keep(self) -> None:
        self.frames.append(self._own(self.part.temperature()))
        self.fractions.append({name: self._own(np.array(self.now[name])) for name in self.names})

    def _own(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return an array of three axes as one of the grid's."""
        return values.reshape(values.shape[3 - self.part.geometry.axes :])

    def history(self, seconds: float) -> History:
        """Return what was kept."""
        lead = 3 - self.part.geometry.axes
        return History(
            times=np.array(self.times),
            temperature=np.stack(self.frames),
            where=self.part.block.where[lead:],
            fractions={
                name: np.stack([one[name] for one in self.fractions]) for name in self.names
            },
            facts={**dict(self._facts()), **self.account.facts(), "seconds": seconds},
        )

    def _facts(self) -> Iterator[tuple[str, float]]:
        yield "steps", float(self.steps)
        yield "longest_step_s", self.longest
        yield "explicit_limit_s", self.limit
        yield "largest_cfl", self.longest / self.limit


def saves_of(case: Case) -> tuple[float, ...]:
    """Return the save times: start and end if none are asked for."""
    return case.save_times or (0.0, case.end_s)
