"""The probation of a campaign: once passed it stands, whatever other groups do meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from forgia_hpc.errors import JobFailedError
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.schema.job import SimulateJob
from forgia_hpc.simulate.admission import gate, probation
from forgia_hpc.simulate.admission.probe import Trial
from forgia_hpc.simulate.admission.told import has_failed, verification_of
from forgia_hpc.simulate.communicator import Alone
from forgia_hpc.simulate.members import Members


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    (tmp_path / "output" / "campaign").mkdir(parents=True)
    return RunDir(tmp_path)


MEMBERS = Members(
    dataset="d", solver="5a" * 32, into="d", memory_bytes=None, design={}, inputs=(), members=()
)


def tried(monkeypatch: pytest.MonkeyPatch, run: RunDir, launch: str, does: Any) -> None:
    """Put a solver on trial as this start of a group; `does` stands for the trials."""
    monkeypatch.setenv("FORGIA_LAUNCH", launch)
    monkeypatch.setattr(probation, "tried", does)
    gate.put_on_trial(SimulateJob(), run, MEMBERS, Alone(), None)


def passes(*_: object) -> list[Trial]:
    return [Trial(name="twin", value=0.0, limit=1.0)]


def fails(*_: object) -> list[Trial]:
    return [Trial(name="twin", value=2.0, limit=1.0)]


def test_a_pass_is_asked_for_once(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    tried(monkeypatch, run, "000-0.0.0", passes)
    tried(monkeypatch, run, "001-0.0.1", fails)  # comes late, and tries nothing
    assert read_json(verification_of(run))["launch"] == "000-0.0.0"
    assert not has_failed(run, "000-0.0.0")
    assert not has_failed(run, "001-0.0.1")


def test_a_slower_group_takes_no_pass_back(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both begin before either has passed: the first word stands, and a failure is the failing one's own."""

    def slow(*_: object) -> list[Trial]:
        assert has_failed(run, "001-0.0.1")  # as long as it has not passed
        tried(monkeypatch, run, "000-0.0.0", passes)
        monkeypatch.setenv("FORGIA_LAUNCH", "001-0.0.1")
        return fails()

    with pytest.raises(JobFailedError, match="twin: 2, at most 1"):
        tried(monkeypatch, run, "001-0.0.1", slow)
    told = read_json(verification_of(run))
    assert (told["passed"], told["launch"]) == (True, "000-0.0.0")
    assert has_failed(run, "001-0.0.1")
    tried(monkeypatch, run, "002-0.0.2", fails)  # the pass still stands
