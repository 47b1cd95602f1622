"""Labels and splits that do not fit the data are refused, each with its place."""

import json

import pytest
from fakes.lookalikes import lookalike, sealed_recipe

from forgia_hpc.data.ingest.run import ingest
from forgia_hpc.data.layout import Split
from forgia_hpc.errors import InputError


def refused(content, raw):
    with pytest.raises(InputError) as error:
        ingest(sealed_recipe(content, raw), raw)
    return [str(problem) for problem in error.value.problems]


@pytest.mark.parametrize(
    ("windows", "limit"),
    [
        ([["2013-12-02 01:00:00.000000", "2014-12-02 01:00:00.000000"]], "inside the run"),
        ([["2013-12-02 02:00:00.000000", "2013-12-02 01:00:00.000000"]], "inside the run"),
        ([["2013-12-02", "2013-12-03"]], "times of the form"),
        ([["2013-12-02 02:00:00.000000"]], "[[start, end], …]"),
        (None, "[[start, end], …]"),
    ],
)
def test_windows_that_do_not_fit(windows, limit, tmp_path):
    content = lookalike("machine_temperature", tmp_path)
    path = tmp_path / "machine_temperature" / "labels.json"
    path.write_text(json.dumps({"anomaly_windows": windows}))
    (problem,) = refused(content, tmp_path)
    assert limit in problem
    assert "labels.json" in problem


@pytest.mark.parametrize(("text", "limit"), [("1 \n" * 99, "99 lines"), ("x\n" * 100, "a whole")])
def test_remaining_life_that_does_not_fit(text, limit, tmp_path):
    content = lookalike("turbofan", tmp_path)
    (tmp_path / "turbofan" / "RUL_FD001.txt").write_text(text)
    assert limit in refused(content, tmp_path)[0]


def test_a_fault_after_the_end_and_a_machine_that_is_not_there(tmp_path):
    content = lookalike("tennessee_eastman", tmp_path)
    content["labels"][1]["first"] = 200
    content["labels"][2]["assets"] = ["d99"]
    content["split"]["machines"] = ["*_te", "d98"]
    problems = refused(content, tmp_path)
    assert len(problems) == 3
    assert "the run of d01_te has 200 steps" in problems[0]
    assert "d99" in problems[1]
    assert "d98" in problems[2]


def test_nothing_left_to_train_on_is_refused(tmp_path):
    content = lookalike("refinery", tmp_path)
    content["split"]["machines"] = ["*"]
    assert "no machine is left to train on" in refused(content, tmp_path)[0]


def test_splits_follow_each_other_and_share_no_step(tmp_path):
    content = lookalike("refinery", tmp_path)
    content["split"]["time_share"] = 0.25
    contribution, _ = ingest(sealed_recipe(content, tmp_path), tmp_path)
    train, later = contribution.segments
    assert (train.split, later.split) == (Split.train, Split.held_out_time)
    assert (train.values.shape[1], later.values.shape[1]) == (45, 15)
    assert later.t0_ns == train.t0_ns + 45 * 300 * 10**9
