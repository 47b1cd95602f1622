from dataclasses import replace

import numpy as np
import pytest
from fakes.telemetry import CHANNELS, NS, T0, card, contribution, segment

from forgia_hpc.data.card import card_from
from forgia_hpc.data.layout import Mark, Split
from forgia_hpc.data.writing.admission import first_steps, problems_of


@pytest.fixture
def good():
    return contribution()


def fields_of(contribution, **more):
    problems = problems_of(contribution, card_from(card(**more), where="card.yaml"))
    return [problem.field for problem in problems]


def with_values(good, row, column, value):
    values = good.segments[0].values.copy()
    values[row, column] = value
    return replace(good, segments=(replace(good.segments[0], values=values), *good.segments[1:]))


def with_segment(good, **change):
    return replace(good, segments=(replace(good.segments[0], **change), *good.segments[1:]))


def test_a_good_contribution_has_no_problem(good):
    assert fields_of(good, season_steps={"process": 288}) == []


def test_values_are_refused_with_channel_row_and_value(good):
    broken = with_values(good, 0, [7, 9], 20.335)
    (problem,) = problems_of(broken, card_from(card(), where=""))
    assert (problem.field, problem.got) == ("process/temperature", 20.335)
    assert "2 values" in problem.limit
    assert problem.where == "asset press, row 7"


def test_problems_of_several_channels_come_together(good):
    broken = with_values(with_values(good, 0, 7, 20.335), 2, 3, np.inf)
    assert sorted(fields_of(broken)) == ["process/temperature", "process/vibration"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"values": np.zeros((4, 10))}, "segments[0].values"),
        ({"values": np.zeros((5, 0))}, "segments[0].values"),
        ({"rate_den": 0}, "segments[0].rate"),
        ({"channels": (*CHANNELS[:4], CHANNELS[0])}, "segments[0].channels"),
        ({"channels": (replace(CHANNELS[0], ucum="K"), *CHANNELS[1:])}, "process/temperature"),
        ({"t0_ns": None}, "t0_ns"),
        ({"rate_den": 600}, "marks[0]"),
    ],
)
def test_broken_segments_are_named(good, change, field):
    assert field in fields_of(with_segment(good, **change))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"role": "input"}, "role"),
        ({"scale": 0.0}, "scale"),
        ({"scale": -1.0}, "scale"),
        ({"zero": float("nan")}, "scale"),
        ({"ucum": ""}, "ucum"),
        ({"valid_min": float("inf")}, "valid_min"),
    ],
)
def test_broken_channels_are_named(good, change, field):
    channels = (replace(CHANNELS[0], **change), *CHANNELS[1:])
    segments = tuple(replace(one, channels=channels) for one in good.segments)
    assert fields_of(replace(good, segments=segments)) == [f"process/temperature.{field}"]


def test_no_step_may_lie_in_two_segments(good):
    rng = np.random.default_rng(1)
    overlap = segment(rng, "press", Split.held_out_time, 10, first=395)
    assert "process: first step of a segment" in fields_of(
        replace(good, segments=(*good.segments, overlap))
    )


@pytest.mark.parametrize(
    "mark",
    [
        Mark(asset="press", code="failure", first=5, last=4),
        Mark(asset="press", code="failure", first=-1, last=4),
        Mark(asset="nobody", code="failure", first=0, last=4),
        Mark(asset="press", code="failure", first=0, last=4, value=float("nan")),
    ],
)
def test_broken_marks_are_named(good, mark):
    assert fields_of(replace(good, marks=(mark,))) == ["marks[0]"]


def test_card_and_contribution_must_agree(good):
    assert fields_of(
        replace(good, season_steps={"process": 288, "night": 3}),
        name="other",
        contributor="somebody",
        members=["mill"],
        season_steps={"process": 12},
    ) == [
        "card.name",
        "card.contributor",
        "card.members",
        "season_steps.process",
        "season_steps.night",
    ]


def test_nothing_at_all_is_refused(good):
    assert "segments" in fields_of(replace(good, segments=(), marks=(), season_steps={}))


def test_first_steps_follow_times_or_the_order(good):
    assert first_steps(good.segments) == [0, 407, 0, 0]
    by_index = tuple(replace(one, t0_ns=None) for one in good.segments)
    assert first_steps(by_index) == [0, 400, 0, 0]
    late = replace(good.segments[1], t0_ns=T0 + 407 * 300 * NS + NS)
    assert first_steps((good.segments[0], late)) == [0, 407]
