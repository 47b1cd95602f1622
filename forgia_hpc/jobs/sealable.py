"""What a job and a sweep of many have in common, so that both can be sealed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.container import Container
from forgia_hpc.slurm.profile import Cluster


class Sealable(Protocol):
    """What can be sealed into a run directory: a job, or a sweep of many."""

    @property
    def run(self) -> RunDir:
        """The run directory to be."""

    @property
    def cluster(self) -> Cluster:
        """Where it is to run."""

    @property
    def container(self) -> Container | None:
        """The image that the ranks run in."""

    @property
    def words(self) -> tuple[str, ...]:
        """The command line that asks for this again."""

    @property
    def sources(self) -> dict[str, Path]:
        """What is copied, by its place under code/."""

    def texts(self) -> dict[str, str]:
        """Return the text files of the seal by their place."""

    def scripts(self, digest: str) -> dict[str, str]:
        """Return the batch scripts by their place, in the order of their names."""

    def start(self) -> dict[str, Any]:
        """Return what the batch step needs to start the ranks."""

    def record(self) -> dict[str, Any]:
        """Return what belongs to this one run: it is in no digest."""
