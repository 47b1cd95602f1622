"""The numbers of the members that were solved, wherever they lie: in blocks, or in a dataset sealed earlier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from forgia_hpc.data.fields.layout import Array, Schema, Trajectory
from forgia_hpc.digest import digest_of
from forgia_hpc.simulate.blocks import TIMES, Rows, Unsound, is_same
from forgia_hpc.simulate.known import Known
from forgia_hpc.simulate.member import Member
from forgia_hpc.simulate.members import SPLITS, Members
from forgia_hpc.simulate.progress import Ending, Progress, Settled
from forgia_hpc.simulate.refine import Difference, difference


class UnsoundMember(Exception):  # noqa: N818 - a finding, not an error of ours
    """An admitted member whose numbers are gone, or are not what the journal says."""

    def __init__(self, number: int, why: str) -> None:
        """Take the member's number and why."""
        super().__init__(why)
        self.number = number


class Kept:
    """Reads what was admitted; every array is compared with the journal when it is read."""

    def __init__(
        self, members: Members, schema: Schema, progress: Progress, known: Known, rows: Rows
    ) -> None:
        """Take the members and what became of them, and where their numbers may lie."""
        self._members, self.schema, self._progress = members, schema, progress
        self._known, self._rows = known, rows
        self._tables: dict[str, Array] = {}  # times that many members share, by their checksum

    def admitted(self, level: int) -> list[Member]:
        """Return the admitted members of a level, in order."""
        return [
            one
            for one in self._members.members
            if one.level == level and self.ending(one) is Ending.admitted
        ]

    def ending(self, member: Member) -> Ending | None:
        """Return what has become of a member."""
        found = self._progress.settled(member.number)
        return found.ending if found else None

    def settled(self, member: Member) -> Settled:
        """Return the word that settled a member."""
        found = self._progress.settled(member.number)
        assert found is not None
        return found

    def read(self, member: Member, name: str) -> Array:
        """Return one array of an admitted member, as it is stored.

        Raises:
            UnsoundMember: it is not what the journal says.
        """
        line = self._line(member)
        try:
            if not self._known.has_numbers(member.id):
                return self._rows.read(line, name)
            try:
                return self._of_known(member, name)
            except Unsound:
                if "file" not in line:
                    raise
                return self._rows.read(line, name)  # it was solved again because of that
        except Unsound as error:
            raise UnsoundMember(member.number, str(error)) from error

    def _of_known(self, member: Member, name: str) -> Array:
        array = self._known.read(member.id, name)
        told = self._line(member).get("sums", {}).get(name)
        if told and not is_same(array, told):
            raise Unsound(f"{name} in the sealed dataset differs from the journal's")
        return array

    def sum(self, member: Member, name: str) -> str | None:
        """Return the checksum that the journal has of an array; None where a sealed dataset has it."""
        found = self._line(member).get("sums", {}).get(name)
        return found if isinstance(found, str | None) else digest_of(found)

    def _line(self, member: Member) -> Mapping[str, Any]:
        return self.settled(member).line or {}

    def trajectory(self, member: Member) -> Trajectory:
        """Return a member as the dataset has it; its fields are read when they are written.

        Raises:
            UnsoundMember: times or signals are not what the journal says.
        """
        names = [one.name for one in self.schema.parameters]
        return Trajectory(
            member=member.id,
            split=SPLITS[member.split],
            times=self._times(member),
            values=dict.fromkeys(self._fields(), np.zeros(0)),
            parameters={name: float(member.inputs[name]) for name in names},
            signals={
                one.name: self.read(member, f"signals/{one.name}") for one in self.schema.signals
            },
            provenance=self._provenance(member),
        )

    def _times(self, member: Member) -> Array:
        told = self._line(member).get("sums", {}).get(TIMES, "")
        if told not in self._tables:
            times = self.read(member, TIMES)
            if not told:
                return times
            self._tables[told] = times
        return self._tables[told]

    def _fields(self) -> list[str]:
        return [one.name for one in self.schema.fields if one.per_trajectory]

    def _provenance(self, member: Member) -> Mapping[str, Any]:
        line = self._line(member)
        if "findings" not in line:
            told: Mapping[str, Any] = self._known.provenance(member.id)
            return told
        return {"solver": self._members.solver, "findings": line["findings"]}

    def difference(self, fine: Member) -> Difference | None:
        """Return what the refinement of a member shows; None where the coarse one was not admitted.

        Raises:
            UnsoundMember: the numbers of one of the two are not the journal's.
        """
        if fine.id in self._known.refined:
            told: Difference = self._known.refined[fine.id]
            return told
        coarse = self._members.members[self._members.coarse[fine.number]]
        if self.ending(coarse) is not Ending.admitted:
            return None
        both = [
            {one.name: self.read(level, f"fields/{one.name}") for one in self.schema.fields}
            for level in (coarse, fine)
        ]
        return difference(self.schema, *both)
