from __future__ import annotations

import time

import pytest

from forgia_hpc.cli.timing import line
from forgia_hpc.stopwatch import Stopwatch, held, lap


@lap("inner")
def inner(seconds: float) -> int:
    time.sleep(seconds)
    return 3


def test_a_part_is_counted_without_the_parts_inside_it() -> None:
    with held() as watch, lap("outer"):
        time.sleep(0.02)
        assert inner(0.05) == 3
        assert inner(0.05) == 3
    assert watch.seconds["inner"] == pytest.approx(0.1, abs=0.04)
    assert watch.seconds["outer"] == pytest.approx(0.02, abs=0.04)
    assert set(watch.seconds) == {"inner", "outer"}


def test_nobody_holds_a_watch_and_nothing_is_counted() -> None:
    with held() as watch:
        pass
    inner(0)
    assert watch.seconds == {}


def test_a_part_that_raised_is_counted() -> None:
    with pytest.raises(ValueError, match="x"), held() as watch, lap("seal"):
        raise ValueError("x")
    assert "seal" in watch.seconds


def test_the_parts_add_up_to_the_whole() -> None:
    watch = Stopwatch({"start": 0.1, "seal": 0.25, "compose": 0.5})
    assert line(watch, 1.0) == ("timing: 1.10 s = start 0.10, compose 0.50, seal 0.25, rest 0.25")
