"""The twin: a member solved by other code and another method, on the same mesh, from the sealed words alone.

Heun's steps of the enthalpy, short; links of a net instead of a stencil; surfaces by halving. Slow, and meant so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.simulate.admission.body import Body, Wall, body_of
from forgia_hpc.simulate.admission.flows import Passage, at_surface
from forgia_hpc.simulate.admission.properties import Matter, matter_near
from forgia_hpc.simulate.admission.reading import Asked, UnreadError

Floats = NDArray[np.float64]
_SHARE = 0.4  # of the longest stable step
_MOST = 20_000  # steps
_FLUXED_K = 400.0  # a flux may drive cells beyond start and surroundings: room in the tables


class Twin:
    """A member's body, material and walls."""

    def __init__(self, asked: Asked) -> None:
        """Take what was asked; UnreadError where this reading does not know a word."""
        self.asked = asked
        self.body: Body = body_of(asked)
        self.laws = asked.laws()
        drives = [asked.initial, *asked.ambients()]
        drives += (
            [one + way for one in drives for way in (-_FLUXED_K, _FLUXED_K)]
            if self._is_fluxed()
            else []
        )
        self.matter: Matter = matter_near(asked.options["material"], min(drives), max(drives))
        alike = {
            self._key(one): one for one in self.body.walls
        }  # most bodies have one law on many sides
        made = {
            key: Passage(self.laws[one.side], one.half, self.matter) for key, one in alike.items()
        }
        self.passages = [made[self._key(one)] for one in self.body.walls]

    def _key(self, wall: Wall) -> str:
        return f"{wall.half!r} {self.laws[wall.side]}"

    def alike(self) -> list[tuple[Passage, list[Wall]]]:
        """Return each passage with the walls that it is behind."""
        found: dict[int, tuple[Passage, list[Wall]]] = {}
        for wall, passage in zip(self.body.walls, self.passages, strict=True):
            found.setdefault(id(passage), (passage, []))[1].append(wall)
        return list(found.values())

    def _is_fluxed(self) -> bool:
        return any(law["law"] == "flux" for laws in self.laws.values() for law in laws)

    def flows(self, t: Floats) -> list[Floats]:
        """Return W into each wall's cells."""
        return [
            wall.area * passage(t[wall.cells])
            for wall, passage in zip(self.body.walls, self.passages, strict=True)
        ]

    def heat(self, t: Floats) -> float:
        """Return J of the whole body."""
        return self.matter.heats.total(t, self.body.volumes)

    def rates(self, heat: Floats) -> Floats:
        """Return W/m3 of each cell."""
        t = self.matter.temperature_of(heat)
        through = self.body.links * (self.body.apart @ self.matter.theta_of(t))
        gained = -(self.body.apart.T @ through)
        for wall, flow in zip(self.body.walls, self.flows(t), strict=True):
            np.add.at(gained, wall.cells, flow)
        return np.asarray(gained / self.body.volumes)

    def solved(self, times: Sequence[float] | Floats) -> Floats:
        """Return the temperatures (step, cell), °C."""
        cells = self.body.volumes.size
        heat = self.matter.heat_of(np.full(cells, self.asked.initial))
        longest, now = self.step_s, float(times[0])
        found: list[Floats] = []
        if (times[-1] - times[0]) / longest > _MOST:
            raise UnreadError(f"more than {_MOST} steps")
        for time in times:
            count = int(np.ceil((time - now) / longest)) if time > now else 0
            for _ in range(count):
                heat = self._step(heat, (time - now) / count)
            now = time
            found.append(self.matter.temperature_of(heat))
        return np.array(found)

    @property
    def step_s(self) -> float:
        """The step that is taken, at most."""
        return _SHARE * self._stable()

    @property
    def is_clear(self) -> bool:
        """Whether every wall has one surface temperature for each of its cells'."""
        return all(one.is_clear for one in self.passages)

    def _step(self, heat: Floats, dt: float) -> Floats:
        first = self.rates(heat)
        return heat + 0.5 * dt * (first + self.rates(heat + dt * first))

    def _stable(self) -> float:
        """Return the longest step that keeps every cell between its neighbours and walls."""
        most, least = float(self.matter.k.max()), float(self.matter.capacity.min())
        pull = abs(self.body.apart).T @ self.body.links * most
        for wall in self.body.walls:
            np.add.at(pull, wall.cells, wall.area * self._grip(wall, most))
        return float((least * self.body.volumes / pull).min())

    def _grip(self, wall: Any, most: float) -> float:
        """Return the steepest W/(m2 K) of a wall, behind half a cell."""
        laws = [one for one in self.laws[wall.side] if one["law"] not in ("symmetry", "flux")]
        if not laws:
            return 0.0
        behind = most / float(wall.half)
        if any(one["law"] == "fixed" for one in laws):
            return behind
        slope = float(np.abs(np.gradient(at_surface(laws, self.matter.at), self.matter.at)).max())
        return slope * behind / (slope + behind)
