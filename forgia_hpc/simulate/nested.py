"""Programs that are started inside a process of MPI's or Slurm's: without the words that would mislead them.

Open MPI's mpirun refuses to start where it finds its own variables ("does not support recursive calls"), srun
takes the counts of the step that it stands in for its own, and a program linked to MPI believes to be our rank.
"""

from __future__ import annotations

import functools
import os
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from forgia_hpc import process

PROBE_S = 20.0
MARKS = ("FORGIA_LAUNCH", "FORGIA_CAMPAIGN")  # a dead group's programs are found by them
_MPI = (
    "OMPI_",
    "PMIX_",
    "PMI_",
    "ORTE_",
    "OPAL_",
    "PRTE_",
    "HYDRA_",
    "HYDI_",
    "MPICH_INTERFACE",
    "MPI_LOCAL",
)
# A site's or user's settings of Open MPI; mpirun itself hands none of these down.
_MPI_KEPT = (
    "OMPI_ALLOW_RUN_AS_ROOT",
    "OMPI_MCA_btl",
    "OMPI_MCA_coll",
    "OMPI_MCA_io",
    "OMPI_MCA_mpi_yield_when_idle",
    "OMPI_MCA_mtl",
    "OMPI_MCA_osc",
    "OMPI_MCA_pml",
)
_SLURM = ("SLURM_", "SLURMD_", "SLURM_STEP", "SRUN_")
# What srun needs to find the job from inside; all else describes the step around us, and would shape the new one.
_SLURM_KEPT = ("SLURM_JOB", "SLURM_CONF", "SLURM_CLUSTER_NAME", "SLURM_MPI_TYPE")
_RANK = (
    *("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "ROLE_RANK"),
    *("MASTER_ADDR", "MASTER_PORT", "PYTHONPATH", "PYTHONSAFEPATH", "PYTHONUNBUFFERED"),
)

# Paths of licences (LM_LICENSE_FILE) and of Kerberos' tickets (KRB5CCNAME: a home on AFS needs it) are none.
_SECRET = re.compile(
    r"^SSH_AUTH_SOCK$|^SSHPASS$|PASSWORD|PASSPHRASE|(?<!NSS_WRAPPER_)PASSWD$"
    r"|(^|_)PASS(_|$)|_PWD$|(^|_)PAT$"
    r"|(SECRET|TOKEN|API_?KEY|ACCESS_?KEY|SECRET_?KEY)\d*(_|$)"
    r"|(^|_)(SECRETS?|KEYS?|APIKEYS?|CREDENTIALS?)(_|$)"
)


@dataclass(frozen=True)
class Probe:
    """Whether a launcher starts anything from here."""

    works: bool
    seconds: float
    said: str = ""


def scrubbed(
    environment: Mapping[str, str], launcher: str = "", secrets: Collection[str] = ()
) -> dict[str, str]:
    """Return the environment of a program that is no part of our world, and needs no secret of the user's.

    For srun the words that name the job stay; for mpirun and all else this is a plain machine, not a Slurm step.
    Of what looks like a secret, those named in `secrets` stay.
    """
    kept = {name: word for name, word in environment.items() if _stays(name, launcher)}
    return {name: word for name, word in kept.items() if name in secrets or not is_secret(name)}


def is_secret(name: str) -> bool:
    """Whether a variable's name says that its value opens something."""
    return _SECRET.search(name.upper()) is not None


def _stays(name: str, launcher: str) -> bool:
    if name.startswith(_MPI):
        return name.startswith(_MPI_KEPT)
    if name.startswith(_SLURM):
        return name.startswith("SLURM_CONF") or (
            launcher == "srun" and name.startswith(_SLURM_KEPT)
        )
    return name not in _RANK and (name in MARKS or not name.startswith("FORGIA_"))


@functools.cache
def probe(launcher: str, timeout_s: float = PROBE_S) -> Probe:
    """Start `true` with this launcher from here, once a process, and remember how it went.

    A step that never starts is the commonest trouble inside an allocation, and shows itself only by silence.
    """
    argv = [*LAUNCHERS[launcher], "true"]
    kept = scrubbed(os.environ, launcher)
    started = time.monotonic()
    try:
        answer = process.run(
            argv, timeout_s=timeout_s, env=kept, without=set(os.environ) - set(kept)
        )
    except (process.ProgramMissingError, process.ProgramSilentError) as error:
        return Probe(False, time.monotonic() - started, str(error))
    said = (answer.stderr.strip() or answer.stdout.strip()).splitlines()
    works = answer.returncode == 0
    return Probe(
        works,
        time.monotonic() - started,
        "" if works else f"{launcher}: {said[-1] if said else answer}",
    )


LAUNCHERS = {
    "mpirun": ("mpirun", "-n", "1"),
    "srun": ("srun", "--overlap", "--ntasks=1", "--nodes=1"),
}
