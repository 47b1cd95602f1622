"""What a job asks of a dataset."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction

from forgia_hpc.errors import InputError, Problem

_LONGEST_RUN = 1 << 16
_OF_FIELDS = ("steps_in", "steps_out", "stride")
_COUNTS = ("context", "min_context", "horizon", "channels", "run", *_OF_FIELDS)


class Order(Enum):
    """Whose turn it is to give a window."""

    mixture = "mixture"  # contributions keep fixed shares; small ones come round more often
    epoch = "epoch"  # each window of all contributions exactly once, then again


@dataclass(kw_only=True)
class Data:
    """Windows of `context + horizon` time steps over at most `channels` channels of one machine.

    Of fields: of `steps_in + steps_out` steps, `stride` apart, of one simulation.
    """

    dataset: str = "demo"
    contributions: list[str] = field(default_factory=list)  # empty: all of the dataset's
    purpose: str = ""  # what the model is for, where a policy wants to know; one word
    partial: str = (
        "refuse"  # where policies deny some of it: refuse the job, or allow it with the rest
    )
    context: int = 512  # time steps the model sees
    min_context: int = (
        32  # a window may begin before its series does; this much of it must be there
    )
    horizon: int = 64  # time steps the model predicts
    channels: int = 8  # of one group, trained jointly
    order: Order = Order.mixture
    temperature: float = 0.5  # mixture: share of a contribution ~ windows ** temperature
    shares: dict[str, float] = field(default_factory=dict)  # mixture: at most this much of one
    run: int = 1  # neighbouring windows that come in order (block shuffle); 1: full shuffle
    verify: bool = True  # compare each leaf's SHA-256 when it is first touched
    require_signatures: bool = False  # refuse a contribution that nobody trusted has signed
    io: str = "auto"  # mmap, pread, or auto: pread where the file system is remote
    select: list[str] = field(
        default_factory=list
    )  # channels, by name or semantic id; empty: all inputs
    rate_hz: str = (
        ""  # resample every group to this rational rate, e.g. 100 or 1/300; empty: as it is
    )
    normalise: str = "none"  # or channel: by the mean and deviation sealed with the training shards
    steps_in: int = 2  # of fields: steps of a simulation that the model sees
    steps_out: int = 1  # and rolls out in training
    stride: int = 1  # of the trajectories' steps that one step of the model is
    fields: list[str] = field(default_factory=list)  # by name; empty: all that vary in time

    def __post_init__(self) -> None:
        """Refuse windows that cannot be cut."""
        problems = [
            Problem(
                field=f"data.{name}",
                got=getattr(self, name),
                limit="at least 1 is needed",
                where="schema/data.py",
            )
            for name in _COUNTS
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
        if self.partial not in ("refuse", "allow"):
            limit = "refuse or allow"
            problems.append(Problem(field="data.partial", got=self.partial, limit=limit))
        problems += self._order_problems()
        problems += self._reading_problems()
        if problems:
            raise InputError(problems)

    def _reading_problems(self) -> list[Problem]:
        """Return what is wrong with the words of how values are read."""
        words = {"io": ("auto", "mmap", "pread"), "normalise": ("none", "channel")}
        problems = [
            Problem(
                field=f"data.{name}", got=getattr(self, name), limit=f"one of {', '.join(known)}"
            )
            for name, known in words.items()
            if getattr(self, name) not in known
        ]
        if self.rate_hz and not _is_rate(self.rate_hz):
            limit = "steps a second above 0: 100, 0.5, 25600 or 1/300"
            problems.append(Problem(field="data.rate_hz", got=self.rate_hz, limit=limit))
        return problems

    def _order_problems(self) -> list[Problem]:
        """Return what is wrong with the words of the order."""
        limits = [
            ("data.run", self.run, f"at most {_LONGEST_RUN}", self.run > _LONGEST_RUN),
            *(
                (f"data.shares.{name}", share, "above 0, up to 1", not 0 < share <= 1)
                for name, share in self.shares.items()
            ),
        ]
        problems = [
            Problem(field=name, got=got, limit=limit, where="schema/data.py")
            for name, got, limit, broken in limits
            if broken
        ]
        if self.shares and self.order is Order.epoch:
            limit = "a mixture has shares; in an epoch each window comes once"
            fix = "data.order=mixture, or no data.shares"
            problems.append(Problem(field="data.shares", got=self.shares, limit=limit, fix=fix))
        return problems


def _is_rate(text: str) -> bool:
    """Return whether a text is a rational above 0."""
    try:
        return Fraction(text) > 0
    except (ValueError, ZeroDivisionError):
        return False
