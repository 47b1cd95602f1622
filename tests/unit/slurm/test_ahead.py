"""Commands begun before their answers are needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from forgia_hpc.process import ProgramSilentError
from forgia_hpc.slurm import ahead


def test_an_answer_is_given_once_and_to_the_same_question_only(tmp_path: Path) -> None:
    here = {"SLURM_CONF": str(tmp_path)}
    argv = ("sh", "-c", 'echo "$SLURM_CONF"; echo no >&2; exit 3')
    ahead.begin([argv], here)
    assert ahead.answer(("sh", "-c", "true"), here, 5) is None
    said = ahead.answer(argv, here, 5)
    assert said is not None
    assert (said.returncode, said.stdout, said.stderr) == (3, f"{tmp_path}\n", "no\n")
    assert ahead.answer(argv, here, 5) is None


def test_the_answer_of_another_slurm_is_not_taken(tmp_path: Path) -> None:
    ahead.begin([("echo", "one")], {"SLURM_CONF": str(tmp_path)})
    assert ahead.answer(("echo", "one"), {"SLURM_CONF": "/two"}, 5) is None


def test_nothing_is_begun_for_a_slurm_whose_conf_is_gone(tmp_path: Path) -> None:
    ahead.begin([("echo", "one")], {"SLURM_CONF": str(tmp_path / "gone")})
    assert ahead.answer(("echo", "one"), {"SLURM_CONF": str(tmp_path / "gone")}, 5) is None


def test_silence_is_silence_and_leaves_no_process() -> None:
    argv = ("sleep", "60")
    ahead.begin([argv], {})
    program = ahead._BEGUN[argv].program
    with pytest.raises(ProgramSilentError, match=r"sleep gave no answer in 0\.1 s"):
        ahead.answer(argv, {}, 0.1)
    assert program.returncode == -9


def test_a_program_that_is_not_here_is_asked_again_later() -> None:
    ahead.begin([("/no/such/program",)], {})
    assert ahead.answer(("/no/such/program",), {}, 1) is None
