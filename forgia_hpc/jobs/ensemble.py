"""What a simulate job takes along: its frozen members, and the card of the dataset that they make."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import forgia_hpc
from forgia_hpc import process
from forgia_hpc.data.card import Card, card_from, load_card, shipped_cards
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.job import SimulateJob
from forgia_hpc.schema.simulation import Writer
from forgia_hpc.simulate.command.named import function_problems
from forgia_hpc.simulate.freeze import freeze
from forgia_hpc.simulate.members import FILE, members_json
from forgia_hpc.simulate.solvers import open_solver
from forgia_hpc.simulate.standing import growth_problems
from forgia_hpc.simulate.target import product_problems, schema_of

_ASK_S = 60  # h5py is imported by the process that is asked, and a login node may be slow


def ensemble_inputs(job: SimulateJob, root: Path) -> dict[str, Any]:
    """Return inputs/members.json and inputs/card.yaml of a simulate job; `root` holds the datasets.

    Raises:
        InputError: everything that is wrong with solver, members and card.
    """
    problems: list[Problem] = []
    frozen = card = None
    try:
        card = card_of(job)
    except InputError as error:
        problems += error.problems
    try:
        with user_code():
            problems += function_problems(job.solver.program)
            frozen = replace(
                freeze(job.solver, job.ensemble), into=str(root / job.ensemble.dataset)
            )
            schema = schema_of(open_solver(job.solver).schema(), frozen)
        problems += _memory_problems(job, frozen.memory_bytes or 0)
        problems += writer_problems(job)
        problems += product_problems(card, frozen, schema) if card else []
        problems += growth_problems(frozen, schema)
    except ImportError as error:
        problems.append(_not_imported(job, error))
    except InputError as error:
        problems += error.problems
    if problems or card is None or frozen is None:
        raise InputError(problems)
    return {FILE: members_json(frozen), "card": card.as_dict()}


@contextlib.contextmanager
def user_code() -> Iterator[None]:
    """Let modules of $FORGIA_PATH be imported, as they are in the sealed code."""
    before = list(sys.path)
    roots = [root for root in os.environ.get("FORGIA_PATH", "").split(os.pathsep) if root]
    sys.path[:0] = [str(Path(root).resolve()) for root in roots]
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before


def card_of(job: SimulateJob) -> Card:
    """Return the card of the dataset: the one that stands in datasets/, else one that says how it was made.

    Raises:
        InputError: a card that is none, or one of a consortium.
    """
    name = job.ensemble.dataset
    if path := shipped_cards().get(name):
        card = load_card(path)
        if not card.members:
            return card
        limit = "it is a consortium, and members of an ensemble make one contribution"
        raise InputError(Problem(field="ensemble.dataset", got=name, limit=limit, where=str(path)))
    solver = f"solver {job.solver.name}"
    return card_from(
        {
            "format": "forgia.card/1",
            "name": name,
            "title": name.replace("_", " ").capitalize(),
            "contributor": job.ensemble.contributor,
            "description": f"An ensemble of simulations ({job.ensemble.design.value}), {solver}.",
            "licence": "LicenseRef-not-stated",
            "source": f"simulated by forgia_hpc {forgia_hpc.__version__}, {solver}",
            "tags": ["simulated"],
        },
        where="ensemble",
    )


def _memory_problems(job: SimulateJob, each: int) -> list[Problem]:
    """Return what is wrong where all groups of a node together need more memory than the job has there."""
    have, ranks = job.resources.mem_gb, job.resources.ranks_per_node or 1
    if not have or each * ranks <= have << 30:
        return []
    got, need = f"{have} GB", f"{each * ranks / 2**30:.3g} GB"
    limit = f"{ranks} rank(s) a node need about {need}, {each / 2**30:.3g} GB each"
    fix = "fewer ranks a node, a coarser grid, or ensemble.refine_share=0"
    return [Problem(field="resources.mem_gb", got=got, limit=limit, fix=fix)]


def writer_problems(job: SimulateJob) -> list[Problem]:
    """Return what is wrong where ranks should write together, and the job's Python has no parallel HDF5.

    The job runs the Python that submits it, which is asked; a container's is asked on the node, by the ranks.
    """
    alone = job.ensemble.writer is Writer.gather or job.ensemble.ranks_per_member == 1
    if alone or job.container.image:
        return []
    asked = [sys.executable, "-c", "import h5py; print(h5py.get_config().mpi)"]
    answer = process.run(asked, timeout_s=_ASK_S)
    if answer.stdout.strip() == "True":
        return []
    limit = f"the h5py of {sys.prefix} was built without MPI"
    fix = "ensemble.writer=gather, or submit from an environment with parallel HDF5: docs/parallel_hdf5.md"
    return [Problem(field="ensemble.writer", got="mpio", limit=limit, fix=fix)]


def _not_imported(job: SimulateJob, error: ImportError) -> Problem:
    """Return what is wrong with a solver that imports more than the login node has."""
    limit = f"it can't be imported here: {error}"
    fix = "import what only compute nodes have inside of prepare()"
    return Problem(field="solver.family", got=job.solver.family, limit=limit, fix=fix)
