"""--timing: where the seconds of a submission go."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from forgia_hpc.cli.output import note
from forgia_hpc.stopwatch import Stopwatch, held

ORDER = ("start", "import", "compose", "check", "live", "seal", "render", "sbatch")


def timing_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --timing; the command itself need not know."""
    return click.option(
        "--timing",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_hold,
        help="Say on stderr where the seconds went.",
    )(command)


def _hold(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        begun = time.perf_counter()
        watch = ctx.with_resource(held())
        watch.seconds["start"] = _age_s()
        ctx.call_on_close(lambda: note(line(watch, time.perf_counter() - begun)))


def line(watch: Stopwatch, wall_s: float) -> str:
    """Return the parts in seconds; `start` is Python's until the command begins, `rest` what no part has."""
    start = watch.seconds["start"]
    inside = sum(seconds for name, seconds in watch.seconds.items() if name != "start")
    parts = {name: watch.seconds[name] for name in ORDER if name in watch.seconds}
    parts["rest"] = max(0.0, wall_s - inside)
    words = ", ".join(f"{name} {seconds:.2f}" for name, seconds in parts.items())
    return f"timing: {start + wall_s:.2f} s = {words}"


def _age_s() -> float:
    """Return the seconds since this process was started (proc(5): field 22, in ticks since boot)."""
    stat = Path("/proc/self/stat").read_text(encoding="utf-8")
    ticks = int(stat.rpartition(")")[2].split()[19])
    up = float(Path("/proc/uptime").read_text(encoding="utf-8").split()[0])
    return max(0.0, up - ticks / os.sysconf("SC_CLK_TCK"))
