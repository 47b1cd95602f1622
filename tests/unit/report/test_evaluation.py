import random

import pytest
from fakes.finished_run import evaluation

from forgia_hpc.report.evaluation import Skill, read_evaluation
from forgia_hpc.report.forecasts import anomaly_panel, bands, forecast_panel, peaks
from forgia_hpc.report.scores import best_scores
from forgia_hpc.report.skill import between, skill_panels


def whole():
    return evaluation(random.Random(1))


def test_everything_of_a_whole_evaluation_is_read():
    notes: list[str] = []

    judged = read_evaluation(whole(), notes)

    assert notes == []
    assert (len(judged.scores), len(judged.examples), len(judged.anomaly)) == (30, 10, 5)
    assert judged.headline().skill == 0.273


def test_entries_that_cannot_be_read_are_counted_and_the_rest_stays():
    content = whole()
    del content["scores"][0]["method"]
    content["examples"][0]["truth"] = "none"
    content["skill"][0]["skill"] = float("nan")
    content["anomaly"] = 7
    notes: list[str] = []

    judged = read_evaluation(content, notes)

    assert (len(judged.scores), len(judged.examples), len(judged.anomaly)) == (29, 9, 0)
    assert len(notes) == 4


def test_another_format_is_refused_with_a_note():
    notes: list[str] = []

    assert read_evaluation({"format": "other/9", "scores": [1]}, notes).scores == []
    assert "other/9" in notes[0]


def test_the_best_method_of_each_group_is_the_one_with_the_least_error():
    scores = read_evaluation(whole(), []).scores

    for index in best_scores(scores):
        rivals = [
            one.sql
            for one in scores
            if (one.contribution, one.split) == (scores[index].contribution, scores[index].split)
        ]
        assert scores[index].sql == min(rivals)


def test_bands_are_the_asked_levels_else_the_widest():
    one = read_evaluation(whole(), []).examples[0]
    assert [level for level, *_ in bands(one)] == [0.8, 0.5]

    odd = dict.fromkeys((0.05, 0.3, 0.5, 0.7, 0.95), one.quantiles[0.5])
    object.__setattr__(one, "quantiles", odd)
    assert [level for level, *_ in bands(one)] == [0.9]


def test_a_forecast_without_a_value_is_not_drawn():
    one = read_evaluation(whole(), []).examples[0]
    for name in ("context", "truth", "naive"):
        object.__setattr__(one, name, [None] * 4)
    object.__setattr__(one, "quantiles", {})

    assert forecast_panel(one) is None


def test_a_peak_is_never_thinned_away():
    scores = [0.0] * 100_000
    scores[77_777] = 5.0

    assert max(value for _, value in peaks(scores)) == 5.0
    assert len(peaks(scores)) <= 500


def test_labels_are_placed_on_the_clock_of_the_scores():
    one = read_evaluation(whole(), []).anomaly[0]
    drawn = anomaly_panel(one)

    assert drawn.count("<rect") == 4  # one of them begins before the first score
    assert "labelled: steps 5596 to 5596" in drawn
    object.__setattr__(one, "labels", [(0.0, 4095.0), (10_000.0, 10_001.0)])
    assert "<rect" not in anomaly_panel(one)


def test_one_panel_a_split_and_none_for_a_single_row():
    drawn = skill_panels(read_evaluation(whole(), []))

    assert len(drawn) == 2
    assert "all contributions" in drawn[0]


@pytest.mark.parametrize(
    ("low", "series", "said"),
    [
        (0.1, 5.0, "95 % interval 10 % to 20 %"),
        (None, 1.0, "one trajectory: no interval"),
        (None, 2.0, "2 trajectories: no interval"),
        (None, None, ""),
    ],
)
def test_a_skill_says_its_interval_or_why_it_has_none(low, series, said):
    high = None if low is None else 0.2
    one = Skill("all", "all", "model", "persistence", "vrmse_1", 0.13, low, high, series)
    assert between(one).replace("\N{NO-BREAK SPACE}", " ") == said
