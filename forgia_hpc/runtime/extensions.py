"""DeepSpeed's compiled parts, without its traps.

DeepSpeed compiles with ninja at the first use, under a lock file in one directory that all jobs of a user share.
A rank killed while it holds the lock leaves it behind, and every later start waits for ever without a line in
its log (DeepSpeed issues 5205 and 5323). Here every rank loads from a private copy that was compiled
beforehand: `python -m forgia_hpc.runtime.extensions DIR`.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import deepspeed.ops
from deepspeed.ops.op_builder import CPUAdamBuilder

from forgia_hpc.errors import InputError, Problem


def prebuilt() -> Path:
    """Return the directory of the compiled parts: FORGIA_EXTENSIONS, else one inside the environment."""
    return Path(os.environ.get("FORGIA_EXTENSIONS", str(Path(sys.prefix) / "forgia_extensions")))


def prebuild(directory: Path) -> None:
    """Compile what offloading the optimizer needs; `directory` appears whole and replaces an older one."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".extensions-", dir=directory.parent) as building:
        made = Path(building) / "made"
        with _variables(TORCH_EXTENSIONS_DIR=str(made), PATH=_path_with_ninja()):
            CPUAdamBuilder().load()
        shutil.rmtree(directory, ignore_errors=True)
        made.rename(directory)


@contextlib.contextmanager
def private_copy(*, needed: bool) -> Iterator[None]:
    """Let DeepSpeed load its compiled parts from a copy on this node that is this rank's alone.

    Args:
        needed: whether this job will load any (it offloads the optimizer).

    Raises:
        InputError: they are needed and nobody compiled them.
    """
    if needed and not prebuilt().is_dir():
        raise InputError(
            Problem(
                field="parallel.offload_optimizer",
                got=True,
                limit="needs DeepSpeed's CPU optimizer, compiled beforehand",
                where=str(prebuilt()),
                fix=f"run: python -m forgia_hpc.runtime.extensions {prebuilt()}",
            )
        )
    with tempfile.TemporaryDirectory(prefix="forgia-extensions-") as own:
        if needed:
            # copytree keeps the times, by which ninja sees that nothing is to be made; a lock stays behind.
            shutil.copytree(
                prebuilt(), own, ignore=shutil.ignore_patterns("lock"), dirs_exist_ok=True
            )
        with _variables(TORCH_EXTENSIONS_DIR=own, PATH=_path_with_ninja()):
            yield


def without_shared_memory_op() -> None:
    """Keep DeepSpeed from compiling `deepspeed_shm_comm` when it starts on CPUs: two minutes, under the lock.

    It serves `inference_all_reduce` only. DeepSpeed keeps edits to this table, and a missing entry means no.
    """
    deepspeed.ops.__compatible_ops__ = {}


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """End this process with every thread's traceback in its log if the block does not end in time."""
    faulthandler.dump_traceback_later(seconds, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def _path_with_ninja() -> str:
    """Return PATH with the interpreter's own bin first: a job step's PATH need not hold the environment's."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


@contextlib.contextmanager
def _variables(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


if __name__ == "__main__":
    prebuild(Path(sys.argv[1]) if len(sys.argv) > 1 else prebuilt())
