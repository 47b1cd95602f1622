"""Tell the owner that a job has ended: the batch step calls their own program after its last words."""

from __future__ import annotations

from collections.abc import Sequence

from forgia_hpc import process
from forgia_hpc.errors import ForgiaError, InputError
from forgia_hpc.rundir import RunDir, read_json

TIMEOUT_S = 30  # the job is over, and its nodes are still charged


def notify(run: RunDir, state: str, why: str) -> None:
    """Call the program that job.json names, with FORGIA_RUN, FORGIA_RUN_PATH, FORGIA_STATE and FORGIA_WHY set.

    Whatever becomes of it changes nothing for the job: a failure is noted as event `notify_failed`.
    """
    argv = _program(run)
    if not argv:
        return
    told = {
        "FORGIA_RUN": run.name,
        "FORGIA_RUN_PATH": str(run.path),
        "FORGIA_STATE": state,
        "FORGIA_WHY": why,
    }
    try:
        answer = process.run(argv, timeout_s=TIMEOUT_S, env=told, cwd=run.path)
    except (ForgiaError, OSError) as error:
        run.event("notify_failed", argv=argv, why=str(error))
        return
    if answer.returncode:
        said = answer.stderr.strip()[-200:]
        run.event("notify_failed", argv=argv, why=f"exit code {answer.returncode}: {said}")
    else:
        run.event("notified", argv=argv)


def _program(run: RunDir) -> Sequence[str]:
    try:
        argv = read_json(run.job).get("notify") or []
    except InputError:
        return []  # the seal is broken, and that is told elsewhere
    return [str(word) for word in argv]
