"""One rank: the only door to the workloads."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import forgia_hpc
from forgia_hpc import provenance
from forgia_hpc.errors import (
    ExitCode,
    ForgiaError,
    SealBrokenError,
    StoppedError,
    SupersededError,
)
from forgia_hpc.node.followed import follow
from forgia_hpc.rundir import RunDir, read_json, write_json
from forgia_hpc.runtime import audit
from forgia_hpc.runtime.leave import leave
from forgia_hpc.runtime.place import Place, find_place
from forgia_hpc.schema.job import Job, Kind
from forgia_hpc.schema.load import load_job

if TYPE_CHECKING:
    from forgia_hpc.runtime.stop import StopFlag
    from forgia_hpc.runtime.world import World

    Phase = Callable[[Job, RunDir, World, StopFlag], dict[str, Any]]

# KIND → its phases in order; each is imported only on the node.
PHASES: dict[Kind, dict[str, str]] = {
    Kind.prepare: {"prepare": "forgia_hpc.prepare.run:prepare"},
    Kind.simulate: {"simulate": "forgia_hpc.simulate.run:conclude"},
    Kind.train: {
        "train": "forgia_hpc.train.run:train",
        "evaluate": "forgia_hpc.evaluate.run:evaluate",
    },
    Kind.evaluate: {"evaluate": "forgia_hpc.evaluate.run:evaluate"},
    Kind.command: {"command": "forgia_hpc.command.run:command"},
}
GROUP = "forgia_hpc.simulate.group:solve_members"  # a campaign's ranks, before its conclusion


def main() -> int:
    """Run this rank and return its exit code; an unexpected error keeps its traceback in the log."""
    run = RunDir(Path(sys.argv[1]))
    audit.watch()
    own_log(run)
    follow_parent()
    try:
        check_own_code(run)
        if "FORGIA_GROUP" in os.environ:
            _group(run)
        else:
            _phases(run)
    except StoppedError as error:
        _tell(run, "rank_stopped", error, error.exit_code)
        return error.exit_code
    except SupersededError as error:
        sys.stderr.write(f"forgia: {error}\n")  # the record is the later attempt's
        return error.exit_code
    except ForgiaError as error:
        sys.stderr.write(f"forgia: {error}\n")
        with contextlib.suppress(OSError):  # the disk may be what is full
            _tell(run, "rank_failed", error, error.exit_code)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the last line before exit: told, logged, and never a success
        traceback.print_exc()
        _tell(run, "rank_failed", error, ExitCode.JOB_FAILED)
        return ExitCode.JOB_FAILED
    return ExitCode.OK


def own_log(run: RunDir) -> None:
    """Write to a log of this rank's own, where the launcher would mix all ranks in one stream."""
    if "FORGIA_OWN_LOG" not in os.environ:
        return
    path = run.logs / f"rank-{_place().rank}.log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)


def follow_parent() -> None:
    """Ask the kernel for SIGTERM should the batch step die: a rank without it would compute for nobody.

    In a campaign the journal has everything, and a group may hang in a member: it gets SIGKILL.
    """
    parent = os.environ.get("FORGIA_FOLLOW_PARENT")
    if parent is None:
        return
    number = signal.SIGKILL if "FORGIA_CAMPAIGN" in os.environ else signal.SIGTERM
    follow(int(parent), number)


def check_own_code(run: RunDir) -> None:
    """Refuse to compute with other code than the sealed one."""
    here = Path(str(forgia_hpc.__file__)).resolve()
    if not here.is_relative_to(run.code.resolve()):
        raise SealBrokenError(f"this rank imported {here}, not the sealed code in {run.code}")


def _phases(run: RunDir) -> None:
    from forgia_hpc.runtime.stop import StopFlag
    from forgia_hpc.runtime.world import open_world

    job = load_job(run.config)
    attempt = int(os.environ.get("FORGIA_ATTEMPT", "0"))
    phases = {name: _resolve(path) for name, path in PHASES[job.kind].items() if _wanted(job, name)}
    result: dict[str, Any] = {}
    started = time.time()
    light = job.kind is Kind.simulate  # its conclusion agrees on little, and needs no torch
    wire = open_world(run, mpi=_over_mpi(run, job), light=light)
    with StopFlag(run, attempt) as stop, wire as world:
        vouched = _check_installed(run, world)
        for name, phase in phases.items():
            result[name] = phase(job, run, world, stop)
        _check_installed(run, world)  # again: what was imported on the way counts too
        world.barrier()
        if world.is_root:
            write_json(
                run.result,
                {
                    "format": "forgia.result/1",
                    "ending": _ending(result),
                    "attempt": attempt,
                    "seconds": round(time.time() - started, 3),
                    "world_size": world.size,
                    "not_vouched_for": vouched,
                    **result,
                },
            )


def _ending(result: Mapping[str, Mapping[str, Any]]) -> str:
    """Return how the job has ended: as its phases say, where one says more than its figures."""
    failed = any(told.get("ending") == "failed" for told in result.values())
    return "failed" if failed else "completed"


def _group(run: RunDir) -> None:
    """Solve members as one group of a campaign; what it leaves is journaled, and no result."""
    from forgia_hpc.runtime.stop import StopFlag

    with StopFlag(run, int(os.environ.get("FORGIA_ATTEMPT", "0"))) as stop:
        _resolve(GROUP)(load_job(run.config), run, stop)  # type: ignore[call-arg, arg-type]
    provenance.check_imported_modules(run.code)


def _over_mpi(run: RunDir, job: Job) -> bool:
    """Whether MPI is the ranks' own; in a command job it is the program's, and a rank starts MPI once only."""
    launch = read_json(run.manifest)["start"]["launch"]
    return launch in ("mpirun", "srun_mpi") and job.kind is not Kind.command


def _wanted(job: Job, phase: str) -> bool:
    return not (job.kind is Kind.train and phase == "evaluate" and not job.evaluate.enabled)  # type: ignore[attr-defined]


def _resolve(path: str) -> Phase:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]


def _check_installed(run: RunDir, world: World) -> list[str]:
    """One rank a node compares packages and imported files with what was sealed."""
    if world.local_rank != 0:
        return []
    provenance.check_environment(read_json(run.manifest)["environment"])
    return provenance.check_imported_modules(run.code)


def _place() -> Place:
    try:
        return find_place(os.environ)
    except ForgiaError:  # what is told is another error; the rank number is only a help
        return Place(node=os.uname().nodename)


def _tell(run: RunDir, what: str, error: BaseException, code: int) -> None:
    """Append the event that names this rank; a group of a campaign is none: it may be started again."""
    group = os.environ.get("FORGIA_GROUP")
    run.event(
        what if group is None else what.replace("rank_", "group_"),
        **({} if group is None else {"group": group, "launch": os.environ.get("FORGIA_LAUNCH")}),
        rank=_place().rank,
        node=_place().node,
        attempt=int(os.environ.get("FORGIA_ATTEMPT", "0")),
        error=f"{type(error).__name__}: {error}"
        if not isinstance(error, ForgiaError)
        else str(error),
        exit_code=int(code),
    )


if __name__ == "__main__":
    ended = main()
    audit.close()
    leave(ended)
