import numpy as np
import pytest

from forgia_hpc.evaluate.metrics import Figures
from forgia_hpc.evaluate.skill import Judged, score_rows, skill_rows


def figures(sql, scored=2):
    return Figures(
        scored=scored, sql=sql * scored, mase=2 * sql * scored, loss=3.0, size=6.0, measured=10,
        inside={"0.8": 7},
    )  # fmt: skip


def window(number, ours, naive, contribution="mill", split="held_out_time"):
    methods = {"model": figures(ours), "seasonal_naive": figures(naive)}
    return Judged(contribution, split, number, (f"press/{number % 2}",), methods)


def skill(windows, contribution="all", split="all", metric="sql"):
    return next(
        row
        for row in skill_rows(windows)
        if (row["contribution"], row["split"], row["metric"]) == (contribution, split, metric)
    )


def test_scores_are_means_over_series():
    rows = score_rows([window(0, 0.5, 1.0), window(1, 0.7, 1.0)], [0.8, 0.95])
    assert [row["method"] for row in rows] == ["model", "seasonal_naive"]
    assert rows[0]["sql"] == pytest.approx(0.6)
    assert rows[0]["mase"] == pytest.approx(1.2)
    assert rows[0]["wql"] == pytest.approx(0.5)
    assert rows[0]["coverage"] == {"0.8": pytest.approx(0.7)}
    assert (rows[0]["windows"], rows[0]["series"]) == (2, 2)


def test_skill_is_one_minus_the_geometric_mean_of_the_ratios():
    windows = [window(n, 0.5, 1.0) for n in range(4)]
    windows += [window(n, 2.0, 1.0, contribution="lathe") for n in range(4)]
    assert skill(windows, "mill")["skill"] == pytest.approx(0.5)
    assert skill(windows, "lathe")["skill"] == pytest.approx(-1.0)
    assert skill(windows)["skill"] == pytest.approx(0.0)
    assert skill(windows, "mill", "held_out_time")["skill"] == pytest.approx(0.5)


def test_the_interval_holds_the_skill_and_narrows_with_more_windows():
    random = np.random.default_rng(0)
    widths = []
    for count in (10, 160):
        windows = [window(n, random.uniform(0.2, 1.0), 1.0) for n in range(count)]
        row = skill(windows)
        assert row["low"] < row["skill"] < row["high"]
        widths.append(row["high"] - row["low"])
    assert widths[1] < widths[0] / 2


def test_the_order_of_the_windows_changes_nothing():
    random = np.random.default_rng(0)
    windows = [window(n, random.uniform(0.2, 1.0), 1.0) for n in range(20)]
    assert skill_rows(windows) == skill_rows(windows[::-1])


def test_where_nothing_can_be_scored_there_is_no_skill():
    empty = Judged(
        "still", "held_out_time", 0, (),
        {"model": figures(0.0, 0), "seasonal_naive": figures(0.0, 0)},
    )  # fmt: skip
    assert skill_rows([empty]) == []
    assert score_rows([empty], [0.8])[0]["sql"] is None
    assert skill([empty, window(0, 0.5, 1.0)])["skill"] == pytest.approx(0.5)
