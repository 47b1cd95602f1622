"""What a run is made of, as digests: files, the Python environment, the whole job."""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib.metadata
import io
import os
import platform
import re
import site
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from forgia_hpc.digest import sha256_file, sha256_text
from forgia_hpc.errors import SealBrokenError

IGNORED_DIRECTORIES = frozenset(
    {
        ".git",
        "__pycache__",
        ".venv",
        "venv",
        "node_modules",
        ".mypy_cache",
        ".ruff_cache",
        ".pytest_cache",
        ".hypothesis",
        "runs",
        "_shipped",
    }
)
# A sealed directory may be read by a whole project; what opens doors stays out of it.
SECRET = re.compile(
    r"(^\.env(\..*)?$)|(\.(pem|key|p12|pfx|kdbx)$)|(^id_(rsa|dsa|ecdsa|ed25519)$)|(^credentials(\..*)?$)"
    r"|(^\.(netrc|npmrc|pgpass|pypirc|git-credentials|dockercfg)$)|(^(kubeconfig|token)$)",
    re.IGNORECASE,
)
FILE_CAP = 10 * 2**20  # bytes; a bigger file is data, not code


def script_digest(script: str, run: Path, digest: str) -> str:
    """Return the SHA-256 of a batch script with everything of one run only replaced: place, name, job digest."""
    plain = (
        script.replace(str(run), "{run}").replace(run.name, "{name}").replace(digest, "{digest}")
    )
    return sha256_text(plain)


def files_to_seal(root: Path) -> tuple[list[Path], dict[str, str]]:
    """Return the files of a source tree that go into the seal, and why each other one stays out.

    Symbolic links that lead out of the tree stay out too: they would seal what was not meant.
    """
    kept: list[Path] = []
    left_out: dict[str, str] = {}
    inside = root.resolve()
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        for name in sorted(set(folders) & IGNORED_DIRECTORIES):
            if name not in ("__pycache__", "_shipped"):
                left_out[str((here / name).relative_to(root))] = "ignored directory"
        folders[:] = sorted(set(folders) - IGNORED_DIRECTORIES)
        for name in sorted(names):
            path = here / name
            reason = _left_out(path, inside)
            if reason:
                left_out[str(path.relative_to(root))] = reason
            else:
                kept.append(path)
    return kept, left_out


def _left_out(path: Path, inside: Path) -> str | None:
    if SECRET.search(path.name):
        return "may hold a secret"
    if path.is_symlink() and not path.resolve().is_relative_to(inside):
        return "a link that leads out of the tree"
    if not path.is_file():
        return "no plain file"
    if path.stat().st_size > FILE_CAP:
        return f"over {FILE_CAP >> 20} MiB"
    return None


