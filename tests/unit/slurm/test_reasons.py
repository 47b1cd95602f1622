import pytest

from forgia_hpc.slurm.reasons import in_words, never_starts


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("Priority", "jobs of higher priority are ahead (Priority)"),
        ("None", ""),
        ("QOSMaxJobsPerUserLimit", "the QOS's limit of jobs is used up by other jobs"),
        ("AssocGrpCPUMinutesLimit", "the account has no hours left for it"),
        ("QOSMaxWallDurationPerJobLimit", "longer than the QOS allows: it never starts"),
        ("AssocMaxNodePerJobLimit", "more nodes than the account allows: it never starts"),
        ("ReqNodeNotAvail, UnavailableNodes:n[1-2]", "UnavailableNodes:n[1-2]"),
        ("SomethingNewIn26.05", "SomethingNewIn26.05"),
    ],
)
def test_a_reason_is_told_in_words_with_slurms_own_behind(reason: str, said: str) -> None:
    assert said in in_words(reason)


def test_a_job_that_waits_for_ever_is_told_from_one_that_waits() -> None:
    never = ["PartitionTimeLimit", "DependencyNeverSatisfied", "QOSMaxNodePerJobLimit"]
    waits = ["Priority", "Resources", "QOSMaxJobsPerUserLimit", "Dependency", "BeginTime"]
    assert all(map(never_starts, never))
    assert not any(map(never_starts, waits))
