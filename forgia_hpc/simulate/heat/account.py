"""The book of heat: what the body holds against what came in, kept apart from the steps themselves."""

from __future__ import annotations

import numpy as np

from forgia_hpc.simulate.heat.part import Part


class Account:
    """Compares, whenever it is closed, the change of the body's heat with what walls and sources gave."""

    def __init__(self, part: Part) -> None:
        """Take a part at its start, all ranks together."""
        self.part = part
        self.first = self.content = part.content()
        self.most = self.content
        self.residual = 0.0  # J: the worst of all intervals
        self.per_step = 0.0  # J: the same over the steps of its interval
        self.entered, self.made = 0.0, 0.0
        self.lowest, self.highest = float(part.start.min()), float(part.start.max())

    def close(self, steps: int) -> None:
        """Settle an interval of so many steps."""
        part = self.part
        entered = part.sum(part.walls.taken())
        made = part.sum(part.made * part.volumes) if part.has_source else 0.0
        part.made[...] = 0.0
        before, self.content = self.content, part.content()
        residual = abs(self.content - before - entered - made)
        self.entered, self.made = self.entered + entered, self.made + made
        self.most = max(self.most, self.content)
        self.residual = max(self.residual, residual)
        self.per_step = max(self.per_step, residual / steps)

    def facts(self) -> dict[str, float]:
        """Return what was found, the same on every rank."""
        driven = self.part.walls.driven
        seen = self.part.ranks.allgather(
            (self.lowest, self.highest, driven.low, driven.high, driven.heated, driven.cooled)
        )
        lows, highs, cold, hot, heated, cooled = (list(one) for one in zip(*seen, strict=True))
        scale = self._exchangeable(min(*lows, *cold))
        drift = abs(self.content - self.first - self.entered - self.made)
        return {
            "energy_residual": self.per_step / scale if scale > 0 else 0.0,
            "energy_drift": drift / scale if scale > 0 else 0.0,
            "energy_residual_j": self.residual,
            "heat_entered_j": self.entered,
            "heat_made_j": self.made,
            "heat_content_j": self.content,
            "initial_low": min(lows),
            "initial_high": max(highs),
            "driven_low": float(np.min(cold)),
            "driven_high": float(np.max(hot)),
            "heated": float(any(heated)),
            "cooled": float(any(cooled)),
        }

    def _exchangeable(self, coldest: float) -> float:
        """Return J: the most heat that the body held above the coldest temperature in play, or took in."""
        matter = self.part.matter
        floor = float(matter.heat(matter.state(np.array([coldest])))[0]) * self.part.volume()
        return max(self.most - floor, abs(self.entered), abs(self.made))
