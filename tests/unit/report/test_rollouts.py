"""A surrogate's evaluation as the page shows it."""

import base64
import json
import re
import struct

import pytest

from forgia_hpc.report.evaluation import read_evaluation
from forgia_hpc.report.rollouts import cost_words, rollouts_block
from forgia_hpc.report.side_panels import sides_panel
from forgia_hpc.report.sides import sides_of
from forgia_hpc.report.skill import metric_name, metric_words


def content():
    figures = {"vrmse": {"1": 0.01, "10": 0.05}, "drift": {"1": 0.001, "10": 0.02}}
    row = {
        "contribution": "plates",
        "split": "held_out_machines",
        "method": "model",
        "windows": 8,
        "series": 2,
        "bands": {"1": [0.01, 0.1, None], "10": [0.04, 0.2, 0.3]},
        **figures,
    }
    return {
        "format": "forgia.evaluation/1",
        "scores": [row, {**row, "method": "persistence"}, {"method": "linear"}],
        "skill": [],
        "worst": [
            {"contribution": "plates", "member": "plate-7", "vrmse_1": 0.02, "vrmse_10": 0.1}
        ],
        "cost": {"model_s": 0.01, "solver_s": 2.0, "faster": 200.0, "equal": None},
        "notes": ["A note."],
    }


def test_rollouts_take_the_place_of_scores():
    notes: list[str] = []
    judged = read_evaluation(content(), notes)
    assert (judged.scores, len(judged.rollouts), len(judged.worst)) == ([], 2, 1)
    assert notes == ["output/evaluation.json: 1 of scores could not be read"]
    text = "".join(map(str, rollouts_block(judged)))
    for word in (
        "VRMSE, 1 step<",
        "VRMSE, 10 steps",
        "0.0400 / 0.200 / 0.300",
        "plate-7",
        "A note.",
    ):
        assert word in text, word
    assert "200 times as fast" in text


def test_what_a_page_is_given_by_others_stays_text():
    hostile = json.loads(json.dumps(content()).replace("plate-7", "<script>"))
    judged = read_evaluation(hostile, [])
    assert "<script>" not in "".join(map(str, rollouts_block(judged)))


def test_a_model_that_is_slower_than_its_solver_is_told_so():
    assert "takes 5.00 times as long" in cost_words({"model_s": 0.5, "solver_s": 0.1})[0]
    assert "nobody noted" in cost_words({"model_s": 0.5, "solver_s": None})[0]
    equal = {"error_ratio": 4.0, "solver_s": 0.01}
    said = cost_words({"model_s": 0.001, "solver_s": 0.1, "equal": equal})
    assert "4.00 times the solver's own" in said[1]
    assert "10.0 times as fast" in said[1]
    least = cost_words({"model_s": 0.001, "solver_s": 0.1, "equal": {**equal, "coarsest": True}})
    assert "the coarsest mesh there is, of two cells an axis, errs less" in least[1]
    assert cost_words({}) == []


def test_metrics_of_rollouts_have_names():
    assert (metric_name("vrmse_1"), metric_words("vrmse_10")) == (
        "VRMSE, 1 step",
        "error after 10 steps",
    )
    assert (metric_name("sql"), metric_words("sql")) == ("SQL", "scaled quantile loss")


def example(**changes):
    plane = [[0.0, 1.0, None], [2.0, 3.0, 4.0]]
    line = [0.1 * (at + 1) for at in range(10)]
    return {
        "contribution": "plates",
        "split": "held_out_machines",
        "member": "plate-7",
        "channel": "temperature",
        "unit": "K",
        "ahead": [1, 10],
        "truth": [plane, plane],
        "model": [plane, [[1.0, 1.0, 1.0], [2.0, 3.0, None]]],
        "curve": {"model": line, "persistence": [2 * value for value in line]},
        "worst": True,
        **changes,
    }


def test_a_model_is_shown_beside_its_solver_with_the_error():
    one = sides_of(example())
    assert one.truth[0][0] == [2.0, 3.0, 4.0]  # from the top down
    text = str(sides_panel(one))
    for words in ("the worst window", "10 steps", "−1.00", "1.00 K", "steps ahead"):
        assert words in text, words
    found = [base64.b64decode(code) for code in re.findall(r"base64,([^)]+)\)", text)]
    assert len(found) == 3  # solver, model, error: one picture each, of all steps
    assert all(struct.unpack(">II", one[16:24]) == (6, 2) for one in found)


@pytest.mark.parametrize(
    "spoiled",
    [
        {"truth": [[[1.0]], [[1.0, 2.0]]]},  # of two sizes
        {"ahead": [1]},  # more pictures than steps
        {"truth": [[[0.0] * 2000] * 2000] * 2, "model": [[[0.0] * 2000] * 2000] * 2},
    ],
)
def test_an_example_that_is_none_is_left_out_and_said(spoiled):
    notes: list[str] = []
    judged = read_evaluation({**content(), "frames": [example(), example(**spoiled)]}, notes)
    assert len(judged.sides) == 1
    assert "output/evaluation.json: 1 of frames could not be read" in notes
