"""The bench of `forgia cluster probe`: what a row's fate becomes, and what follows from the facts."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.slurm_commands import FakeSlurm

from forgia_hpc.errors import InputError, SlurmSilentError
from forgia_hpc.slurm.cluster import load_cluster, with_readings
from forgia_hpc.slurm.facts import fact_sheet, write_facts
from forgia_hpc.slurm.probe import (
    Bench,
    NotSeenError,
    RefusedError,
    Row,
    cheapest,
    observe,
)
from forgia_hpc.slurm.probe_rows import ROWS, not_asked


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    found = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return found


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(
        environment={},
        folder=tmp_path,
        options=("--account=a",),
        today="2026-11-22",
        patience_s=0.5,
    )


def good(bench: Bench) -> Row:
    """Does it work."""
    bench.submit("x", "sleep 1")
    yield
    return [bench.fact("works", "Does it work?", True, "it did")]


def test_a_row_that_is_refused_stays_open_and_the_others_go_on(
    fake: FakeSlurm, bench: Bench
) -> None:
    def refused(_bench: Bench) -> Row:
        """Is it refused."""
        yield
        raise RefusedError("Access denied")

    def unseen(_bench: Bench) -> Row:
        """Is it seen."""
        raise NotSeenError("not within 1 s")
        yield

    fake.says("sbatch", "77\n")
    found = list(observe(bench, {"a": refused, "b": unseen, "c": good}))
    assert {one.name: one.holds for one in found} == {
        "a": "unclear",
        "b": "unclear",
        "works": "yes",
    }
    assert "Access denied" in {one.observed for one in found}


def test_all_jobs_are_submitted_before_any_is_looked_at(fake: FakeSlurm, bench: Bench) -> None:
    def looks(bench: Bench) -> Row:
        """How many were there."""
        yield
        return [bench.fact("jobs", "How many?", True, str(len(bench.jobs)))]

    fake.says("sbatch", "77\n")
    found = list(observe(bench, {"first": looks, "second": good}))
    assert found[0].observed == "1"


def test_what_was_submitted_is_taken_away(fake: FakeSlurm, bench: Bench) -> None:
    fake.says("sbatch", "77;cluster\n")
    bench.submit("x", "sleep 1")
    bench.clear()
    assert fake.calls("scancel")[0]["argv"] == ["--quiet", "77"]
    assert "--account=a" in fake.calls("sbatch")[0]["argv"]


def test_a_silent_slurm_is_no_answer_to_any_question(fake: FakeSlurm, bench: Bench) -> None:
    fake.says("sbatch", "", err="Unable to contact slurm controller", code=1)
    with pytest.raises(SlurmSilentError):
        list(observe(bench, {"c": good}))


def test_the_fact_sheet_is_obeyed() -> None:
    shipped = load_cluster("leonardo_booster", shipped=True)
    bench = Bench(environment={}, folder=Path("/nowhere"), options=(), today="2026-11-22")
    facts = [
        bench.fact("requeue_allowed", "May a user requeue?", True, "Restarts=1"),
        bench.fact("singleton_serialises", "Singleton?", True, "yes"),
        *not_asked(bench.today),
    ]
    sheet = fact_sheet(shipped, facts, host="login01", version="24.05", today=bench.today)
    write_facts("leonardo_booster", sheet)
    found = load_cluster("leonardo_booster")
    assert found.scheduler.resubmit == "requeue"
    assert found.holds("requeue_allowed") is True
    assert found.holds("edge_across_users") is None
    assert found.holds("never heard of") is None
    assert found == with_readings("leonardo_booster", {}, sheet)


def test_requeue_that_is_refused_leads_to_the_chain() -> None:
    shipped = load_cluster("leonardo_booster", shipped=True)
    bench = Bench(environment={}, folder=Path("/nowhere"), options=(), today="2026-11-22")
    facts = [
        bench.fact("requeue_allowed", "May a user requeue?", False, "Job requeue disabled"),
        bench.fact("singleton_serialises", "Singleton?", True, "yes"),
    ]
    sheet = fact_sheet(shipped, facts, host="h", version="24.05", today=bench.today)
    assert sheet["scheduler"] == {"resubmit": "singleton"}
    assert "scheduler" not in fact_sheet(shipped, [], host="h", version="24.05", today=bench.today)


def test_tiny_jobs_go_where_they_cost_least() -> None:
    free = cheapest(load_cluster("leonardo_booster"))
    usual = cheapest(load_cluster("lumi_g"))
    assert free is not None
    assert usual is not None
    assert free.name == "lrd_all_serial"
    assert usual.name == "standard-g"


def test_every_row_says_what_it_asks() -> None:
    assert all((row.__doc__ or "").strip() for row in ROWS.values())


def test_a_refusal_for_want_of_room_answers_nothing(fake: FakeSlurm, bench: Bench) -> None:
    words = "sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed"
    fake.says("sbatch", "", err=words, code=1)
    found = list(observe(bench, {"unknown_predecessor": ROWS["unknown_predecessor"]}))
    assert [one.holds for one in found] == ["unclear"]
    assert "too many jobs" in found[0].observed


def test_a_plain_job_that_is_refused_ends_the_probe(fake: FakeSlurm, bench: Bench) -> None:
    fake.says(
        "sbatch", "", err="sbatch: error: Invalid account or account/partition combination", code=1
    )
    with pytest.raises(InputError, match="Invalid account"):
        bench.try_plain()
