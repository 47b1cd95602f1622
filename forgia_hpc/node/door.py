"""The door of a chain's member: its predecessors' own records say that it may start. A Slurm edge proves nothing.

Slurm 22.05 starts a job at once whose predecessor it has forgotten, and lets one go whose predecessor's record is
purged while it waits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from forgia_hpc.digest import digest_of, sha256_file
from forgia_hpc.errors import ExitCode, InputError, JobFailedError, SealBrokenError
from forgia_hpc.node.seal import PARTS
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.sweepdir import completed


def check_door(run: RunDir) -> None:
    """Check every predecessor of a chain's member; nothing to do for any other run.

    Raises:
        JobFailedError: one has not completed.
        SealBrokenError: one is not what was sealed with this member, or what it has left was changed.
    """
    path = run.inputs / "before.json"
    for name, before in (read_json(path) if path.is_file() else {}).items():
        run.event("door_checked", predecessor=name, files=_check(name, before))


def _check(name: str, before: dict[str, Any]) -> int:
    other = RunDir(Path(before["run"]))
    who = f"predecessor {name} ({other.path})"
    try:
        manifest = read_json(other.manifest)
    except InputError as error:
        raise JobFailedError(f"{who} is gone: {error}") from error
    if digest_of({part: manifest.get(part) for part in PARTS}) != before["digest"]:
        raise SealBrokenError(f"{who} is not the job that was sealed with this chain")
    ended = other.events("batch_ended")
    code = ended[-1].facts.get("exit_code") if ended else None
    if code != ExitCode.OK or completed(other) is None:
        told = (
            f"it ended with {code}: {ended[-1].facts.get('why') or ''}"
            if ended
            else "it has no end"
        )
        raise JobFailedError(f"{who} has not completed: {told}")
    return _check_left(who, other)


def _check_left(who: str, other: RunDir) -> int:
    """Compare what it has left with the digests that its batch step took; return the number of files."""
    told = other.events("outputs")
    if not told:
        raise JobFailedError(f"{who} has completed, but its batch step noted no outputs")
    files: dict[str, str] = told[-1].facts["files"]
    changed = [
        place
        for place, digest in files.items()
        if not (other.output / place).is_file() or sha256_file(other.output / place) != digest
    ]
    if changed:
        raise SealBrokenError(f"{who}: changed since it completed: {', '.join(changed[:5])}")
    return len(files)


def note_outputs(run: RunDir) -> None:
    """Take the digests of what a completed member has left, for the doors of those that follow."""
    if "chain" not in read_json(run.job):
        return
    files = {
        str(path.relative_to(run.output)): sha256_file(path)
        for path in sorted(run.output.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
    run.event("outputs", files=files)
