"""How a model is trained: parallelism, optimizer, steps."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from forgia_hpc.errors import InputError, Problem


class Precision(Enum):
    """Arithmetic of the forward and backward pass; the optimizer keeps float32 masters."""

    bf16 = "bf16"
    fp32 = "fp32"


@dataclass(kw_only=True)
class Parallel:
    """DeepSpeed ZeRO: what is partitioned over the ranks."""

    name: str = "zero1"
    zero_stage: int = 1
    precision: Precision = Precision.bf16
    offload_optimizer: bool = False

    def __post_init__(self) -> None:
        """Refuse stages that DeepSpeed does not have."""
        if self.zero_stage not in range(4):
            raise InputError(
                Problem(
                    field="parallel.zero_stage",
                    got=self.zero_stage,
                    limit="0, 1, 2 or 3",
                    where="schema/training.py",
                )
            )


@dataclass(kw_only=True)
class Optimizer:
    """AdamW with linear warm-up, then constant, then linear decay to zero (WSD)."""

    name: str = "adamw"
    learning_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.95
    weight_decay: float = 0.1
    clip: float = 1.0  # global gradient norm
    warmup: float = 0.05  # share of the steps
    decay: float = 0.3  # share of the steps, at the end

    def __post_init__(self) -> None:
        """Refuse rates and shares outside their ranges."""
        problems = []
        if self.learning_rate <= 0:
            problems.append(
                Problem(
                    field="optimizer.learning_rate",
                    got=self.learning_rate,
                    limit="above 0",
                    where="schema/training.py",
                )
            )
        problems += [
            Problem(
                field=f"optimizer.{name}",
                got=getattr(self, name),
                limit="0 to 1",
                where="schema/training.py",
            )
            for name in ("beta1", "beta2", "warmup", "decay")
            if not 0 <= getattr(self, name) <= 1
        ]
        if self.warmup + self.decay > 1:
            problems.append(
                Problem(
                    field="optimizer.decay",
                    got=self.decay,
                    limit=f"warmup {self.warmup} and decay together at most 1",
                    where="schema/training.py",
                )
            )
        if problems:
            raise InputError(problems)


@dataclass(kw_only=True)
class Train:
    """Steps, batch and checkpoints."""

    steps: int = 200
    global_batch: int = 32  # windows an optimizer step, over all ranks
    micro_batch: int | None = None  # windows a rank and forward pass; None: the rank's whole share
    log_every: int = 1
    checkpoint_every: int = 50
    keep: int = 2  # newest checkpoints kept; the last whole one is never deleted
    max_skipped: int = (
        5  # optimizer steps in a row that DeepSpeed may skip (overflow) before the job fails
    )
    stall_s: float | None = (
        None  # a standstill so long ends the job; None: 20 steps, at least 120 s; 0: never
    )
    start_from: str | None = None  # a run whose output/model gives the first weights

    def __post_init__(self) -> None:
        """Refuse counts that mean nothing."""
        problems = [
            Problem(
                field=f"train.{name}",
                got=getattr(self, name),
                limit="at least 1 is needed",
                where="schema/training.py",
            )
            for name in (
                "steps",
                "global_batch",
                "log_every",
                "checkpoint_every",
                "keep",
                "max_skipped",
            )
            if getattr(self, name) < 1
        ]
        if self.stall_s is not None and self.stall_s < 0:
            limit = "0 (never) or more seconds"
            problems.append(Problem(field="train.stall_s", got=self.stall_s, limit=limit))
        if self.micro_batch is not None and self.micro_batch < 1:
            problems.append(
                Problem(
                    field="train.micro_batch",
                    got=self.micro_batch,
                    limit="at least 1 is needed",
                    where="schema/training.py",
                )
            )
        if problems:
            raise InputError(problems)
