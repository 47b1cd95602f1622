"""Real ranks, healthy with long checkpoints or stuck in one of four ways: no false alarm, the right culprit."""

from __future__ import annotations

import os
import random
import signal
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from ranks.test_stall import Loop

from forgia_hpc.node.stall import Kind

HEALTHY = 0.8  # of the trials
FAULTS = {
    "none": Kind.dead_rank,  # and SIGSTOP
    "skip": Kind.stuck_collective,
    "fifo": Kind.blocked_read,
    "slow": Kind.straggler,
}


class Stalls:
    """A trial: three ranks in a loop with the phases of a training, and the verdict of the watch."""

    def __init__(self, scratch: Path) -> None:
        """Take a directory for the runs."""
        self._scratch = scratch

    def __enter__(self) -> Stalls:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave nothing: each trial ends its ranks."""

    def trial(self, chance: random.Random) -> dict[str, Any]:
        """Run one loop and compare the verdict with what was done to it."""
        scenario = "healthy" if chance.random() < HEALTHY else chance.choice(list(FAULTS))
        stopped = chance.randint(1, 60)
        with tempfile.TemporaryDirectory(dir=self._scratch) as root:
            loop = Loop(Path(root), scenario)
            try:
                if scenario == "none":
                    loop.until_step(stopped)
                    loop.watch.look()
                    os.kill(loop.processes[1].pid, signal.SIGSTOP)
                found = loop.verdict(300)
                codes = [process.wait() for process in loop.processes] if found is None else []
            finally:
                loop.end()
        faults = [] if not any(codes) else [f"the ranks ended with {codes}"]
        wanted = FAULTS.get(scenario)
        if wanted is None and found is not None:
            faults.append(f"a false alarm: {found}")
        if wanted is not None and (found is None or (found.kind, found.ranks) != (wanted, (1,))):
            faults.append(f"{found or 'no verdict'} instead of {wanted.value}: rank 1")
        what = "healthy, long checkpoints" if wanted is None else wanted.value
        return {"what": what, "verdict": str(found or ""), "faults": faults}
