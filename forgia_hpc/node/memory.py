"""Whether the kernel has killed processes here for want of memory: a SIGKILL does not say so itself."""

from __future__ import annotations

from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def oom_kills(own: Path = Path("/proc/self/cgroup"), root: Path = CGROUPS) -> int:
    """Return how often the kernel has killed for want of memory in our control group, or in all of our Slurm job.

    cgroups(7): `oom_kill` of memory.events counts a group and all below it; a step lies beside ours, below the
    job. In version 1 (RHEL 8) it stands in memory.oom_control and counts one group alone. 0 where nothing is told.
    """
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return max((_counted(line, root) for line in lines), default=0)


def _counted(line: str, root: Path) -> int:
    """Return the kills that one line of /proc/self/cgroup leads to."""
    _, controllers, path = line.split(":", 2)
    if not controllers:
        return _count(_job(root / path.lstrip("/")) / "memory.events")
    if "memory" not in controllers.split(","):
        return 0
    top = root / "memory"
    place = _job(top / path.lstrip("/"))
    below = (
        place.rglob("memory.oom_control") if place != top else ()
    )  # of the whole machine, none is ours
    return sum(map(_count, below))


class OomWatch:
    """Tells whether there were such kills since it was last asked."""

    def __init__(self) -> None:
        """Begin to count now."""
        self._seen = oom_kills()

    def has_grown(self) -> bool:
        """Whether the kernel has killed since."""
        before, self._seen = self._seen, oom_kills()
        return self._seen > before


def _job(place: Path) -> Path:
    """Return the control group of our Slurm job, or our own."""
    above = (one for one in (place, *place.parents) if one.name.startswith("job_"))
    return next(above, place)


def _count(path: Path) -> int:
    try:
        words = dict(line.split() for line in path.read_text(encoding="utf-8").splitlines())
        return int(words.get("oom_kill", 0))
    except (OSError, ValueError):
        return 0
