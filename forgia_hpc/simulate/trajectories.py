"""The admitted members as the dataset has them, made one at a time: of a million only what differs is held."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from forgia_hpc.data.fields.layout import Array, Trajectory
from forgia_hpc.simulate.blocks import TIMES
from forgia_hpc.simulate.kept import Kept, UnsoundMember
from forgia_hpc.simulate.lazy import Lazy
from forgia_hpc.simulate.member import Member
from forgia_hpc.simulate.members import SPLITS


@dataclass(frozen=True, slots=True)
class Told(Mapping[str, Any]):
    """A member's provenance, read from its line when somebody looks."""

    kept: Kept
    member: Member

    def __getitem__(self, name: str) -> Any:
        """Return one entry."""
        return self.kept.provenance(self.member)[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self.kept.provenance(self.member))

    def __len__(self) -> int:
        """Return how many entries there are."""
        return len(self.kept.provenance(self.member))


class Trajectories(Lazy[Trajectory]):
    """Members by their place; times that many share are held once, fields are read when they are written."""

    def __init__(self, kept: Kept, members: Sequence[Member]) -> None:
        """Read times and signals of all; `unsound` has those that are not what the journal says."""
        self._kept = kept
        self._parameters = [one.name for one in kept.schema.parameters]
        self._values = {one.name: np.zeros(0) for one in kept.schema.fields if one.per_trajectory}
        self._tables: list[Array] = []
        self._known: dict[str | bytes, int] = {}  # place of a table, by its checksum or its bytes
        self._times, self._signals = array("i"), list[dict[str, Array]]()
        self.unsound: dict[int, str] = {}
        self.members = [one for one in members if self._has(one)]

    def _has(self, member: Member) -> bool:
        kept = self._kept
        try:
            table = self._table(member)
            if names := [one.name for one in kept.schema.signals]:
                own = {name: kept.read(member, f"signals/{name}") for name in names}
                self._signals.append(own)
        except UnsoundMember as error:
            self.unsound[error.number] = str(error)
            return False
        self._times.append(table)
        return True

    def _table(self, member: Member) -> int:
        told = self._kept.sum(member, TIMES)
        if told is not None and told in self._known:
            return self._known[told]
        times = self._kept.read(member, TIMES)
        name = told or times.tobytes()
        if name not in self._known:
            self._known[name] = len(self._tables)
            self._tables.append(times)
        return self._known[name]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.members)

    def item(self, at: int) -> Trajectory:
        """Return one."""
        member = self.members[at]
        return Trajectory(
            member=member.id,
            split=SPLITS[member.split],
            times=self._tables[self._times[at]],
            values=self._values,
            parameters={name: float(member.inputs[name]) for name in self._parameters},
            signals=self._signals[at] if self._signals else {},
            provenance=Told(self._kept, member),
        )


class Reordered(Lazy[Trajectory]):
    """The same in another order."""

    def __init__(self, given: Sequence[Trajectory], order: Sequence[int]) -> None:
        """Take where each one stands."""
        self._given, self._order = given, array("q", order)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._order)

    def item(self, at: int) -> Trajectory:
        """Return one."""
        return self._given[self._order[at]]
