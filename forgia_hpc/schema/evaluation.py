"""How a trained model is judged."""

from __future__ import annotations

from dataclasses import dataclass, field

from forgia_hpc.errors import InputError, Problem


@dataclass(kw_only=True)
class Evaluate:
    """Rolling-origin forecasts on held-out machines and held-out time."""

    enabled: bool = True  # as the last phase of a train job
    run: str = ""  # the train run whose output/model is judged; empty: this very job's
    splits: list[str] = field(default_factory=lambda: ["held_out_machines", "held_out_time"])
    max_windows: int = 64  # a contribution and split, evenly spaced
    coverage: list[float] = field(default_factory=lambda: [0.5, 0.8])
    anomaly: bool = True
    examples: int = 2  # forecasts kept for the report, a contribution and split
    rollout: list[int] = field(default_factory=lambda: [1, 10, 50])  # of fields: steps ahead
    solver_s: float | None = None  # seconds of a trajectory, where the dataset does not say them

    def __post_init__(self) -> None:
        """Refuse counts that mean nothing."""
        problems = [
            Problem(
                field=f"evaluate.{name}",
                got=getattr(self, name),
                limit="at least 1 is needed",
                where="schema/evaluation.py",
            )
            for name in ("max_windows",)
            if getattr(self, name) < 1
        ]
        problems += [
            Problem(
                field="evaluate.coverage",
                got=level,
                limit="levels between 0 and 1",
                where="schema/evaluation.py",
            )
            for level in self.coverage
            if not 0 < level < 1
        ]
        if self.solver_s is not None and self.solver_s <= 0:
            limit = "seconds above 0"
            problems.append(Problem(field="evaluate.solver_s", got=self.solver_s, limit=limit))
        if not self.rollout or min(self.rollout) < 1:
            limit = "steps ahead, each at least 1"
            problems.append(Problem(field="evaluate.rollout", got=self.rollout, limit=limit))
        if problems:
            raise InputError(problems)
