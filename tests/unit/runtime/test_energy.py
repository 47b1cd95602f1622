"""Energy: its source is always said, its bounds hold the figure, and nothing that ran costs 0."""

from __future__ import annotations

from pathlib import Path

import pytest

from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.energy import (
    Meter,
    by_counters,
    by_model,
    by_plugin,
    gpu_watts,
    read_counters,
)


def test_a_model_has_wide_bounds_and_says_that_it_is_one() -> None:
    found = by_model(gpus=4, gpu_model="NVIDIA A100-SXM-64GB", cores=32, mem_gb=480, seconds=3600)
    full = (4 * 400 + 32 * 8 + 480 * 0.3) / 1000
    assert found.kwh == pytest.approx(0.6 * full)
    assert found.low_kwh < found.kwh < full < found.high_kwh
    assert (found.source, found.note.split(":")[0]) == ("model", "modelled")


@pytest.mark.parametrize(
    ("model", "watts"),
    [("NVIDIA GH200 120GB", 900), ("AMD MI250X", 280), ("odd", 500), (None, 500)],
)
def test_watts_by_data_sheet(model: str | None, watts: float) -> None:
    assert gpu_watts(model) == watts


def test_a_plugin_on_a_shared_node_counts_the_neighbours() -> None:
    alone, shared = by_plugin(3.6e6, shared=False), by_plugin(3.6e6, shared=True)
    assert (alone.kwh, alone.source) == (1.0, "plugin")
    assert shared.low_kwh < alone.low_kwh
    assert "shared" in shared.note


def test_counters_of_one_node_stand_for_all_with_more_doubt() -> None:
    rest = by_model(gpus=0, gpu_model=None, cores=32, mem_gb=0, seconds=3600)
    one = by_counters({"gpu 0": 3.6e6}, rest, nodes=1)
    four = by_counters({"gpu 0": 3.6e6}, rest, nodes=4)
    assert one.kwh == pytest.approx(1 + rest.kwh)
    assert four.kwh == pytest.approx(4 + rest.kwh)
    assert one.low_kwh == pytest.approx(0.95 + rest.low_kwh)
    assert four.low_kwh == pytest.approx(3.2 + rest.low_kwh)
    assert "gpu on 1 of 4" in four.note


def _package(root: Path, microjoules: int) -> None:
    folder = root / "intel-rapl:0"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text("262143328850\n")


def test_a_package_counter_that_begins_anew_loses_nothing(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.path.mkdir()
    root = tmp_path / "powercap"
    _package(root, 262_000_000_000)
    with Meter(run, 0, read=lambda: read_counters(root)):
        _package(root, 1_000_000)
    event = run.events("energy")[0]
    assert event.facts["joules"]["cpu intel-rapl:0"] == pytest.approx(143.32885 + 1.0)
    assert event.facts["nodes_measured"] == 1


def test_counters_that_may_not_be_read_leave_no_event(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.path.mkdir()
    with Meter(run, 0, read=lambda: read_counters(tmp_path / "none")):
        pass
    assert run.events("energy") == []
