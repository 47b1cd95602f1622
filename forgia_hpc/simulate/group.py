"""One group of ranks: takes members from the campaign's list, solves them one after another, and journals each.

Every rank of the group walks the same lines; the first one claims, writes and journals (simulate/taken.py).
"""

from __future__ import annotations

import faulthandler
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from forgia_hpc.data.fields.layout import Array, Schema
from forgia_hpc.errors import InputError, JobFailedError, SealBrokenError, StoppedError
from forgia_hpc.rundir import RunDir, write_json
from forgia_hpc.runtime.stop import StopFlag
from forgia_hpc.schema.job import SimulateJob
from forgia_hpc.simulate.admission.gate import put_on_trial
from forgia_hpc.simulate.agreement import Agreement, ApartError, Word
from forgia_hpc.simulate.blocks import no_room
from forgia_hpc.simulate.collective import Kept
from forgia_hpc.simulate.communicator import Alone, Communicator
from forgia_hpc.simulate.digests import solver_digest
from forgia_hpc.simulate.gather import Keep, gathered, keeping
from forgia_hpc.simulate.journal import campaign_of
from forgia_hpc.simulate.member import Finding, Member, MemberError, Output, Solver
from forgia_hpc.simulate.members import load_members
from forgia_hpc.simulate.solvers import Saving, check_machine, open_solver
from forgia_hpc.simulate.taken import Taken
from forgia_hpc.simulate.target import schema_of

FULL = (28, 122, 27)  # ENOSPC, EDQUOT, EFBIG


@dataclass(frozen=True)
class Told:
    """What became of one try of a member: solved, or failed for one kind of reason, or stopped half-way."""

    kind: str = ""  # empty: solved
    why: str = ""
    stopped: bool = False
    findings: Sequence[Finding] = ()
    facts: dict[str, float] = field(default_factory=dict)
    times: Any = None
    signals: dict[str, Array] = field(default_factory=dict)
    fields: dict[str, Array] = field(default_factory=dict)  # whole, on the first rank
    own: Output | None = None  # what this rank holds
    kept: Kept | None = None  # written by all ranks already
    seconds: float = 0.0


def solve_members(job: SimulateJob, run: RunDir, stop: StopFlag) -> None:
    """Solve members until none is left to take.

    Raises:
        StoppedError: asked to stop; everything settled is journaled.
        InputError: the disk is full, or the solver refuses its options.
    """
    faulthandler.enable()  # what a member's segfault was in, for the log
    ranks = _communicator(job.ensemble.ranks_per_member)
    members = load_members(run)
    if solver_digest(job.solver) != members.solver:
        raise SealBrokenError("the solver's files or words are not those that named the members")
    job.solver.program.wall_s = job.solver.program.wall_s or job.ensemble.member_s
    solver = open_solver(job.solver)
    if isinstance(solver, Saving):
        solver.save_s = job.ensemble.save_s
    check_machine(solver, ranks)
    asked, agreement = _asked(ranks, stop), Agreement(ranks)
    try:
        schema = schema_of(solver.schema(), members)
        opened = partial(Taken, job, run, members, schema)
        with _taken(ranks, opened) as taken, keeping(job, run, ranks, schema, taken) as keep:
            if ranks.bcast(taken.has_more(stop) if taken else None):
                put_on_trial(job, run, members, ranks, partial(_stored, ranks))
            while (number := ranks.bcast(taken.next(stop) if taken else None)) is not None:
                member = members.members[number]
                directory = campaign_of(run) / "work" / os.environ["FORGIA_LAUNCH"]
                told = _try(solver, member, ranks, (keep, agreement, directory, asked))
                if taken:
                    taken.settle(member, told)
    except OSError as error:
        if error.errno in FULL:
            raise no_room(error) from error
        raise
    if ranks.bcast(stop.requested):
        raise StoppedError("stopped between two members")


