"""forgia doctor: what is missing on this machine."""

from __future__ import annotations

import ctypes.util
import importlib.metadata
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from forgia_hpc import sources
from forgia_hpc.cli.output import console, say_json
from forgia_hpc.cli.words import json_option
from forgia_hpc.errors import ExitCode, ForgiaError

PACKAGES = (
    "torch",
    "deepspeed",
    "h5py",
    "mpi4py",
    "hydra-core",
    "submitit",
    "chronos-forecasting",
    "numpy",
)
STALE_LOCK_S = 600  # an extension builds in two minutes; a lock of ten has no builder


@dataclass(frozen=True)
class Finding:
    """One thing looked at. weight: ok | note | missing (nothing runs) | without (something cannot be done)."""

    what: str
    weight: str
    found: str
    fix: str = ""


@click.command(epilog="\b\nExamples:\n  forgia doctor\n  forgia doctor --json")
@json_option
def doctor(as_json: bool) -> None:
    """What is missing on this machine, stale locks, versions. Exit code 2 where no job could run."""
    found = [
        *_python(),
        *_packages(),
        *_programs(),
        *_locks(),
        *_roots(),
        *_leftovers(),
        *_cluster(),
    ]
    if as_json:
        say_json("doctor", {"findings": [asdict(entry) for entry in found]})
    else:
        _show(found)
    if any(entry.weight == "missing" for entry in found):
        raise click.exceptions.Exit(int(ExitCode.INPUT))


def _show(found: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    colours = {"ok": "green", "note": "cyan", "missing": "red", "without": "yellow"}
    table = Table("", "what", "found", "what to do", box=None, pad_edge=False)
    for entry in found:
        weight = Text(entry.weight, colours[entry.weight])
        table.add_row(weight, entry.what, entry.found, entry.fix)
    console().print(table)


def _python() -> Iterator[Finding]:
    version = platform.python_version()
    good = sys.version_info >= (3, 11)
    yield Finding(
        "python",
        "ok" if good else "missing",
        f"{version} {sys.executable}",
        "" if good else "3.11 or newer",
    )


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        try:
            yield Finding(name, "ok", importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(
                name, "missing", "not installed", "pip install -c constraints.txt forgia_hpc"
            )


def _programs() -> Iterator[Finding]:
    beside = str(Path(sys.executable).parent)
    for program, use, fix in (
        ("sbatch", "submitting to Slurm", "run on a login node, or slurm/dev/up"),
        ("mpirun", "MPI ranks", "apt-get install openmpi-bin, or module load openmpi"),
        ("g++", "DeepSpeed's CPU operators", "apt-get install g++, or module load gcc"),
        ("ninja", "DeepSpeed's CPU operators", "pip install ninja"),
    ):
        path = shutil.which(program) or shutil.which(program, path=beside)
        yield Finding(
            program, "ok" if path else "without", path or f"absent: no {use}", "" if path else fix
        )
    library = ctypes.util.find_library("mpi")
    yield Finding(
        "libmpi",
        "ok" if library else "without",
        library or "absent: mpi4py can't start",
        "" if library else "apt-get install libopenmpi3, or module load openmpi",
    )


def extension_roots() -> list[Path]:
    """Return where compiled torch extensions may lie."""
    own = os.environ.get("TORCH_EXTENSIONS_DIR")
    ours = Path(os.environ.get("FORGIA_EXTENSIONS") or Path(sys.prefix) / "forgia_extensions")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "torch_extensions"
    return [
        path
        for path in (Path(own) if own else None, ours, cache)
        if path is not None and path.is_dir()
    ]


def _locks() -> Iterator[Finding]:
    """A lock left by a killed build makes every later start hang without a word."""
    locks = [lock for root in extension_roots() for lock in root.rglob("lock")]
    for lock in locks:
        age = time.time() - lock.stat().st_mtime
        stale = age > STALE_LOCK_S
        yield Finding(
            "extension lock",
            "missing" if stale else "note",
            f"{lock}, {age:.0f} s old",
            f"rm {lock}" if stale else "a build may be going on",
        )
    built = [path.name for root in extension_roots() for path in root.rglob("*.so")]
    fix = "" if built else "python -m forgia_hpc.runtime.extensions"
    yield Finding(
        "DeepSpeed operators",
        "ok" if built else "note",
        ", ".join(sorted(set(built))) or "not built yet: needed to offload the optimizer",
        fix,
    )


def _roots() -> Iterator[Finding]:
    from forgia_hpc.jobs.roots import roots

    try:
        both = roots()
    except ForgiaError as error:
        yield Finding("your settings", "missing", str(error))
        return
    for what, path in zip(("runs", "data"), both, strict=True):
        there = next(parent for parent in (path, *path.parents) if parent.exists())
        free = shutil.disk_usage(there).free / 2**30
        writable = os.access(there, os.W_OK)
        yield Finding(
            f"root of {what}",
            "ok" if writable and free > 1 else "missing",
            f"{path}, {free:.0f} GiB free",
            "" if writable else f"set FORGIA_{what.upper()}",
        )


def _leftovers() -> Iterator[Finding]:
    """Half-sealed runs that a kill left behind: nobody reads them."""
    root = sources.runs_root()
    old = [p for p in root.glob(".*.part") if time.time() - p.stat().st_mtime > STALE_LOCK_S]
    if old:
        found, fix = f"{len(old)} half-sealed run(s) in {root}", f"rm -r {root}/.*.part"
        yield Finding("leftovers", "note", found, fix)


def _cluster() -> Iterator[Finding]:
    from forgia_hpc.slurm.cluster import detect

    try:
        name = detect()
    except ForgiaError as error:
        yield Finding("cluster profiles", "missing", str(error))
        return
    yield Finding(
        "cluster", "ok" if name else "note", name or "none that we know; cluster=local runs here"
    )
