"""Kernels compiled by numba, kept on disk for the next process of the same environment.

What lies in the cache is machine code that numba loads without asking, so the folder is the user's own (0700), and
its name holds everything the code depends on: versions, the processor, the kernels' text. A run's sealed copy of
the kernels finds what another run compiled, because both are filed under that name and not under their path.
"""

from __future__ import annotations

import inspect
import os
import platform
import stat
import tempfile
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import FunctionType
from typing import Any

import llvmlite.binding
import numba

from forgia_hpc.digest import digest_of
from forgia_hpc.simulate.heat import kernels

ROOT = "FORGIA_KERNELS"  # where compiled kernels are kept, instead of the user's cache


def kernel(name: str) -> Callable[..., Any]:
    """Return a kernel of this process."""
    return _known()[name]


@cache
def _known() -> dict[str, Callable[..., Any]]:
    return compiled()


def compiled() -> dict[str, Callable[..., Any]]:
    """Return the kernels by name. Compiling waits for their first call."""
    folder = _folder()
    config: Any = numba.config
    before = config.CACHE_DIR
    config.CACHE_DIR = str(folder or before)  # numba asks for it as it decorates
    try:
        return {
            name: numba.njit(cache=folder is not None, nogil=True, error_model="numpy")(
                function if folder is None else _filed(function, folder)
            )
            for name, function in vars(kernels).items()
            if inspect.isfunction(function) and function.__module__ == kernels.__name__
            if not name.startswith("_")
        }
    finally:
        config.CACHE_DIR = before


def _folder() -> Path | None:
    """Return this environment's folder, or None where none can be had that is only ours."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    root = Path(os.environ.get(ROOT) or Path(cache, "forgia", "kernels"))
    source = Path(kernels.__file__).read_bytes()
    facts = {
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("numba", "llvmlite", "numpy")},
        "processor": llvmlite.binding.get_host_cpu_name(),
        "features": llvmlite.binding.get_host_cpu_features().flatten(),
        "kernels": source.decode(),
    }
    folder = root / digest_of(facts)[:16]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        seen = folder.stat()
        if seen.st_uid != os.getuid() or stat.S_IMODE(seen.st_mode) & 0o077:
            return None
        _appear(folder / "kernels.py", source)
    except OSError:
        return None  # no home, or a read-only one: each process compiles for itself
    return folder


def _appear(path: Path, content: bytes) -> None:
    """Write a file whole, once: numba reads its time and size as the version of the kernels."""
    if path.exists():
        return
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass  # another process was first, with the same content
    finally:
        Path(temporary).unlink()


def _filed(function: Any, folder: Path) -> Callable[..., Any]:
    """Return a function whose code says that it lies in the cache's folder."""
    code = function.__code__.replace(co_filename=str(folder / "kernels.py"))
    return FunctionType(code, function.__globals__, function.__name__)
