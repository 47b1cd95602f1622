"""Which mpirun this is, by its own words, and what it is given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from forgia_hpc.node import mpirun

SAID = {
    "mpirun (Open MPI) 4.1.4\n\nReport bugs to http://www.open-mpi.org/community/help/": "open_mpi",
    "mpiexec (OpenRTE) 4.1.4\n": "open_mpi",
    "HYDRA build details:\n    Version:                                 5.0.2\n": "hydra",
    "Intel(R) MPI Library for Linux* OS, Version 2021.12 Build 20240213\n": "hydra",
    "mpirun 1.0 of somebody else\n": "",
}


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    mpirun.family.cache_clear()
    yield
    mpirun.family.cache_clear()


@pytest.mark.parametrize(("said", "family"), SAID.items())
def test_the_family_is_told_by_the_version(said: str, family: str) -> None:
    assert mpirun.family_of(said) == family


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("mpirun (Open MPI) 4.1.4", ["--bind-to", "none", "--oversubscribe"]),
        ("HYDRA build details:", ["-bind-to", "none"]),
        ("somebody else's", []),
    ],
)
def test_a_group_is_started_in_the_words_of_the_mpirun_beside_the_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, words: list[str]
) -> None:
    program = tmp_path / "mpirun"
    program.write_text(f'#!/bin/sh\necho "{said}"\n')
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    assert mpirun.group_argv(3, {}) == ["mpirun", "-np", "3", *words]
    place = "-hosts" if words[:1] == ["-bind-to"] else "--host"
    over_two = mpirun.group_argv(3, {"n2": 1, "n3": 2})
    assert over_two == ["mpirun", "-np", "3", *words, place, "n2:1,n3:2"]


def test_a_death_in_hydras_words() -> None:
    said = """
=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES
=   PID 17649 RUNNING AT vm
=   EXIT CODE: 11
===================================================================================
YOUR APPLICATION TERMINATED WITH THE EXIT STRING: Segmentation fault (signal 11)
This typically refers to a problem with your application.
"""  # MPICH 5.0.2
    assert mpirun.hydra_death(said.splitlines()) == "Segmentation fault (signal 11)"
    assert mpirun.hydra_death(["mpirun noticed that a process died"]) == ""
