"""The one place where a solver's words become a solver.

The login wing opens solvers too: it asks for `inputs()` and `schema()`. So a solver's module, its constructor
and these two import no torch, h5py, mpi4py or numba; `prepare` and what follows may.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Protocol, cast, runtime_checkable

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.simulation import Solver as Words
from forgia_hpc.schema.simulation import SolverKind
from forgia_hpc.simulate.communicator import Communicator
from forgia_hpc.simulate.member import Solver

SOLVERS = {"heat": "forgia_hpc.simulate.heat.solver:HeatSolver"}
COMMAND = "forgia_hpc.simulate.command.solver:CommandSolver"
_METHODS = ("inputs", "schema", "prepare", "run", "extract", "check")


@runtime_checkable
class Doubting(Protocol):
    """What a solver may have besides: it says before the job is sealed which members it won't solve."""

    def refuses(self, inputs: Mapping[str, float], ranks: int) -> str:
        """Return why so many ranks can't solve a member of these inputs, in one clause; empty: they can."""


@runtime_checkable
class Estimating(Protocol):
    """What a solver may have besides: how much memory it will need."""

    def memory_bytes(self, ranks: int, level: int) -> int:
        """Return the bytes that one rank of a group will hold while it solves a member of this level."""


@runtime_checkable
class Saving(Protocol):
    """What a solver may have besides: it saves the state of a long member (simulate/saved.py) every so often."""

    save_s: float  # set once, before the first member; 0: only when a member is stopped


def can_refine(solver: Solver) -> bool:
    """Whether a solver has a finer mesh: one that has none says so by an attribute `refines` that is false."""
    return bool(getattr(solver, "refines", True))


def order_of(solver: Solver) -> int | None:
    """Return the order by which a solver's error falls with its cells' width, if it declares one by `order`."""
    found = getattr(solver, "order", None)
    return None if found is None else int(found)


def class_path(words: Words) -> tuple[str, str]:
    """Return module and class of a solver's words; nothing is imported.

    Raises:
        InputError: no such built-in family, or no `module:Class`.
    """
    path = words.family
    if words.kind is SolverKind.command:
        path = COMMAND
    elif words.kind is SolverKind.builtin:
        if words.family not in SOLVERS:
            raise refused(words, f"one of {', '.join(sorted(SOLVERS))}")
        path = SOLVERS[words.family]
    module, _, name = path.partition(":")
    if not module or not name:
        raise refused(words, "module:Class is needed")
    return module, name


def open_solver(words: Words) -> Solver:
    """Return the solver that these words describe; its class takes the words and nothing else.

    Raises:
        InputError: no such module or class, one without a solver's methods, or options that it refuses.
    """
    module_name, class_name = class_path(words)
    found = getattr(_module(words, module_name), class_name, None)
    if not isinstance(found, type):
        raise refused(words, f"module {module_name} has no class {class_name}")
    missing = [name for name in _METHODS if not callable(getattr(found, name, None))]
    if missing:
        raise refused(words, f"{class_name} has no {', '.join(missing)}", "see simulate/member.py")
    return cast("Solver", found(words))


def check_machine(solver: Solver, ranks: Communicator) -> None:
    """Let a solver try, once on the node, what no member can do without; not every solver has such a thing.

    Raises:
        InputError: the campaign can't be run here.
    """
    check = getattr(solver, "check_machine", None)
    if check is not None:
        check(ranks)


def refused(words: Words, limit: str, fix: str = "") -> InputError:
    """Return the error of a solver that can't be opened."""
    got = words.family or words.kind.value
    return InputError(
        Problem(field="solver.family", got=got, limit=limit, where="simulate/solvers.py", fix=fix)
    )


def _module(words: Words, name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # A module that exists and imports something missing is a defect of its own: keep the traceback.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        fix = "put its folder on $FORGIA_PATH, or mend the name"
        raise refused(words, f"there is no module {name} on the Python path", fix) from error
