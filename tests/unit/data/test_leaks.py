from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes.telemetry import card, contribution

from forgia_hpc.data.layout import Split
from forgia_hpc.data.leaks.kept import sentences
from forgia_hpc.data.leaks.landmarks import find_landmarks, scales
from forgia_hpc.data.leaks.report import watch_leaks
from forgia_hpc.data.leaks.search import search
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.writer import seal, seal_consortium
from forgia_hpc.data.writing.splits import split_faults
from forgia_hpc.errors import InputError

OTHERS = np.array([[False, True], [True, False]])
STEPS = 4000


class Held:
    """Series in memory."""

    def __init__(self, *series):
        self.series = [np.asarray(one, np.float32) for one in series]
        self.steps = np.array([len(one) for one in series])

    def read_part(self, series, first, length):
        return self.series[series][first : first + length]


def wander(seed, steps=STEPS, keep=0.9):
    noise = np.random.default_rng(seed).normal(size=steps)
    for step in range(1, steps):
        noise[step] += keep * noise[step - 1]
    return noise


def found(a, b):
    matches = search(Held(a, b), np.array([0, 1]), OTHERS).matches
    return max(matches, key=lambda one: one.overlay.end - one.overlay.begin, default=None)


def planted(rate=1.0, scale=1.0, noise=0.0):
    """A signal, another with a copy of its steps 1000 … 3000 from step 700 on, and the copy's steps."""
    signal, host = wander(1), wander(2, 6000)
    at = np.arange(int(2000 * rate)) / rate + 1000
    copy = np.interp(at, np.arange(STEPS), signal)
    copy = copy + noise * copy.std() * np.random.default_rng(3).normal(size=len(copy))
    host[700 : 700 + len(copy)] = copy
    return signal, 5 + scale * host


@pytest.mark.parametrize(
    ("rate", "scale", "noise"),
    [(1, 1, 0), (1, -7, 0), (1.5, 1, 0), (0.7, 1, 0), (1, 1, 0.316), (1.9, -0.1, 0.316)],
)
def test_a_copy_is_found_where_it_lies_whatever_was_done_to_it(rate, scale, noise):
    match = found(*planted(rate, scale, noise))
    laid = match.overlay
    assert laid.rate == pytest.approx(rate, rel=0.01)
    assert laid.shift + laid.rate * (1000 - laid.begin) == pytest.approx(700, abs=20)
    assert laid.end - laid.begin == pytest.approx(2000, rel=0.15)
    assert np.sign(laid.correlation) == np.sign(scale)


@pytest.mark.parametrize("keep", [0.0, 0.9, 0.99, 1.0])
def test_unrelated_signals_are_no_copies(keep):
    ours = [wander(seed, keep=keep) for seed in range(20)]
    result = search(Held(*ours), np.arange(20) % 2, OTHERS)
    assert result.matches == ()


def test_what_all_machines_share_proves_nothing():
    time = np.arange(STEPS)
    for shape in (np.zeros(STEPS), time, np.sin(time / 7), time % 40, (time % 64 < 9)):
        assert found(shape.astype(float), 3 * shape[100:] + 2.0) is None


def test_only_comparable_series_are_compared():
    a, b = planted()
    assert search(Held(a, b), np.array([0, 0]), OTHERS).matches == ()


def test_landmarks_stay_under_scale_and_sign():
    curve = next(curve for octave, curve in scales(wander(1).astype(np.float32)) if octave == 1)
    marks, turned = find_landmarks(curve), find_landmarks(-4 * curve)
    np.testing.assert_allclose(marks.place, turned.place, atol=1e-3)
    assert (marks.top == ~turned.top).all()


def test_a_consortium_with_a_copy_says_who_contaminates_whom(tmp_path, forgia):
    root = Path(os.environ["FORGIA_DATA"])
    first = contribution("mill", 1, 3000)
    second = contribution("forge", 2, 3000)
    vibration = first.segments[0].values[2]
    values = second.segments[1].values.copy()
    values[2, 100:700] = -3 * vibration[1000:1600] + 1
    segments = (
        second.segments[0],
        replace(second.segments[1], values=values),
        *second.segments[2:],
    )
    for one in (first, replace(second, segments=segments)):
        owned = replace(one, contributor=f"{one.name}_works")
        seal(owned, card(one.name, contributor=f"{one.name}_works"), root / one.name)
    names = ["forge", "mill"]
    seal_consortium(
        "valley", [root / one for one in names], card("valley", members=names), root / "valley"
    )
    version = load_manifest(root / "valley").version
    assert "Not checked" in sentences(root, version)[0]
    told = watch_leaks(root / "valley", "all")
    assert [(one["split"], one["by"]) for one in told["contaminated"]] == [
        ("held_out_time", "mill")
    ]
    assert {one["contributor"] for pair in told["pairs"] for one in (pair["a"], pair["b"])} == {
        "forge_works",
        "mill_works",
    }
    assert told["pairs"][0]["scale"] == pytest.approx(-1 / 3, rel=0.1) or told["pairs"][0][
        "scale"
    ] == pytest.approx(-3, rel=0.1)
    assert "mill" in sentences(root, version)[0]
    done = forgia("data", "leaks", "valley", "--fail", "--json", "--html", str(tmp_path / "p.html"))
    assert done.returncode == 2
    assert json.loads(done.stdout)["leaks"]["pairs"] == told["pairs"]
    assert "vibration" in (tmp_path / "p.html").read_text()


def test_a_held_out_machine_in_training_is_refused(tmp_path):
    one = contribution()
    later = 10**15  # ns: no step is in two segments
    twice = tuple(
        replace(each, asset="oven", t0_ns=each.t0_ns + later) if each.asset == "saw" else each
        for each in one.segments
    )
    with pytest.raises(InputError, match="held_out_machines"):
        seal(replace(one, segments=twice), card(), tmp_path / "mill")


def test_training_steps_after_held_out_ones_are_told():
    rows = [("a", "g", Split.train, 0, 60), ("a", "g", Split.held_out_time, 50, 20)]
    assert len(list(split_faults(rows))) == 1
    assert not list(split_faults([rows[0], ("a", "g", Split.held_out_time, 60, 20)]))
