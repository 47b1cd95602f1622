"""From a checked plan to a running job: under Slurm through submitit, or as a child process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any

from forgia_hpc.errors import InputError, Problem, SlurmSilentError
from forgia_hpc.jobs import budget, journal
from forgia_hpc.jobs.agreement import note_agreed
from forgia_hpc.jobs.journal import Entry
from forgia_hpc.jobs.local import start_local, terminate
from forgia_hpc.jobs.package import Plan, Sealed, seal
from forgia_hpc.jobs.payer import Payer
from forgia_hpc.jobs.submission import living, submitted, token
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.slurm.executor import BatchExecutor, Script, require_slurm
from forgia_hpc.slurm.named import NamedJob
from forgia_hpc.slurm.state import cancel
from forgia_hpc.stopwatch import lap


def submit_job(
    plan: Plan, *, detached: bool = True, payer: Payer | None = None
) -> tuple[Sealed, dict[str, Any]]:
    """Seal the plan and start it; return the seal and the facts of the submission.

    Args:
        plan: the checked job.
        detached: it outlives this process.
        payer: of the budget, if that was looked at before; else it is looked at here.

    Raises:
        InputError: Slurm refused the request, or is not on this machine, or the budget does not allow it.
        SlurmSilentError: no answer; the run stays, and `forgia status` finds the job by its name.
    """
    queued = plan.cluster.slurm and not plan.allocation
    if queued:
        require_slurm(plan.cluster.environment())
        with budget.held_for(plan.run, plan.cluster, plan.job.resources, payer):
            sealed = seal(plan)
            note_agreed(sealed.run, agreed=payer is not None and payer.agreed)
            return sealed, submit_sealed(sealed.run, paid=True)
    sealed = seal(plan)
    return sealed, start_local(sealed.run, sealed.digest, detached=detached)


def submit_sealed(
    run: RunDir, *, after: str | None = None, number: int | None = None, paid: bool = False
) -> dict[str, Any]:
    """Hand a sealed run to sbatch exactly once, and return the job.

    Args:
        run: the run.
        after: a dependency as sbatch understands it; its job may still run.
        number: of this submission, if it was asked for before the run's state was: another one that
            came first has claimed it.
        paid: the budget holds it already.

    Raises:
        InputError: Slurm or the budget refused it, a job of the run lives, or another submission came first.
        SlurmSilentError: no clear answer; nothing is sent again before it is known what became of it.
    """
    number = number or journal.next_number(run)
    if number > 1:
        _require_over(run, read_json(run.job)["slurm_environment"], after)
    with contextlib.nullcontext() if paid else budget.held_again(run, number):
        entry = journal.claim(run, number, after or "")
        return hand_over(run, entry, _script(run, entry))


def _require_over(run: RunDir, environment: Mapping[str, str], after: str | None) -> None:
    """Ask Slurm before anything is sent again: no job of the run may live, but the one that is followed."""
    followed = (after or "").rpartition(":")[2]
    live = [job.job_id for job in journal.settle(run, environment) if job.live]
    if others := [job for job in live if job != followed]:
        limit = f"job {', '.join(others)} of it is still queued or running"
        fix = f"forgia status {run.name}"
        raise InputError(Problem(field="RUN", got=run.name, limit=limit, fix=fix))


@lap("sbatch")
def hand_over(run: RunDir, entry: Entry, script: Script, **more: object) -> dict[str, Any]:
    """Ask sbatch, then Slurm itself: what sbatch says alone is no proof, neither of a job nor of none.

    `more` is noted with the job.
    """
    said, doubt = "", None
    try:
        said = BatchExecutor(script).submit_script()
    except (InputError, SlurmSilentError) as error:
        doubt = error
    except BaseException as error:  # Ctrl-C, a full disk: it may have been sent
        run.event("submission_unknown", name=entry.name, why=repr(error))
        raise
    jobs = _asked_back(run, entry, script.environment)
    if jobs:
        found = {} if jobs[0].job_id == said else {"reconciled": True}
        return journal.accept(run, entry, jobs, script.environment, **found, **more)
    if said and jobs is None:
        facts = {**entry.of_job(said), **more}
        run.event("submitted", **facts)
        return facts
    if isinstance(doubt, InputError):
        run.event("submission_refused", name=entry.name, why=str(doubt))
        raise doubt
    lie = f"sbatch said job {said}, and Slurm knows no job {entry.name}: forgia status {run.name}"
    run.event("submission_unknown", name=entry.name, why=str(doubt or lie))
    raise doubt or SlurmSilentError(lie)


def _asked_back(run: RunDir, entry: Entry, environment: Mapping[str, str]) -> list[NamedJob] | None:
    """Return the jobs of a submission that was just sent; None where Slurm can't tell."""
    try:
        names = [entry.name]
        return journal.find(run, names, environment, accounting=False) or journal.find(
            run, names, environment
        )
    except (SlurmSilentError, InputError):
        return None


