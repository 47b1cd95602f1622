from __future__ import annotations

import time
from pathlib import Path

from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.heartbeat import Heartbeat, read_beats


def test_the_last_beat_of_every_rank_of_the_attempt_is_read(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    with (
        Heartbeat(run, 1, 10) as tenth,
        Heartbeat(run, 1, 2) as second,
        Heartbeat(run, 0, 0) as old,
    ):
        old.beat(99, "train")
        tenth.beat(1234567, "a phase with a long name")
        tenth.beat(5, "save")
        second.beat(4, "train")
        second.beat(5, "train")  # the phase is not new: the thread writes it within the second
        beats = read_beats(run, 1)
    assert [(beat.rank, beat.step, beat.phase) for beat in beats] == [
        (2, 4, "train"),
        (10, 5, "save"),
    ]
    assert all(abs(beat.time - time.time()) < 60 for beat in beats)
    assert [(beat.step, beat.over) for beat in read_beats(run, 1)] == [(5, True), (5, True)]


def test_a_rank_that_said_nothing_yet_is_passed_over(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    with Heartbeat(run, 0, 0), Heartbeat(run, 0, 1) as other:
        other.beat(1, "train")
        assert [beat.rank for beat in read_beats(run, 0)] == [1]
