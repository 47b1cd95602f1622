"""Which git commit a sealed source is of, and whether it was changed: for people; the digests are the proof."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from forgia_hpc import process
from forgia_hpc.errors import InputError
from forgia_hpc.rundir import RunDir, read_json

TIMEOUT_S = 10
# nothing of the repository's own is run: neither hooks nor its file monitor, and no lock is taken
_QUIET = ("--no-optional-locks", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")
_SILENT = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def commit_of(source: Path) -> dict[str, str | bool]:
    """Return commit and `changed` of a directory, or `why` there is none; nothing outside of a repository.

    A repository that belongs to somebody else is left alone, as git has it: `safe.directory` of the person's own
    settings lets it in.
    """
    try:
        head = _git(source, "rev-parse", "--verify", "HEAD")
        if head.returncode:
            return _without(head.stderr)
        # of this directory alone; what is ignored is no change
        changes = _git(source, "status", "--porcelain", "--untracked-files=normal", "--", ".")
    except (process.ProgramMissingError, process.ProgramSilentError) as error:
        return {"why": str(error)}
    if changes.returncode:
        return _without(changes.stderr)
    return {"commit": head.stdout.strip(), "changed": bool(changes.stdout.strip())}


def _git(source: Path, *words: str) -> process.Answer:
    foreign = [name for name in os.environ if name.startswith("GIT_")]
    argv = ["git", "-C", str(source), *_QUIET, *words]
    return process.run(argv, timeout_s=TIMEOUT_S, env=_SILENT, without=foreign)


def _without(said: str) -> dict[str, str | bool]:
    """Return why git names no commit; a directory that is in no repository needs no reason."""
    lines = said.strip().splitlines()
    if not lines or "not a git repository" in said:
        return {}
    if "dubious ownership" in said:
        return {"why": "git: the repository belongs to somebody else (safe.directory)"}
    return {"why": "git: no commit yet" if "Needed a single revision" in said else lines[0]}


def source_line(told: Mapping[str, str | bool]) -> str:
    """Return a commit as a person reads it: `3f2a9c01b4de, changed`; empty where nothing is known."""
    if "commit" not in told:
        return f"no commit known ({told['why']})" if "why" in told else ""
    return f"{str(told['commit'])[:12]}{', changed' if told['changed'] else ''}"


def sealed_commit(run: RunDir) -> dict[str, str | bool]:
    """Return what was noted when the run was sealed; a broken run has nothing to say."""
    try:
        seal = read_json(run.manifest)
    except InputError:
        return {}
    told = seal.get("source") if isinstance(seal, dict) else None
    return told if isinstance(told, dict) else {}
