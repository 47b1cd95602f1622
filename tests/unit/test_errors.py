from __future__ import annotations

from forgia_hpc.errors import ExitCode, InputError, Problem, nearest


def test_exit_codes_are_frozen() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "DEFECT": 1,
        "INPUT": 2,
        "JOB_FAILED": 3,
        "SLURM_SILENT": 4,
        "SEAL_BROKEN": 5,
        "STOPPED": 6,
        "INTERRUPTED": 130,
    }


def test_a_problem_is_one_line_with_all_its_parts() -> None:
    problem = Problem(field="a.b", got=80, limit="64 at most", where="the profile", fix="ask less")
    assert str(problem) == "a.b: got 80, 64 at most (the profile); ask less"


def test_an_input_error_holds_every_problem() -> None:
    error = InputError([Problem(field=name, got=None, limit="x") for name in "abc"])
    assert [line[0] for line in str(error).splitlines()] == ["a", "b", "c"]


def test_a_misspelt_word_is_answered_with_the_nearest() -> None:
    known = ["leonardo_booster", "leonardo_dcgp", "train.steps"]
    assert nearest("train.stps", known, "look").startswith("did you mean train.steps? look")
    assert nearest("leonardo", known, "").startswith("did you mean leonardo_booster or leonardo_d")
    assert nearest("zzz", known, "look") == "look"
