"""From the words of solver and ensemble to the frozen list of members: every problem at once, nothing written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf, prod
from pathlib import Path
from typing import Any

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.simulation import Ensemble
from forgia_hpc.schema.simulation import Solver as Words
from forgia_hpc.simulate.constraints import Constraint, parse
from forgia_hpc.simulate.dealing import dealt, refined
from forgia_hpc.simulate.design import Table, designed
from forgia_hpc.simulate.digests import solver_digest
from forgia_hpc.simulate.member import Input, Member, Solver
from forgia_hpc.simulate.members import Members, numbered, of_level
from forgia_hpc.simulate.rows import read_rows
from forgia_hpc.simulate.solvers import Doubting, Estimating, can_refine, open_solver
from forgia_hpc.simulate.spread import Spread, spreads

_TOLD = 10  # reasons of a solver


def freeze(words: Words, ensemble: Ensemble) -> Members:
    """Return the members of an ensemble.

    Raises:
        InputError: everything that is wrong with the solver's words, the inputs, the constraints and the groups.
    """
    solver = open_solver(words)
    known, digest = tuple(solver.inputs()), solver_digest(words)
    problems = _group_problems(solver, ensemble)
    columns: Table = {}
    spread: list[Spread] = []
    try:
        columns = read_rows(Path(ensemble.csv), known) if ensemble.csv else {}
        spread = spreads(ensemble.inputs, known, columns)
    except InputError as error:
        problems += error.problems
    constraints = _constraints(ensemble, known, problems)
    if problems:
        raise InputError(problems)
    table = _in_order(designed(ensemble, spread, constraints, columns), known)
    members = _members(table, ensemble, digest)
    if problems := _refused(solver, members, ensemble):
        raise InputError(problems)
    return Members(
        dataset=ensemble.dataset,
        solver=digest,
        inputs=tuple(replace(one, default=None, low=-inf, high=inf) for one in known),
        members=members,
        memory_bytes=_memory(solver, ensemble),
        design=_design_words(ensemble, spread),
    )


def _members(table: Table, ensemble: Ensemble, digest: str) -> tuple[Member, ...]:
    """Return the members of level 0 in design order, then those that are solved again on a finer mesh."""
    columns = {name: column.tolist() for name, column in table.items()}
    count = len(next(iter(columns.values())))
    shares = vars(ensemble.split)
    splits = dealt(count, shares, ensemble.seed, "split")
    plain = [
        numbered(number, {name: columns[name][number] for name in columns}, digest, splits[number])
        for number in range(count)
    ]
    fine = [
        numbered(count + at, plain[number].inputs, digest, splits[number], level=1)
        for at, number in enumerate(refined(count, ensemble.refine_share, ensemble.seed))
    ]
    return (*plain, *fine)


def _in_order(table: Table, known: Sequence[Input]) -> Table:
    """Return the columns in the order in which the solver declares its inputs."""
    return {one.name: table[one.name] for one in known}


def _constraints(
    ensemble: Ensemble, known: Sequence[Input], problems: list[Problem]
) -> list[Constraint]:
    """Return the constraints; add what is wrong with them."""
    found = []
    for number, text in enumerate(ensemble.constraints):
        try:
            found.append(
                parse(text, [one.name for one in known], f"ensemble.constraints[{number}]")
            )
        except InputError as error:
            problems += error.problems
    return found


def _group_problems(solver: Solver, ensemble: Ensemble) -> list[Problem]:
    """Return what this solver can't do for any member: differ, be refined, be shared by so many ranks."""
    cells, ranks = prod(solver.schema().grid.shape), ensemble.ranks_per_member
    faults = (
        (
            not solver.inputs(),
            "members",
            ensemble.members,
            "the solver has no inputs, so there is nothing that members could differ in",
            "",
        ),
        (
            bool(ensemble.refine_share) and not can_refine(solver),
            "refine_share",
            ensemble.refine_share,
            "the solver has no finer mesh to compare with",
            "ensemble.refine_share=0",
        ),
        (
            ranks > cells,
            "ranks_per_member",
            ranks,
            f"the grid has {cells} cells, and each rank needs one",
            "fewer ranks, or a finer grid",
        ),
    )
    return [
        Problem(field=f"ensemble.{name}", got=got, limit=limit, fix=fix)
        for wrong, name, got, limit, fix in faults
        if wrong
    ]


def _refused(solver: Solver, members: Sequence[Member], ensemble: Ensemble) -> list[Problem]:
    """Return why the solver can't solve some of the members: each reason once, with one of them."""
    if not isinstance(solver, Doubting):
        return []
    plain = of_level(members)
    whys: dict[str, list[Member]] = {}
    for one in plain:
        if why := solver.refuses(one.inputs, ensemble.ranks_per_member):
            whys.setdefault(why, []).append(one)
    return [
        _refusal(why, having[0], (len(having), len(plain)))
        for why, having in list(whys.items())[:_TOLD]
    ]


def _refusal(why: str, first: Member, share: tuple[int, int]) -> Problem:
    """Return one reason: of all members it is a fault of the options, of some it is their inputs'."""
    if share[0] == share[1]:
        return Problem(field="solver.options", got=_shown(first), limit=f"{why} (all members)")
    limit = f"{why} ({share[0]} of {share[1]} members)"
    fix = "ensemble.constraints=[…], or narrow the inputs"
    return Problem(field="ensemble.inputs", got=_shown(first), limit=limit, fix=fix)


def _shown(member: Member) -> str:
    values = ", ".join(f"{name}={value:g}" for name, value in member.inputs.items())
    return f"member {member.number}: {values}"


def _design_words(ensemble: Ensemble, spread: Sequence[Spread]) -> dict[str, Any]:
    """Return how the members were chosen, as the manifest and the dataset keep it."""
    return {
        "method": ensemble.design.value,
        "seed": ensemble.seed,
        "inputs": {one.name: one.words() for one in spread},
        "constraints": list(ensemble.constraints),
        "split": dict(vars(ensemble.split)),
        "refine_share": ensemble.refine_share,
    }


def _memory(solver: Solver, ensemble: Ensemble) -> int | None:
    if not isinstance(solver, Estimating):
        return None
    levels = (0, 1) if ensemble.refine_share else (0,)
    return max(solver.memory_bytes(ensemble.ranks_per_member, level) for level in levels)
