"""The learning rate as a pure function of the step, so a resumed run needs nothing to go on."""

from __future__ import annotations

from forgia_hpc.schema.training import Optimizer


def learning_rate(step: int, steps: int, optimizer: Optimizer) -> float:
    """Return the rate of step 1 … steps: linear warm-up, constant, linear decay towards zero (WSD).

    The last step still learns: its rate is one part in as many as the decay has steps.
    """
    warming = round(optimizer.warmup * steps)
    decaying = round(optimizer.decay * steps)
    rising = min(1.0, step / warming) if warming else 1.0
    falling = min(1.0, (steps - step + 1) / decaying) if decaying else 1.0
    return optimizer.learning_rate * min(rising, falling)