def resume(run: RunDir, number: int | None = None) -> dict[str, Any]:
    """Start another attempt of a sealed run: the same code, config and data. `number` as of submit_sealed."""
    sealed = read_json(run.job)
    digest = read_json(run.manifest)["digest"]
    if not sealed["slurm"]:
        if left := living(
            run
        ):  # ranks that outlived their batch step would write beside the new attempt's
            limit = f"processes of its last attempt still live: {', '.join(map(str, left))}"
            fix = f"wait for them, or kill {' '.join(map(str, left))}"
            raise InputError(Problem(field="RUN", got=run.name, limit=limit, fix=fix))
        journal.claim(run, number or journal.next_number(run))
        return start_local(run, digest, detached=True)
    return submit_sealed(run, number=number)


def next_link(run: RunDir) -> dict[str, Any]:
    """Queue the run's next job from inside the present one, to start when that has ended; once only.

    Raises:
        InputError: this is not the job of the run's newest attempt.
    """
    number, own = journal.next_number(run), os.environ.get("SLURM_JOB_ID")
    started = run.events("batch_started")
    if not own or not started or started[-1].facts.get("job_id") != own:
        limit = "its next link can be queued by its own running job only"
        raise InputError(Problem(field="--next-link", got=run.name, limit=limit))
    environment = read_json(run.job)["slurm_environment"]
    queued = {
        job.name for job in journal.settle(run, environment) if job.live and job.job_id != own
    }
    for entry in journal.entries(run):
        if entry.name in queued:
            return dict(entry.facts)
    return submit_sealed(run, after=f"afterany:{own}", number=number)


def _script(run: RunDir, entry: Entry) -> Script:
    """Return the sealed script of a run: the text of the dry run, of the seal and of every attempt is one."""
    path = run.path / "job.sbatch"
    waits = (f"--dependency={entry.after}", "--kill-on-invalid-dep=yes") if entry.after else ()
    sealed = read_json(run.job)
    mail = sealed.get("mail")
    mailed = (f"--mail-user={mail}", "--mail-type=END,FAIL") if mail else ()
    return Script(
        name=entry.name,
        text=path.read_text(encoding="utf-8"),
        folder=run.logs,
        environment=sealed["slurm_environment"],
        options=(*waits, *mailed),
        until_s=entry.until_s,
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
        names = {entry.name for entry in journal.entries(run)} or {token(run, 1)}
        found = journal.find(run, names, sealed["slurm_environment"], accounting=False)
        if live := [job.job_id for job in found if job.live]:  # the next link among them
            cancel(live, sealed["slurm_environment"])
    elif told["host"] != os.uname().nodename:
        raise InputError(
            Problem(
                field="RUN", got=run.name, limit=f"it runs on {told['host']}", fix="cancel it there"
            )
        )
    else:
        terminate(int(told["pid"]), told["start_ticks"])
