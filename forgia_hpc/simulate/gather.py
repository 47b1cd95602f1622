"""How the cells that the ranks of a group have solved come together: on the first rank, or in the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np

from forgia_hpc.data.fields.layout import Array, Field, Schema
from forgia_hpc.rundir import RunDir
from forgia_hpc.schema.job import SimulateJob
from forgia_hpc.schema.simulation import Writer
from forgia_hpc.simulate.collective import Kept, Together, check_parallel
from forgia_hpc.simulate.communicator import Communicator
from forgia_hpc.simulate.journal import campaign_of
from forgia_hpc.simulate.member import Member, Output
from forgia_hpc.simulate.shares import box_of, cuts_of, whole
from forgia_hpc.simulate.taken import Taken

Fields = dict[str, Array]
Keep = Callable[[Member, Output, bool], tuple[Kept | None, Fields]]  # of a member; has it passed?


@contextmanager
def keeping(
    job: SimulateJob, run: RunDir, ranks: Communicator, schema: Schema, taken: Taken | None
) -> Iterator[Keep]:
    """Give every rank what to call with a solved member; `taken` is the first rank's.

    Raises:
        InputError: it should be written by all ranks, and this h5py has no MPI.
    """
    if job.ensemble.writer is Writer.gather or ranks.size == 1:
        yield lambda member, output, passed: (None, gathered(schema, output, ranks))
        return
    check_parallel()
    with Together(ranks, campaign_of(run) / "blocks", schema) as together:
        yield partial(_keep, schema, ranks, taken, together)


def _keep(
    schema: Schema,
    ranks: Communicator,
    taken: Taken | None,
    together: Together,
    member: Member,
    output: Output,
    passed: bool,
) -> tuple[Kept | None, Fields]:
    """Write a member with all ranks; one that is not sound is brought to the first, which says why."""
    row = taken.row_of(member, len(output.times)) if taken else None
    kept = together.put(row, output, passed=passed)
    return (kept, {}) if kept else (None, gathered(schema, output, ranks))


def gathered(schema: Schema, output: Output, ranks: Communicator) -> Fields:
    """Return the whole fields on the first rank, put together of every rank's cells.

    Without one that a rank has not left; of one that fits nowhere, what does not: whoever takes them says so.
    """
    if ranks.size == 1:
        return dict(output.fields)
    pieces = ranks.gather((output.where, output.fields))
    if pieces is None:
        return {}
    return {
        one.name: _whole(schema, one, len(output.times), pieces)
        for one in schema.fields
        if all(one.name in fields for _, fields in pieces)
    }


def _whole(
    schema: Schema, one: Field, steps: int, pieces: Sequence[tuple[tuple[slice, ...], Fields]]
) -> Array:
    found = [(where, np.asarray(fields[one.name])) for where, fields in pieces]
    for where, values in found:
        box = box_of(schema, one, cuts_of(schema, where), steps)
        if values.shape != tuple(end - begin for begin, end in box):
            return values
    return whole(schema, one, steps, found)
