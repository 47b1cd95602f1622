"""What a member is named by: its inputs, its level, and everything of the solver that could change its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from forgia_hpc.digest import digest_of, sha256_file
from forgia_hpc.provenance import files_to_seal
from forgia_hpc.schema.simulation import Solver, SolverKind
from forgia_hpc.simulate.command.words import modules
from forgia_hpc.simulate.solvers import class_path, refused

_OWN = Path(__file__).resolve().parent.parent  # forgia_hpc/
_CAPS = ("log_mb", "file_mb", "wall_s", "secrets")  # may stop a program, and change no result


def solver_digest(solver: Solver) -> str:
    """Return the digest of a solver: its words but for the name, and its own files.

    The same on the login node and in the sealed run: files count by their place in their package.

    Raises:
        InputError: a module that is not on the Python path.
    """
    files = source_digests(solver, class_path(solver)[0])
    if solver.kind is SolverKind.command:
        for module in modules(solver.program):
            files |= source_digests(solver, module, whole=True)
    return digest_of({"words": solver_words(solver), "files": files})


def solver_words(solver: Solver) -> dict[str, Any]:
    """Return the words that a result depends on, as plain data."""
    words: dict[str, Any] = {
        "kind": solver.kind.value,
        "family": solver.family,
        "options": solver.options,
    }
    if solver.kind is SolverKind.command:
        program = asdict(solver.program)
        words["program"] = {key: program[key] for key in program if key not in _CAPS}
    return words


def source_digests(solver: Solver, module: str, *, whole: bool = False) -> dict[str, str]:
    """Return the SHA-256 of a solver's files by their place.

    Of ours, the folder of the module (whole: with all that lies below, templates too); of the user's, the whole
    package, or the module alone.
    """
    top, _, rest = module.partition(".")
    if top == _OWN.name:
        path = _OWN.joinpath(*rest.split("."))
        folder = path if (path / "__init__.py").is_file() else path.parent
        files = files_to_seal(folder)[0] if whole else sorted(folder.glob("*.py"))
        return _digests(files, _OWN.parent)
    origin = _origin(top)
    if origin is None:
        limit = f"there is no module {top} on the Python path"
        raise refused(solver, limit, "put its folder on $FORGIA_PATH, or mend the name")
    alone = origin.name != "__init__.py"
    files = [origin] if alone else files_to_seal(origin.parent)[0]
    return _digests(files, origin.parent if alone else origin.parent.parent)


def _origin(top: str) -> Path | None:
    """Return the file of a module or package on the Python path; nothing is imported."""
    spec = PathFinder.find_spec(top)
    return Path(spec.origin).resolve() if spec and spec.origin else None


def _digests(files: list[Path], root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): sha256_file(path) for path in files}


def member_id(inputs: Mapping[str, float], solver: str, level: int = 0) -> str:
    """Return the name of a member: 16 hex digits over inputs (exact decimals), solver digest, level."""
    return _of_inputs(inputs, {"solver": solver, "level": level})[:16]


def member_seed(inputs: Mapping[str, float], solver: str) -> int:
    """Return the seed of a member, below 2**32: the same at every level, so that levels can be compared."""
    return int(_of_inputs(inputs, {"solver": solver, "seed": True})[:8], 16)


def _of_inputs(inputs: Mapping[str, float], beside: Mapping[str, Any]) -> str:
    exact = {name: repr(float(value) + 0.0) for name, value in inputs.items()}  # -0.0 is 0.0
    return digest_of({"inputs": exact, **beside})
