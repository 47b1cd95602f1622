"""How much of an allocation is free: whole numbers of CPUs, GB and GPUs on each of its nodes."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass
class Room:
    """What is free on a node, or what a point needs of each of its nodes."""

    cpus: int
    mem_gb: float
    gpus: int


def rooms_of(allocation: Mapping[str, Any] | None) -> list[Room]:
    """Return the nodes of an allocation; without one, this machine."""
    if allocation is None:
        return [Room(cpus=os.cpu_count() or 1, mem_gb=math.inf, gpus=0)]
    node = needs(allocation)
    mem_gb = node.mem_gb or math.inf
    return [Room(cpus=node.cpus, mem_gb=mem_gb, gpus=node.gpus) for _ in range(allocation["nodes"])]


def needs(resources: Mapping[str, Any]) -> Room:
    """Return what resources ask of one node."""
    cpus = (resources["ranks_per_node"] or 1) * (resources["cpus_per_rank"] or 1)
    return Room(cpus=cpus, mem_gb=resources["mem_gb"] or 0, gpus=resources["gpus_per_node"] or 0)


class Rooms:
    """The nodes of an allocation."""

    def __init__(self, nodes: Sequence[Room]) -> None:
        """Take the nodes as they are when nothing runs."""
        self._nodes = list(nodes)
        self._empty = [Room(**node.__dict__) for node in nodes]

    @property
    def any_left(self) -> bool:
        """Whether any CPU is free."""
        return any(node.cpus > 0 for node in self._nodes)

    def find(self, resources: Mapping[str, Any]) -> list[int] | None:
        """Return nodes with room for a point, or None. One wider than a machine without Slurm gets all of it."""
        need = needs(resources)
        fitting = [
            number
            for number, (node, empty) in enumerate(zip(self._nodes, self._empty, strict=True))
            if node.cpus >= min(need.cpus, empty.cpus)
            and node.mem_gb >= need.mem_gb
            and node.gpus >= min(need.gpus, empty.gpus)
        ]
        return fitting[: resources["nodes"]] if len(fitting) >= resources["nodes"] else None

    def hold(self, places: Sequence[int], resources: Mapping[str, Any]) -> None:
        """Take room."""
        self._change(places, resources, -1)

    def free(self, places: Sequence[int], resources: Mapping[str, Any]) -> None:
        """Give room back."""
        self._change(places, resources, 1)

    def _change(self, places: Sequence[int], resources: Mapping[str, Any], sign: int) -> None:
        need = needs(resources)
        for place in places:
            self._nodes[place].cpus += sign * need.cpus
            self._nodes[place].mem_gb += sign * need.mem_gb
            self._nodes[place].gpus += sign * need.gpus
