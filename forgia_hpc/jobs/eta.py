"""When: the start that Slurm expects of a waiting job, and how long a running training still takes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

DAY_S = 86_400


def starts(estimate: str, now: float) -> str:
    """Return Slurm's estimate (local time, as squeue gives it) in words; nothing where it has none."""
    try:
        at = datetime.fromisoformat(estimate).timestamp()
    except ValueError:
        return ""  # N/A: the backfill scheduler has not planned it yet
    if at <= now:
        return "starts soon"
    clock = "%H:%M" if at - now < DAY_S / 2 else "%a %d %b %H:%M"
    return f"starts about {time.strftime(clock, time.localtime(at))}"


def left(row: Mapping[str, Any]) -> str:
    """Return how long the phase of this row of metrics still takes at the pace of its last steps."""
    step, of, pace = (row.get(name) for name in ("step", "of", "step_s"))
    if step is None or of is None or not pace:
        return ""
    seconds = (of - step) * pace
    if seconds <= 0:
        return ""
    for size, word in ((DAY_S, "d"), (3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"about {seconds / size:.0f} {word} left"
    return f"about {seconds:.0f} s left"
