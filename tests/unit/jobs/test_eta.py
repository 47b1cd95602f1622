import time

import pytest

from forgia_hpc.jobs.eta import left, starts


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"step": 100, "of": 500, "step_s": 0.1}, "about 40 s left"),
        ({"step": 100, "of": 500, "step_s": 3.0}, "about 20 min left"),
        ({"step": 1, "of": 50_001, "step_s": 1.0}, "about 14 h left"),
        ({"step": 0, "of": 1_000_000, "step_s": 1.0}, "about 12 d left"),
        ({"step": 500, "of": 500, "step_s": 3.0}, ""),
        ({"step": 100, "of": 500, "step_s": None}, ""),
        ({}, ""),
    ],
)
def test_the_rest_is_told_at_the_present_pace(row: dict[str, object], said: str) -> None:
    assert left(row) == said


def test_a_start_is_told_as_a_clock_or_a_day_and_never_invented() -> None:
    now = time.mktime((2026, 11, 22, 12, 0, 0, 0, 0, -1))
    assert starts("2026-11-22T14:05:00", now) == "starts about 14:05"
    assert starts("2026-11-24T14:05:00", now) == "starts about Tue 24 Nov 14:05"
    assert starts("2026-11-22T11:59:00", now) == "starts soon"
    assert starts("N/A", now) == ""
    assert starts("", now) == ""
