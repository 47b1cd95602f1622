import io

import pytest
from fakes.finished_run import computing_run, failed_run, finished_run
from rich.console import Console

from forgia_hpc.report.terminal import show_run
from forgia_hpc.rundir import RunDir


def shown(run, width=120, **options):
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    show_run(run, console, **options)
    return console.file.getvalue()


def test_a_finished_run_shows_figures_skill_and_origin(tmp_path):
    text = shown(finished_run(tmp_path))

    assert "telemetry_1m was trained on consortium@5be1f0c2a977" in text
    for part in ("Throughput", "Skill (SQL)", "+27\u00a0%", "AUC", "Job digest", "batch ended"):
        assert part in text
    assert "do-not-show" not in text


def test_a_failed_run_shows_the_end_of_its_log_as_text(tmp_path):
    run = failed_run(tmp_path)
    (run.logs / "rank-3.log").write_text("[bold]not markup[/bold] [/] \x1b[2Jgone\n")

    text = shown(run)

    assert "failed at step 57 of 600" in text
    assert "[bold]not markup[/bold] [/] gone" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_every_width_is_kept(tmp_path, width):
    assert max(map(len, shown(finished_run(tmp_path), width).splitlines())) <= width


def test_open_ends_are_told_as_slurm_knows_them(tmp_path):
    assert "ran out of its walltime" in shown(computing_run(tmp_path), state="timeout")


def test_an_empty_directory_is_shown(tmp_path):
    assert "left no event" in shown(RunDir(tmp_path))
