"""The table of a sweep sorts, exports and draws what the points have left, whatever that is."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from forgia_hpc.errors import InputError
from forgia_hpc.report.sweep import Results, axes, page, read_results
from forgia_hpc.rundir import write_json
from forgia_hpc.sweepdir import Point, SweepDir


@pytest.fixture
def table(tmp_path: Path) -> Results:
    """Four points: two done, one with metrics only, one that never ran."""
    rates = ["0.001", "0.01", "0.1", "1.0"]
    points = [
        Point(index=i, overrides=(f"optimizer.learning_rate={rate}", "label='a b'"), values={}, digest="")
        for i, rate in enumerate(rates)
    ]  # fmt: skip
    sweep = SweepDir(tmp_path)
    sweep.points_file.write_text("".join(f"{point.line()}\n" for point in points))
    for index, loss in enumerate((0.5, 0.25)):
        run = sweep.point(index)
        run.output.mkdir(parents=True)
        result = {"ending": "completed", "attempt": 0, "train": {"loss": loss, "ok": True}}
        write_json(run.result, result)
    (run.output / "metrics.json").write_text("{broken")
    sweep.point(2).path.mkdir(parents=True)
    sweep.point(2).metrics.write_text(json.dumps({"step": 3, "loss": 9.0}) + "\n")
    return read_results(sweep, {0: "completed", 1: "completed", 2: "running"})


def test_a_row_holds_what_its_point_has_reached(table: Results) -> None:
    assert table.columns == [
        "point",
        "optimizer.learning_rate",
        "label",
        "state",
        "train.loss",
        "loss",
    ]
    assert [row.figures for row in table.rows] == [
        {"train.loss": 0.5},
        {"train.loss": 0.25},
        {"loss": 9.0},
        {},
    ]
    assert table.rows[0].swept["label"] == "a b"


def test_it_sorts_by_any_column_and_who_has_nothing_comes_last(table: Results) -> None:
    assert [row.index for row in table.by("train.loss").rows] == [1, 0, 2, 3]
    order = table.by("optimizer.learning_rate", descending=True).rows
    assert [row.index for row in order] == [3, 2, 1, 0]
    with pytest.raises(InputError, match="columns there are: point"):
        table.by("nothing")


def test_csv_and_json_hold_every_column(table: Results) -> None:
    rows = list(csv.DictReader(io.StringIO(table.as_csv())))
    assert (rows[1]["train.loss"], rows[3]["train.loss"]) == ("0.25", "")
    assert table.as_json()["rows"][2]["loss"] == 9.0


def test_the_page_draws_a_dot_a_point_and_escapes_what_points_say(table: Results) -> None:
    assert axes(table, None) == ("optimizer.learning_rate", "train.loss")
    html = page(table, "2 done <b>", None)
    assert html.count("<circle") == 2
    assert "<b>" not in html
    assert "train.loss against optimizer.learning_rate" in html
