"""submitit, and nothing else here: sbatch text and submission, without its pickles."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from submitit.core.utils import FailedJobError, FailedSubmissionError
from submitit.slurm.slurm import SlurmExecutor, _make_sbatch_string

from forgia_hpc.errors import ForgiaError, InputError, Problem, SlurmSilentError
from forgia_hpc.slurm.request import INHERITED, INHERITED_PREFIXES, SbatchRequest

SBATCH_TIMEOUT_S = 60
_TIMED_OUT = 124  # timeout(1)
_NO_ANSWER = re.compile(r"Unable to contact slurm controller|Socket timed out|Connection refused")


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
    """A rendered batch script and what sbatch needs beside it."""

    name: str
    text: str
    folder: Path
    environment: dict[str, str]


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
        return ["timeout", str(SBATCH_TIMEOUT_S), "sbatch", str(submission_file_path)]

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


def require_slurm() -> None:
    """Raise an InputError where this machine has no Slurm."""
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
    """Turn submitit's report into what the user can do about it."""
    said, cause = str(error), error.__cause__
    timed_out = isinstance(cause, subprocess.CalledProcessError) and cause.returncode == _TIMED_OUT
    if timed_out or _NO_ANSWER.search(said):
        return SlurmSilentError(
            f"sbatch gave no answer ({said or f'{SBATCH_TIMEOUT_S} s passed'}); "
            f"whether {name} is queued is not known: forgia status {name.removeprefix('forgia-')}"
        )
    words = re.findall(r"sbatch: error: (.*)", said) or [said.strip() or "no reason given"]
    return InputError(
        Problem(
            field="sbatch",
            got=name,
            limit="; ".join(words),
            where="Slurm's own words",
            fix="forgia cluster show",
        )
    )
