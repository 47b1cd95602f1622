import pytest

from forgia_hpc.report.facts import RunFacts
from forgia_hpc.report.standing import error_of, standing
from forgia_hpc.rundir import Event


def events(*pairs):
    return [Event(what, index, facts) for index, (what, facts) in enumerate(pairs)]


STARTED = ("batch_started", {"attempt": 0})


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ([], "unknown"),
        ([("sealed", {})], "sealed"),
        ([("sealed", {}), ("submitted", {})], "submitted"),
        ([("submitting", {}), ("submission_refused", {"why": "no account"})], "failed"),
        ([STARTED, ("checkpoint_broken", {})], "started"),
        ([STARTED, ("rank_failed", {"exit_code": 3})], "failed"),
        ([STARTED, ("batch_ended", {"exit_code": 6})], "stopped"),
        ([STARTED, ("batch_ended", {"exit_code": 3})], "failed"),
        ([STARTED, ("batch_ended", {"exit_code": 0})], "failed"),
        ([("batch_ended", {"exit_code": 6}), ("batch_started", {"attempt": 1})], "started"),
        ([STARTED, ("batch_ended", {})], "failed"),
    ],
)
def test_the_last_telling_event_decides(told, word):
    assert standing(RunFacts("x", events=events(*told))).word == word


def test_a_result_means_finished_unless_the_end_says_otherwise():
    result = {"attempt": 0}
    good = events(STARTED, ("batch_ended", {"exit_code": 0}))
    bad = events(STARTED, ("batch_ended", {"exit_code": 3}))

    assert standing(RunFacts("x", result=result, events=good)).word == "finished"
    assert standing(RunFacts("x", result=result, events=events(STARTED))).word == "finished"
    assert standing(RunFacts("x", result=result, events=bad)).word == "failed"


def test_the_result_of_an_older_attempt_does_not_finish_a_newer_one():
    newer = events(("batch_started", {"attempt": 1}))

    assert standing(RunFacts("x", result={"attempt": 0}, events=newer)).word == "started"


def test_what_slurm_knows_decides_only_what_the_files_leave_open():
    started = RunFacts("x", events=events(STARTED))
    failed = RunFacts("x", events=events(STARTED, ("rank_failed", {})))

    assert standing(started, "timeout").word == "timeout"
    assert standing(failed, "running").word == "failed"


def test_the_last_error_is_told():
    told = events(("rank_failed", {"error": "first"}), ("batch_ended", {"why": "last"}))

    assert error_of(RunFacts("x", events=told)) == "last"
    assert error_of(RunFacts("x")) == ""
