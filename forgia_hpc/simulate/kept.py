"""The numbers of the members that were solved, wherever they lie: in blocks, or in a dataset sealed earlier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from forgia_hpc.data.fields.layout import Array, Schema
from forgia_hpc.digest import digest_of
from forgia_hpc.simulate.block_rows import Rows, Unsound
from forgia_hpc.simulate.blocks import is_same
from forgia_hpc.simulate.journal import Line, Lines
from forgia_hpc.simulate.known import Known
from forgia_hpc.simulate.member import Member
from forgia_hpc.simulate.members import Members
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
        self,
        members: Members,
        schema: Schema,
        progress: Progress,
        places: tuple[Known, Rows, Lines],
    ) -> None:
        """Take the members and what became of them, and where their numbers and lines may lie."""
        self._members, self.schema, self._progress = members, schema, progress
        self._known, self._rows, self._lines = places

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
        line = self.line(member)
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
        told = self.line(member).get("sums", {}).get(name)
        if told and not is_same(array, told):
            raise Unsound(f"{name} in the sealed dataset differs from the journal's")
        return array

    def sum(self, member: Member, name: str) -> str | None:
        """Return the checksum that the journal has of an array; None where a sealed dataset has it."""
        found = self.line(member).get("sums", {}).get(name)
        return found if isinstance(found, str | None) else digest_of(found)

    def holds(self, member: Member, name: str, array: Array) -> bool:
        """Whether an array is an admitted member's, to the last bit: by the journal's checksum where it has one.

        Raises:
            UnsoundMember: there is none, and the sealed dataset that has the member is not what was sealed.
        """
        told = self.line(member).get("sums", {}).get(name)
        if told:
            return is_same(array, told)
        return np.ascontiguousarray(array).tobytes() == self.read(member, name).tobytes()

    def line(self, member: Member) -> Line:
        """Return the line that settled a member."""
        word = self.settled(member)
        return self._lines.read(word.by, word.at)

    def mark(self, member: Member) -> tuple[str, int]:
        """Return what stands for a member's line: it is never changed, and another one lies elsewhere."""
        word = self.settled(member)
        return word.by, word.at

    def lines(self, number: int) -> list[Line]:
        """Return every line that settled a member of this number."""
        return [self._lines.read(one.by, one.at) for one in self._progress.words(number)]

    def provenance(self, member: Member) -> Mapping[str, Any]:
        """Return what the dataset says of how a member was made."""
        line = self.line(member)
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
