"""What a job asks of a dataset."""

from __future__ import annotations

from dataclasses import dataclass, field

from forgia_hpc.errors import InputError, Problem


@dataclass(kw_only=True)
class Data:
    """Windows of `context + horizon` time steps over at most `channels` channels of one machine."""

    dataset: str = "demo"
    contributions: list[str] = field(default_factory=list)  # empty: all of the dataset's
    context: int = 512  # time steps the model sees
    min_context: int = (
        32  # a window may begin before its series does; this much of it must be there
    )
    horizon: int = 64  # time steps the model predicts
    channels: int = 8  # of one group, trained jointly
    temperature: float = 0.5  # share of a contribution ~ windows ** temperature
    verify: bool = True  # compare each leaf's SHA-256 when it is first touched

    def __post_init__(self) -> None:
        """Refuse windows that cannot be cut."""
        problems = [
            Problem(
                field=f"data.{name}",
                got=getattr(self, name),
                limit="at least 1 is needed",
                where="schema/data.py",
            )
            for name in ("context", "min_context", "horizon", "channels")
            if getattr(self, name) < 1
        ]
        if self.min_context > self.context:
            problems.append(
                Problem(
                    field="data.min_context",
                    got=self.min_context,
                    limit=f"at most data.context={self.context}",
                    where="schema/data.py",
                )
            )
        if not 0 <= self.temperature <= 1:
            problems.append(
                Problem(
                    field="data.temperature",
                    got=self.temperature,
                    limit="0 (equal shares) to 1 (by size)",
                    where="schema/data.py",
                )
            )
        if problems:
            raise InputError(problems)
