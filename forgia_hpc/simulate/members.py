"""The frozen list of members: made once at submission, sealed as inputs/members.json, read by every group.

By columns, one entry a member, in order: the level-0 members first, then those that are solved again on a finer
mesh. A member's number is its place in the columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from forgia_hpc.data.layout import Split
from forgia_hpc.errors import SealBrokenError
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.simulate.digests import member_id, member_seed
from forgia_hpc.simulate.member import Input, Member

FORMAT = "forgia.members/1"
FILE = "members"  # .json, in the inputs of the run
# the words of an ensemble → those of a dataset, as The Well's files have them
SPLITS = {"train": Split.train, "valid": Split.held_out_time, "test": Split.held_out_machines}


@dataclass(frozen=True, kw_only=True)
class Members:
    """An ensemble as it was frozen."""

    dataset: str
    solver: str  # the solver's digest
    inputs: tuple[Input, ...]  # of the members, in the order of the columns
    members: tuple[Member, ...]
    into: str = ""  # the directory that the dataset comes to lie in
    memory_bytes: int | None = None  # of one rank, at most; None: the solver does not say
    design: Mapping[str, Any] = field(
        default_factory=dict
    )  # method, seed, ranges, constraints, split

    @cached_property
    def coarse(self) -> dict[int, int]:
        """Number of each refined member → number of the one that it is compared with."""
        plain = {tuple(one.inputs.values()): one.number for one in self.members if not one.level}
        return {one.number: plain[tuple(one.inputs.values())] for one in self.members if one.level}


def members_json(ensemble: Members) -> dict[str, Any]:
    """Return the content of inputs/members.json."""
    rows, names = ensemble.members, [one.name for one in ensemble.inputs]
    return {
        "format": FORMAT,
        "dataset": ensemble.dataset,
        "solver": ensemble.solver,
        "into": ensemble.into,
        "memory_bytes": ensemble.memory_bytes,
        "design": dict(ensemble.design),
        "inputs": [
            {"name": one.name, "ucum": one.ucum, "quantity": one.quantity}
            for one in ensemble.inputs
        ],
        "members": {
            "id": [one.id for one in rows],
            "split": [one.split for one in rows],
            "level": [one.level for one in rows],
            "values": {name: [float(one.inputs[name]) for one in rows] for name in names},
        },
    }


def load_members(run: RunDir) -> Members:
    """Return the members of a run.

    Raises:
        SealBrokenError: the list is not what was sealed: an id does not fit its inputs.
    """
    path = run.inputs / f"{FILE}.json"
    content = read_json(path)
    try:
        return from_json(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SealBrokenError(f"{path}: no list of members ({error})") from error


def from_json(content: Mapping[str, Any]) -> Members:
    """Return the members of such a content.

    Raises:
        KeyError, TypeError, ValueError: it is none, or an id does not fit.
    """
    if content["format"] != FORMAT:
        raise ValueError(f"format {content['format']!r} instead of {FORMAT}")
    inputs = tuple(Input(**one) for one in content["inputs"])
    columns, names = content["members"], [one.name for one in inputs]
    rows = zip(columns["id"], columns["split"], columns["level"], strict=True)
    found = [
        numbered(
            number,
            {name: columns["values"][name][number] for name in names},
            content["solver"],
            split,
            level,
        )
        for number, (_, split, level) in enumerate(rows)
    ]
    wrong = [one.number for one in found if one.id != columns["id"][one.number]]
    if wrong:
        raise ValueError(f"the id of member {wrong[0]} does not fit its inputs")
    return Members(
        dataset=content["dataset"],
        solver=content["solver"],
        inputs=inputs,
        members=tuple(found),
        into=content["into"],
        memory_bytes=content["memory_bytes"],
        design=content["design"],
    )


def numbered(
    number: int, inputs: Mapping[str, float], solver: str, split: str, level: int = 0
) -> Member:
    """Return the member with its id and seed."""
    return Member(
        number=number,
        id=member_id(inputs, solver, level),
        inputs=inputs,
        split=split,
        level=level,
        seed=member_seed(inputs, solver),
    )


def of_level(members: Sequence[Member], level: int = 0) -> list[Member]:
    """Return the members of a level."""
    return [one for one in members if one.level == level]
