"""Several runs side by side."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from forgia_hpc.errors import InputError
from forgia_hpc.report.comparison import compare
from forgia_hpc.report.comparison_shown import as_csv, head, show, write_comparison
from forgia_hpc.rundir import RunDir
from tests.fakes.finished_run import computing_run, failed_run, finished_run


@pytest.fixture
def runs(tmp_path: Path) -> list[RunDir]:
    made = [make(tmp_path) for make in (finished_run, failed_run, computing_run)]
    content = yaml.safe_load(made[1].config.read_text())
    content["optimizer"] = {"learning_rate": 0.01}
    content["label"] = "another try"
    made[1].config.write_text(yaml.safe_dump(content))
    return made


def test_the_figures_are_those_of_the_runs(runs: list[RunDir]) -> None:
    done, failed, computing = compare(runs)
    assert done.asked == {"optimizer.learning_rate": None}
    assert failed.asked == {"optimizer.learning_rate": 0.01}
    assert done.last == pytest.approx(0.28, abs=0.03)
    assert done.best is not None
    assert done.last is not None
    assert done.best < done.last
    assert done.skill == pytest.approx(0.273)
    assert computing.skill is None
    assert done.state == "finished"


def test_another_metric_may_be_asked_and_an_unknown_one_names_those_there_are(runs) -> None:
    assert compare(runs, "grad_norm")[0].last == pytest.approx(0.6, abs=0.2)
    with pytest.raises(InputError, match=r"known: .*grad_norm.*loss"):
        compare(runs, "accuracy")


def test_terminal_csv_and_page_say_the_same(runs: list[RunDir], tmp_path: Path) -> None:
    found = compare(runs)
    shown = Console(width=220, record=True, file=io.StringIO())
    show(found, "loss", shown)
    text = shown.export_text()
    rows = list(csv.DictReader(io.StringIO(as_csv(found, "loss"))))
    page = write_comparison(found, "loss", tmp_path / "page.html").read_text()
    for one, row in zip(found, rows, strict=True):
        assert one.name in text
        assert row["run"] == one.name
        assert float(row["loss"]) == one.last
        assert one.name in page
    assert page.count("<path") == 3
    assert "ends with the least loss" in page


def test_many_runs_stay_one_plot(runs: list[RunDir], tmp_path: Path) -> None:
    found = compare([runs[0]] * 9)
    page = write_comparison(found, "loss", tmp_path / "page.html").read_text()
    assert page.count("<path") == 9
    assert "3 more, drawn faint" in page


def told_by(folder: Path, name: str, loss: float, **more: object) -> RunDir:
    """A run of a command job whose program told its figures."""
    run = failed_run(folder / name)
    run.metrics.unlink(missing_ok=True)
    content = yaml.safe_load(run.config.read_text())
    content = {key: content[key] for key in ("seed", "cluster") if key in content}
    content |= {
        "kind": "command",
        "command": {"argv": ["python", "train.py", "--lr", str(loss)]},
        **more,
    }
    run.config.write_text(yaml.safe_dump(content))
    run.output.mkdir(exist_ok=True)
    (run.output / "metrics.json").write_text(json.dumps({"loss": loss, "score": {"best": 1.5}}))
    return run


def test_the_figures_of_a_program_of_ones_own(tmp_path: Path) -> None:
    made = [told_by(tmp_path, "a", 0.5), told_by(tmp_path, "b", 0.25)]
    assert [one.last for one in compare(made)] == [0.5, 0.25]
    assert compare(made, "score.best")[0].best == 1.5
    page = write_comparison(compare(made), "loss", tmp_path / "page.html").read_text()
    assert "Over the steps" not in page


def test_runs_of_several_kinds_are_told_apart_by_their_kind_alone(
    runs: list[RunDir], tmp_path: Path
) -> None:
    for run in runs:
        run.config.write_text(
            yaml.safe_dump({**yaml.safe_load(run.config.read_text()), "kind": "train"})
        )
    found = compare([runs[0], told_by(tmp_path, "a", 0.5)])
    assert head(found, "loss")[:4] == ["run", "state", "kind", "loss last"]
    shown = Console(width=100, record=True, file=io.StringIO())
    show(found, "loss", shown)
    assert "more config values differ" in shown.export_text()
