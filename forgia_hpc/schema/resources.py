"""What a job asks of a cluster."""

from __future__ import annotations

import re
from dataclasses import dataclass

from forgia_hpc.errors import InputError, Problem

_WALLTIME = re.compile(
    r"(?:(?P<days>\d+)-)?(?P<hours>\d{1,3}):(?P<minutes>[0-5]\d):(?P<seconds>[0-5]\d)",
    re.ASCII,  # Slurm reads no other digits
)


_WORD = re.compile(r"[\w.@:+-]+")  # a line break in one would end the sbatch script's directives


def parse_walltime(text: str) -> int | None:
    """Return the seconds of `[D-]HH:MM:SS`, or None where the text is no walltime."""
    found = _WALLTIME.fullmatch(text)
    if not found:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


@dataclass(kw_only=True)
class Resources:
    """Nodes, ranks, devices, memory and time. None means: as the cluster's profile says."""

    nodes: int = 1
    ranks_per_node: int | None = None
    gpus_per_node: int | None = None
    cpus_per_rank: int | None = None
    mem_gb: int | None = None
    walltime: str | None = None  # None: half an hour, where nothing is charged
    partition: str | None = None
    qos: str | None = None
    account: str | None = None

    def __post_init__(self) -> None:
        """Refuse what no cluster could give."""
        problems = [
            Problem(
                field=f"resources.{name}",
                got=value,
                limit=f"at least {least} is needed",
                where="schema/resources.py",
            )
            for name, least in (
                ("nodes", 1),
                ("ranks_per_node", 1),
                ("gpus_per_node", 0),
                ("cpus_per_rank", 1),
                ("mem_gb", 1),
            )
            if isinstance(value := getattr(self, name), int) and value < least
        ]
        problems += [
            Problem(
                field=f"resources.{name}",
                got=value,
                limit="one word of letters, digits and . _ @ : + -",
                where="schema/resources.py",
            )
            for name in ("partition", "qos", "account")
            if (value := getattr(self, name)) is not None and not _WORD.fullmatch(str(value))
        ]
        if self.walltime is not None and not parse_walltime(self.walltime):
            problems.append(
                Problem(
                    field="resources.walltime",
                    got=self.walltime,
                    limit="a time above zero as [D-]HH:MM:SS is needed",
                    where="schema/resources.py",
                    fix="write 00:30:00 for half an hour",
                )
            )
        if problems:
            raise InputError(problems)

    @property
    def walltime_seconds(self) -> int:
        """The walltime in seconds, 0 where it is open; the only place that parses it."""
        return parse_walltime(self.walltime or "") or 0

    @property
    def world_size(self) -> int:
        """Ranks of the whole job."""
        return self.nodes * (self.ranks_per_node or 1)
