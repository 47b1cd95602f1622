"""Fixtures of the slurm tier: a real Slurm on this machine, raised once a session by slurm/dev/up."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

DEV = Path(__file__).resolve().parents[2] / "slurm/dev"

# The caller's own Slurm must not show through: SBATCH_PARTITION or SQUEUE_FORMAT would bend every answer.
FOREIGN = (
    "SLURM",
    "SBATCH",
    "SALLOC",
    "SRUN",
    "SQUEUE",
    "SINFO",
    "SACCT",
    "SCANCEL",
    "PMI",
    "OMPI",
)

# With several processes the long ones begin first: what begins last decides when the tier ends.
LONGEST = (
    "test_walltime",
    "test_trip",
    "test_endings",
    "test_modes",
    "test_nodes",
    "test_chain",
    "test_training",
    "test_simulate",
    "test_status",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; a file's own tests keep their order."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONGEST)))


@pytest.fixture(scope="session", autouse=True)
def _own_temporary_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the Slurms of several processes apart: Open MPI's folder in /tmp is named by host and process number.

    Both are the same in two of them: each has a node n1, and counts its processes from 1.
    """
    tmp_path_factory.getbasetemp()  # before: what a failed test leaves must stay
    own = tempfile.TemporaryDirectory(prefix="forgia-", ignore_cleanup_errors=True)
    with own as directory, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", directory)
        patch.setattr(tempfile, "tempdir", directory)
        yield


@dataclass(frozen=True)
class DevSlurm:
    """A running dev Slurm, as its clients see it."""

    directory: Path

    @property
    def conf(self) -> Path:
        return self.directory / "slurm.conf"

    @property
    def env(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        return own | {"SLURM_CONF": str(self.conf), "FORGIA_DEV_SLURM": str(self.directory)}

    def run(self, command, check=True, timeout_s=120, **options):
        """Run a command in this Slurm's environment; a failure shows both streams."""
        options = {"env": self.env, "cwd": self.directory} | options
        done = subprocess.run(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
            **options,
        )
        assert done.returncode == 0 or not check, f"{command}\n{done.stdout}\n{done.stderr}"
        return done

    def inside(self, *command, **options):
        """Run a command where all processes are this Slurm's own, as `pkill -STOP -x slurmctld`."""
        return self.run([DEV / "inside", *command], **options)


@contextmanager
def raised(*options: str) -> Iterator[DevSlurm]:
    # As for Ctrl-C: a pytest that `timeout` ends would leave its Slurm standing.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Not pytest's tmp_path: its names leave little room below the 107 characters of a Unix socket.
    with tempfile.TemporaryDirectory(prefix="forgia-", ignore_cleanup_errors=True) as parent:
        directory = Path(parent) / "slurm"
        done = subprocess.run(
            [DEV / "up", *options, directory], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        print(done.stderr, end="")  # noqa: T201  pytest -s shows how long it took
        try:
            yield DevSlurm(directory.resolve())
        finally:
            subprocess.run([DEV / "down", directory], check=True)


@pytest.fixture(scope="session")
def dev_slurm():
    """Four nodes, slurmdbd, partitions and QOS of Leonardo Booster; shared by the whole session."""
    reuse = os.environ.get("FORGIA_DEV_SLURM_REUSE")
    if reuse:
        assert "PYTEST_XDIST_WORKER" not in os.environ, "tests of several processes bend one Slurm"
        assert (Path(reuse) / "slurm.conf").is_file(), f"FORGIA_DEV_SLURM_REUSE={reuse}: no Slurm"
        yield DevSlurm(Path(reuse).resolve())
        return
    with raised() as slurm:
        yield slurm


@pytest.fixture(scope="session")
def dev_slurm_without_accounting():
    """The same nodes without slurmdbd: no sacct, no QOS, no limits of associations."""
    with raised("--no-accounting") as slurm:
        yield slurm
