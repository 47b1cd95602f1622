"""What stands already where an ensemble's dataset comes to lie; read from manifest and index alone, without HDF5.

So the login wing asks the same question as the node, and gets the same answer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from forgia_hpc.data.fields.layout import FORMAT, Schema
from forgia_hpc.data.fields.opening import load_field_index
from forgia_hpc.data.fields.words import as_plain
from forgia_hpc.data.manifest import MANIFEST, load_manifest
from forgia_hpc.data.presence import find_faults
from forgia_hpc.errors import InputError, Problem, SealBrokenError
from forgia_hpc.simulate.members import Members

_MEND = (
    "bring the file back from a copy, or put that directory away: then its members are solved again"
)
_LOOKS = 3  # at a dataset that changes while it is looked at
_FIX = "choose another ensemble.dataset, or put that directory away"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A sealed dataset: whose members it has."""

    version: str
    ids: frozenset[str]  # with numbers
    refined: frozenset[str]  # what their refinement has shown is known
    solver: str  # its digest
    schema: Schema
    faults: tuple[str, ...] = ()  # files that are missing, or have another size


def standing(directory: Path) -> Standing | None:
    """Return what stands there; None where there is nothing.

    Raises:
        InputError, SealBrokenError: a dataset that can't be read, or one of another layout.
    """
    found = _look(directory)
    for _ in range(_LOOKS):
        if found is None or not found.faults:
            break
        # another job's dataset may have appeared between its manifest and its shards: then it is whole now
        before, found = found.version, _look(directory)
        if found is not None and found.version == before:
            break
    return found


def _look(directory: Path) -> Standing | None:
    if not (directory / MANIFEST).is_file():
        return None
    manifest = load_manifest(directory)
    if manifest.layout != FORMAT:
        raise SealBrokenError(f"{directory}: layout {manifest.layout or 'none'}, not {FORMAT}")
    index = load_field_index(manifest)
    told = manifest.provenance
    return Standing(
        version=manifest.version,
        ids=frozenset(name.decode() for name in index.trajectories["member"].tolist()),
        refined=frozenset(told.get("refinement", {}).get("members", {})),
        solver=str(told.get("solver", {}).get("digest", "")),
        schema=index.schema,
        faults=tuple(find_faults(manifest, directory)),
    )


def held(directory: Path, ids: Sequence[str]) -> int:
    """Return how many of these members need not be solved; 0 where the dataset can't be read."""
    try:
        there = standing(directory)
    except (InputError, SealBrokenError):
        return 0
    return len((there.ids | there.refined) & set(ids)) if there else 0


def growth_problems(members: Members, schema: Schema) -> list[Problem]:
    """Return why these members can't be sealed in the place of what stands there: something would be lost."""
    try:
        there = standing(Path(members.into))
    except (InputError, SealBrokenError) as error:
        return [_problem(members, f"can't be read ({error})")]
    if there is None:
        return []
    if there.faults:
        return [_problem(members, _first_of(there.faults), _MEND)]
    lost = there.ids - {one.id for one in members.members}
    if lost:
        return [_problem(members, _losing(there, members.solver, lost))]
    if not same_meaning(schema, there.schema):
        return [_problem(members, "its numbers mean something else: other fields, grid or inputs")]
    return []


def check_grows(members: Members, schema: Schema) -> None:
    """Refuse to put an ensemble in the place of a dataset that has other members.

    Raises:
        InputError: sealing would lose members of the dataset that stands there.
        SealBrokenError: files of it are missing or cut: it is left as it is.
    """
    try:
        there = standing(Path(members.into))
    except (InputError, SealBrokenError):
        there = None  # told below
    if there and there.faults:
        raise damaged(there.faults)
    if problems := growth_problems(members, schema):
        raise InputError(problems)


def damaged(faults: Sequence[str]) -> SealBrokenError:
    """Return what a person reads of a dataset whose files are not those that were sealed."""
    return SealBrokenError(f"{_first_of(faults)}; nothing was overwritten: {_MEND}")


def _first_of(faults: Sequence[str]) -> str:
    return faults[0] + (f", and {len(faults) - 1} files more" if len(faults) > 1 else "")


def same_meaning(ours: Schema, theirs: Schema) -> bool:
    """Whether two schemas differ in nothing but how the members were drawn."""
    return {**as_plain(ours), "design": {}} == {**as_plain(theirs), "design": {}}


def _losing(there: Standing, ours: str, lost: Collection[str]) -> str:
    """Return why members would be lost: they come from another solver, or are not in this ensemble."""
    if there.solver in ("", ours):
        count = f"{len(lost)} of its {len(there.ids)} members are"
        return f"{count} not in this ensemble, and would be lost"
    digests = f"digest {there.solver[:12]}, this job's has {ours[:12]}"
    why = "the solver's words or files are not the same"
    return f"{len(lost)} of its {len(there.ids)} members come from a solver with {digests}: {why}"


def _problem(members: Members, limit: str, fix: str = _FIX) -> Problem:
    return Problem(field="ensemble.dataset", got=members.into, limit=limit, fix=fix)
