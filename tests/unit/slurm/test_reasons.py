import pytest

from forgia_hpc.slurm.reasons import in_words, is_held, never_starts


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


@pytest.mark.parametrize(
    ("reason", "yes"),
    [
        ("launch failed requeued held", True),
        ("launch_failed_requeued_held", True),  # scontrol's spelling
        ("job_requeued_in_held_state", True),
        ("JobHeldUser", True),
        ("JobHoldMaxRequeue", True),
        ("JobHeldAdmin", False),
        ("BeginTime", False),
        ("None", False),
    ],
)
def test_what_its_owner_must_release_is_told_from_what_starts_by_itself(
    reason: str, yes: bool
) -> None:
    assert is_held(reason) is yes


def test_a_job_that_waits_for_ever_is_told_from_one_that_waits() -> None:
    never = ["PartitionTimeLimit", "DependencyNeverSatisfied", "QOSMaxNodePerJobLimit"]
    waits = ["Priority", "Resources", "QOSMaxJobsPerUserLimit", "Dependency", "BeginTime"]
    assert all(map(never_starts, never))
    assert not any(map(never_starts, waits))