def _communicator(size: int) -> Communicator:
    """Return the group's ranks: alone without MPI, which a group of one need not start."""
    if size == 1:
        return Alone()
    from mpi4py import MPI  # noqa: PLC0415 - importing it starts MPI

    found: Communicator = MPI.COMM_WORLD
    if found.size != size:
        raise JobFailedError(f"MPI gave this group {found.size} ranks instead of {size}")
    return found


def _asked(ranks: Communicator, stop: StopFlag) -> Callable[[], bool]:
    """Return how a solver asks whether to stop: all ranks together, so that all hear the same."""
    if ranks.size == 1:
        return lambda: stop.requested
    return lambda: bool(ranks.bcast(stop.requested))


@contextmanager
def _taken(ranks: Communicator, opened: Callable[[], Taken]) -> Iterator[Taken | None]:
    """Give the first rank what claims and journals, the others nothing."""
    if ranks.rank:
        yield None
        return
    with opened() as taken:
        yield taken


def _try(
    solver: Solver,
    member: Member,
    ranks: Communicator,
    given: tuple[Keep, Agreement, Path, Callable[[], bool]],
) -> Told:
    """Solve a member once. What a rank alone can't survive ends the whole group, and is told beside."""
    began = time.perf_counter()
    keep, agreement, directory, asked = given
    told = _solved(
        _stages(solver, member, ranks, (directory, asked)), member, ranks, (agreement, directory)
    )
    if told.own is None:
        return told
    kept, fields = keep(member, told.own, all(one.passed for one in told.findings))
    return replace(told, fields=fields, kept=kept, seconds=time.perf_counter() - began)


def _stages(
    solver: Solver, member: Member, ranks: Communicator, given: tuple[Path, Callable[[], bool]]
) -> Iterator[Told | None]:
    """Solve a member, a stage a turn; the last one tells."""
    directory, asked = given
    case = solver.prepare(member, ranks, directory)
    yield None
    solver.run(case, asked)
    yield None
    output = solver.extract(case)
    yield None
    yield _told(output, solver.check(case, output))


def _solved(
    stages: Iterator[Told | None],
    member: Member,
    ranks: Communicator,
    given: tuple[Agreement, Path],
) -> Told:
    """Go through the stages, as long as all ranks do well."""
    agreement, directory = given
    told: Told | None = None
    while told is None:
        word: Word | None = None
        try:
            told = next(stages)
        except (MemberError, InputError, StoppedError) as error:
            word = _word(error)
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            sys.stderr.flush()
            word = type(error).__name__, f"{type(error).__name__}: {error}", False
            if ranks.size > 1:  # the other ranks may wait for this one in the solver
                _leave_word(member, ranks, word, directory)
                raise
        try:
            word = agreement.first(word)
        except ApartError as error:
            _leave_word(member, ranks, error.word, directory)
            raise
        if word is not None:
            return Told(*word)
    return told


def _word(error: MemberError | InputError | StoppedError) -> Word:
    if isinstance(error, MemberError):
        return error.kind, error.why, False
    if isinstance(error, InputError):
        return "input", str(error), False
    return "", str(error), True


def _told(output: Output, findings: Sequence[Finding]) -> Told:
    return Told(
        findings=tuple(findings),
        facts=dict(output.facts),
        times=np.asarray(output.times, "<f8"),
        signals=dict(output.signals),
        own=output,
    )


def _leave_word(member: Member, ranks: Communicator, word: Word, directory: Path) -> None:
    """Say beside the journal, which is the first rank's alone, what ended this group."""
    folder = directory.parent.parent / "words"
    folder.mkdir(exist_ok=True)
    told = {"member": member.number, "kind": word[0], "why": word[1]}
    write_json(folder / f"{directory.name}-{ranks.rank}.json", told)


def _stored(ranks: Communicator, schema: Schema, output: Output) -> dict[str, Array]:
    """Return the whole fields of an output on the first rank."""
    return gathered(schema, output, ranks)
