"""submitit, and nothing else here: sbatch text and submission, without its pickles."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from submitit.core.utils import FailedJobError, FailedSubmissionError
from submitit.slurm.slurm import SlurmExecutor, _make_sbatch_string

from forgia_hpc.errors import ForgiaError, InputError, Problem, SlurmSilentError
from forgia_hpc.slurm.conf import missing_conf
from forgia_hpc.slurm.request import (
    INHERITED,
    INHERITED_PREFIXES,
    KILL_AFTER_S,
    SBATCH_TIMEOUT_S,
    SbatchRequest,
)
from forgia_hpc.stopwatch import lap

_NEVER_RAN = (126, 127)  # timeout(1): there is no sbatch that could be started
_SAYS_ID = re.compile(r"Submitted batch job \d+")
# Words of an sbatch that got no verdict: the request may have arrived all the same. The first five are Slurm's
# (slurm_errno.c, sbatch.c), the others the system's.
_NO_ANSWER = re.compile(
    "Unable to contact slurm controller|Socket timed out|Zero Bytes were transmitted|Communication connection"
    "|sleeping and retrying|Connection (refused|reset|timed out)|No route to host|temporarily unavailable"
    "|Transport endpoint"
)
_FEWER = "wait until fewer of your jobs are queued (squeue --me), then forgia resume it"


@lap("render")
def render(request: SbatchRequest) -> str:
    """Return the sbatch script: pure text, the same with and without a Slurm on this machine."""
    named = ("time", "job-name")  # submitit sets these itself, under names of its own
    own = {key: value for key, value in request.directives.items() if key not in named}
    text: str = _make_sbatch_string(
        command=request.command,
        folder=request.folder,
        job_name=request.name,
        time=request.directives["time"],
        wckey=None,  # submitit's default "submitit" is refused where wckeys are enforced
        setup=list(request.setup),
        use_srun=False,
        additional_parameters=own,
    )
    return text


@dataclass(frozen=True, kw_only=True)
class Script:
    """A rendered batch script and what sbatch needs beside it.

    options, arguments: words before and after the script on sbatch's command line.
    until_s: time, in s since 1970, after which sbatch must not be asked any more.
    """

    name: str
    text: str
    folder: Path
    environment: dict[str, str]
    options: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    until_s: float | None = None

    @property
    def seconds_left(self) -> float:
        """How long sbatch may take."""
        left = SBATCH_TIMEOUT_S if self.until_s is None else self.until_s - time.time()
        return min(left, SBATCH_TIMEOUT_S)


class BatchExecutor(SlurmExecutor):  # type: ignore[misc]
    """submitit's Slurm executor, given a script instead of a function: no pickle on the path."""

    def __init__(self, script: Script) -> None:
        """Take the script; its folder must exist.

        Raises:
            InputError: no Slurm on this machine.
        """
        require_slurm()
        super().__init__(folder=script.folder)
        self._script = script

    def _make_submission_file_text(self, command: str, uid: str) -> str:
        """Return the sealed text; submitit's own command is never used."""
        return self._script.text

    def _make_submission_command(self, submission_file_path: object) -> list[str]:
        """Bound sbatch in time: a slurmctld that hangs must not hang the shell."""
        script, left = self._script, self._script.seconds_left
        if left <= 0:  # Ctrl-Z, a laptop that slept: by now somebody may have given this up as lost
            limit = "this submission was held up too long and is given up; nothing was sent"
            fix = f"forgia resume {_run_of(script.name)}"
            raise InputError(Problem(field="sbatch", got=script.name, limit=limit, fix=fix))
        bounded = ["timeout", f"--kill-after={KILL_AFTER_S}", f"{left:.3f}", "sbatch"]
        named = [f"--job-name={script.name}", *script.options]
        return [*bounded, *named, str(submission_file_path), *script.arguments]

    def submit_script(self) -> str:
        """Submit and return the job id.

        Raises:
            SlurmSilentError: no answer; whether the job is queued is unknown.
            InputError: Slurm refused the script, in its own words.
        """
        said = (
            io.StringIO()
        )  # submitit prints sbatch's complaint itself; it is in our error already
        try:
            with (
                only_environment(allowed(os.environ, self._script.environment)),
                contextlib.redirect_stderr(said),
            ):
                return str(self._submit_command("").job_id)
        except (FailedJobError, FailedSubmissionError) as error:
            raise _explained(error, self._script.name) from error


def require_slurm(environment: Mapping[str, str] | None = None) -> None:
    """Raise an InputError where this machine has no Slurm, or the one that `environment` names is gone."""
    if path := missing_conf(environment or {}):
        limit, fix = f"there is no {path}", 'start it with: eval "$(slurm/dev/up)"'
        raise InputError(Problem(field="cluster", got="SLURM_CONF", limit=limit, fix=fix))
    if SlurmExecutor.affinity() < 0:
        raise InputError(
            Problem(
                field="cluster",
                got="no srun on this machine",
                limit="Slurm's commands are needed to submit",
                fix="submit on a login node, or use cluster=local, or --dry-run",
            )
        )


def allowed(environment: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """Return the part of the shell's environment that a job may see."""
    kept = {
        k: v for k, v in environment.items() if k in INHERITED or k.startswith(INHERITED_PREFIXES)
    }
    conf = {"SLURM_CONF": environment["SLURM_CONF"]} if "SLURM_CONF" in environment else {}
    return {**kept, **conf, **added}


@contextlib.contextmanager
def only_environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """Run the block with exactly this environment: sbatch passes on all that it sees."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(wanted)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _explained(error: Exception, name: str) -> ForgiaError:
    """Turn submitit's report into what the user can do about it.

    A refusal is only what Slurm itself has said; everything else may have left a job behind.
    """
    said, verdict = str(error), _verdict(error)
    if verdict:
        fix = _FEWER if "submit limit" in said else "forgia cluster show"
        where = "Slurm's own words"
        return InputError(Problem(field="sbatch", got=name, limit=verdict, where=where, fix=fix))
    return SlurmSilentError(
        f"sbatch gave no clear answer ({said or 'killed, or its time was up'}); "
        f"whether {name} is queued is not known: forgia status {_run_of(name)}"
    )


def _verdict(error: Exception) -> str:
    """Return the words of a refusal; nothing where sbatch left in doubt what became of the request."""
    said, cause = str(error), error.__cause__
    if not isinstance(cause, subprocess.CalledProcessError) or _SAYS_ID.search(cause.output or ""):
        return ""  # 0 and no id, or an id and not 0
    if cause.returncode in _NEVER_RAN:
        return said.strip() or "there is no sbatch on this machine"
    last = said.rpartition("Batch job submission failed:")[2]
    words = re.findall(r"sbatch: (?:error|fatal): (.*)", said)
    return "" if cause.returncode != 1 or _NO_ANSWER.search(last) else "; ".join(words)


def _run_of(name: str) -> str:
    """Return the run of a job's name: forgia-<run>, or forgia-<run>.<number>."""
    return name.removeprefix("forgia-").partition(".")[0]
