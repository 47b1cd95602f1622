"""From a checked plan to a running job: under Slurm through submitit, or as a child process."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Any

from forgia_hpc.errors import InputError, Problem, SlurmSilentError
from forgia_hpc.jobs.package import Plan, Sealed, seal
from forgia_hpc.jobs.submission import living, reconcile, start_ticks, submitted
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.slurm.executor import BatchExecutor, Script, allowed, require_slurm
from forgia_hpc.slurm.state import cancel


def submit_job(plan: Plan, *, detached: bool = True) -> tuple[Sealed, dict[str, Any]]:
    """Seal the plan and start it; return the seal and the facts of the submission.

    Raises:
        InputError: Slurm refused the request, or is not on this machine.
        SlurmSilentError: no answer; the run stays, and `forgia status` finds the job by its name.
    """
    if plan.cluster.slurm:
        require_slurm()
    sealed = seal(plan)
    if plan.cluster.slurm:
        return sealed, submit_sealed(sealed.run)
    return sealed, start_local(sealed.run, sealed.digest, detached=detached)


def submit_sealed(run: RunDir) -> dict[str, Any]:
    """Hand a sealed run to sbatch and note the job id, before and after."""
    script = _script(run)
    run.event("submitting", name=script.name)
    try:
        job_id = BatchExecutor(script).submit_script()
    except SlurmSilentError:
        found = None
        with contextlib.suppress(SlurmSilentError):  # as silent as sbatch, whose words say more
            found = reconcile(run, script.environment)
        if found is None:
            raise
        return found
    except InputError as error:
        run.event("submission_refused", why=str(error))
        raise
    facts = {"job_id": job_id, "name": script.name}
    run.event("submitted", **facts)
    return facts


def start_local(run: RunDir, digest: str, *, detached: bool) -> dict[str, Any]:
    """Start the batch step as a process of this machine, with the same allow-listed environment."""
    sealed = read_json(run.job)
    environment = {
        **allowed(os.environ, {}),
        **({"CUDA_VISIBLE_DEVICES": v} if (v := os.environ.get("CUDA_VISIBLE_DEVICES")) else {}),
        "PYTHONSAFEPATH": "1",
        "PYTHONPATH": str(run.code),
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    argv = [sealed["python"], "-m", "forgia_hpc.node.batch", str(run.path), "--digest", digest]
    with (run.logs / "batch.out").open("ab") as out, (run.logs / "batch.err").open("ab") as err:
        process = subprocess.Popen(
            argv,
            stdout=out,
            stderr=err,
            stdin=subprocess.DEVNULL,
            cwd=run.path,
            env=environment,
            start_new_session=True,
        )
    facts = {
        "pid": process.pid,
        "start_ticks": start_ticks(process.pid),
        "host": os.uname().nodename,
    }
    run.event("submitted", **facts)
    if not detached:
        _CHILDREN[run.path] = process
    return facts


_CHILDREN: dict[Path, subprocess.Popen[bytes]] = {}


def reap(run: RunDir) -> None:
    """Collect an ended foreground child, so that it is no zombie that looks alive."""
    child = _CHILDREN.get(run.path)
    if child is not None and child.poll() is not None:
        del _CHILDREN[run.path]


def resume(run: RunDir) -> dict[str, Any]:
    """Start another attempt of a sealed run: the same code, config and data."""
    sealed = read_json(run.job)
    digest = read_json(run.manifest)["digest"]
    if not sealed["slurm"]:
        if left := living(
            run
        ):  # ranks that outlived their batch step would write beside the new attempt's
            limit = f"processes of its last attempt still live: {', '.join(map(str, left))}"
            fix = f"wait for them, or kill {' '.join(map(str, left))}"
            raise InputError(Problem(field="RUN", got=run.name, limit=limit, fix=fix))
        return start_local(run, digest, detached=True)
    return submit_sealed(run)


def _script(run: RunDir) -> Script:
    """Return the sealed script of a run: the text of the dry run, of the seal and of every attempt is one."""
    path = run.path / "job.sbatch"
    return Script(
        name=f"forgia-{run.name}",
        text=path.read_text(encoding="utf-8"),
        folder=run.logs,
        environment=read_json(run.job)["slurm_environment"],
    )


def ask_to_stop(run: RunDir) -> None:
    """Cancel a run: scancel under Slurm, SIGTERM to the batch step elsewhere.

    Raises:
        InputError: it was never submitted, or on another machine.
    """
    sealed, told = read_json(run.job), submitted(run)
    if not told:
        raise InputError(
            Problem(field="RUN", got=run.name, limit="it was never submitted", fix="forgia status")
        )
    run.event("cancel_asked", by=os.environ.get("USER", ""), host=os.uname().nodename)
    if sealed["slurm"]:
        cancel([told["job_id"]], sealed["slurm_environment"])
    elif told["host"] != os.uname().nodename:
        raise InputError(
            Problem(
                field="RUN", got=run.name, limit=f"it runs on {told['host']}", fix="cancel it there"
            )
        )
    else:
        _terminate(int(told["pid"]), told["start_ticks"])


def _terminate(pid: int, ticks: str) -> None:
    try:
        if start_ticks(pid) == ticks:
            os.kill(pid, 15)
    except (ProcessLookupError, FileNotFoundError):
        return  # it has ended meanwhile, which is what was asked
    except PermissionError as error:
        limit = "it belongs to another user"
        raise InputError(Problem(field="RUN", got=f"process {pid}", limit=limit)) from error