def tree_digests(root: Path) -> dict[str, str]:
    """Return the SHA-256 of every file under `root`, by its path relative to it."""
    return {
        str(path.relative_to(root)): sha256_file(path)
        for path in sorted(root.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def compare(sealed: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Return one line for each file that differs from what was sealed."""
    changed = [
        f"{name}: content differs from the seal"
        for name in sealed
        if name in found and found[name] != sealed[name]
    ]
    gone = [f"{name}: sealed, but not there" for name in sealed if name not in found]
    added = [f"{name}: there, but not sealed" for name in found if name not in sealed]
    return sorted([*changed, *gone, *added])


def environment() -> dict[str, Any]:
    """Return the interpreter and every installed package with its version and the digest of its RECORD."""
    packages: dict[str, dict[str, str | None]] = {}
    for package in importlib.metadata.distributions(path=_places()):
        record = package.read_text("RECORD")
        name, version = _name_and_version(package)
        facts = {
            "version": version,
            "record": hashlib.sha256(record.encode()).hexdigest() if record else None,
        }
        packages.setdefault(name, facts)  # the first on the path is the one imported
    packages.pop("forgia_hpc", None)  # its code is sealed itself, wherever it was installed
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "packages": dict(sorted(packages.items())),
    }


def _name_and_version(package: importlib.metadata.Distribution) -> tuple[str, str]:
    """Return both as `package.name` and `.version` would, which parse whole READMEs: 0.1 s for 180 packages."""
    found: dict[str, str] = {}
    for line in (package.read_text("METADATA") or "").splitlines():
        key, colon, value = line.partition(": ")
        if not colon or len(found) == 2:
            break
        if key in ("Name", "Version"):
            found[key] = value.strip()
    return found.get("Name") or package.name, found.get("Version") or package.version


def _places() -> list[str]:
    """Return the import path that the job will have too: this interpreter's own, nobody's additions.

    PYTHONPATH (a site's modules fill it), the user's site-packages and the working directory are the shell's;
    the job gets none of them. Nor what a library adds to the path of its process when imported: setuptools
    (some torch and DeepSpeed modules import it) puts `setuptools/_vendor` there, whose nine packages would be
    sealed by one process and missed by the next. An egg lies below site-packages too, and stays: a .pth names it.
    """
    shell = {Path(entry).resolve() for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep)}
    shell |= {Path.cwd(), Path(site.getusersitepackages()).resolve()}
    own = {Path(entry).resolve() for entry in site.getsitepackages()}
    named = _named_by(own)
    places = [(entry, Path(entry).resolve()) for entry in sys.path if entry]
    return [
        entry
        for entry, place in places
        if place not in shell and (place in named or not own.intersection(place.parents))
    ]


def _named_by(sites: Iterable[Path]) -> set[Path]:
    """Return what .pth files of these folders put on every interpreter's import path (Python docs: site)."""
    lines = (
        (folder, line.strip())
        for folder in sites
        for file in sorted(folder.glob("*.pth"))
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines()
    )
    return {
        (folder / line).resolve()
        for folder, line in lines
        if line and not line.startswith(("#", "import ", "import\t"))
    }


def check_environment(sealed: Mapping[str, Any]) -> None:
    """Compare the environment of this node with the sealed one; an image's digest was checked before it started.

    Raises:
        SealBrokenError: names every package that differs.
    """
    if "image" in sealed:
        return
    here = environment()
    problems = [
        f"{key}: sealed {sealed[key]}, here {here[key]}"
        for key in ("python", "machine")
        if sealed[key] != here[key]
    ]
    for name in sorted({*sealed["packages"], *here["packages"]}):
        before, now = sealed["packages"].get(name), here["packages"].get(name)
        if before != now:
            problems.append(f"package {name}: sealed {_version(before)}, here {_version(now)}")
    if problems:
        raise SealBrokenError(
            "the Python environment changed since the submission: " + "; ".join(problems)
        )


def _version(package: Mapping[str, Any] | None) -> str:
    return (
        f"{package['version']} (RECORD {str(package['record'])[:12]})"
        if package
        else "not installed"
    )


def check_imported_modules(code: Path) -> list[str]:
    """Check the file of every module imported so far: under `code`, the standard library, or as in its RECORD.

    Returns the modules that nothing vouches for (no RECORD lists them), for the record.

    Raises:
        SealBrokenError: a file differs from the RECORD of its package.
    """
    wanted = dict(_recorded())
    unknown, broken = [], []
    for name, path in _imported_files():
        if path.is_relative_to(code):
            continue
        hash_of = wanted.get(path)
        if hash_of is None:
            if not _standard_library(path):
                unknown.append(name)
        elif hash_of != _record_hash(path):
            broken.append(f"{path} (module {name})")
    if broken:
        raise SealBrokenError(
            f"installed files were edited: {'; '.join(sorted(broken))} differ from their package's RECORD"
        )
    return sorted(unknown)


def _imported_files() -> Iterable[tuple[str, Path]]:
    for name, module in sorted(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and Path(path).is_absolute() and Path(path).is_file():
            yield name, Path(path)


def _recorded() -> Iterator[tuple[Path, str]]:
    """Yield (file, "sha256=…") of every installed file that a RECORD vouches for."""
    for package in importlib.metadata.distributions(path=_places()):
        record = package.read_text("RECORD")
        if record:
            root = Path(str(package.locate_file("")))
            for row in csv.reader(io.StringIO(record)):
                if len(row) >= 2 and row[1].startswith("sha256="):
                    yield root / row[0], row[1]


def _record_hash(path: Path) -> str:
    with path.open("rb") as opened:
        raw = hashlib.file_digest(opened, "sha256").digest()
    return "sha256=" + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _standard_library(path: Path) -> bool:
    library = Path(os.__file__).resolve().parent
    return path.resolve().is_relative_to(library) and "site-packages" not in path.parts
