"""A receipt in words, and the page's section of it."""

from __future__ import annotations

import html
import json
from pathlib import Path

import pytest
from fakes.finished_run import finished_run

from forgia_hpc.digest import digest_of
from forgia_hpc.report.facts import read_run
from forgia_hpc.report.page import render
from forgia_hpc.report.receipt import money, receipt_rows, waited

RECEIPT = {
    "format": "forgia.receipt/1",
    "why": "",
    "billed": {
        "amount": 64.0, "unit": "core-h", "core_h": 64.0, "node_h": 2.0, "gpu_h": 8.0, "by": "rule",
    },
    "attempts": [{"state": "REQUEUED", "elapsed_s": 60}, {"state": "COMPLETED", "elapsed_s": 3600}],
    "wait": {
        "queue_s": 61, "dependency_s": 3600, "requeue_hold_s": 121, "begin_s": 0,
        "array_limit_s": 0, "held_s": 0, "other_s": 0, "reasons": ["Priority"], "known": True,
    },
    "work": {"useful_s": 3600.0, "lost_s": 60.0, "lost_steps": 20},
    "energy": {"kwh": 1.5, "low_kwh": 0.5, "high_kwh": 2.9, "note": "modelled"},
    "memory": {"peak_process_gb": 3.25, "held_gb": 480.0},
    "efficiency": {"cpu": 0.25, "memory": None, "walltime": 0.5},
    "hints": ["ask for <less>"],
}  # fmt: skip


def sealed(**changes: object) -> dict:
    content = {**RECEIPT, **changes}
    return {**content, "digest": digest_of(content)}


def test_every_line_is_in_words() -> None:
    said = dict(receipt_rows(RECEIPT))
    assert said["billed"] == "64 core-h (2 node-h, 8 GPU-h), by the site's rule"
    assert said["attempts"] == "REQUEUED 00:01:00, COMPLETED 01:00:00"
    assert said["waited"] == (
        "00:01:01 in the queue, 01:00:00 for its predecessor, 00:02:01 held after a requeue (Priority)"
    )
    assert said["computed"] == "useful 01:00:00, lost 00:01:00 (20 steps)"
    assert said["energy"] == "1.5 kWh (0.5 to 2.9); modelled"
    assert said["used"] == "cpu 25 %, walltime 50 %"


def test_what_is_not_known_is_not_said_to_be_nothing() -> None:
    assert waited({"known": False}) == "not known: no accounting yet"
    assert money(None) == "nothing: no Slurm"


def test_the_page_shows_a_receipt_and_escapes_it(tmp_path: Path) -> None:
    run = finished_run(tmp_path)
    (run.path / "receipt.json").write_text(json.dumps(sealed()))
    page = render(read_run(run))
    assert 'id="cost"' in page
    assert "ask for &lt;less&gt;" in page


@pytest.mark.parametrize(
    ("standing", "job", "said"),
    [
        ("settled", "12", "Settled by Slurm's accounts."),
        ("provisional", "12", "By its own record; not settled yet."),
        ("provisional", "", "By its own record: no Slurm."),
    ],
)
def test_the_page_says_by_whose_record_a_receipt_is(
    tmp_path: Path, standing: str, job: str, said: str
) -> None:
    run = finished_run(tmp_path)
    attempts = [{**one, "job_id": job} for one in RECEIPT["attempts"]]
    (run.path / "receipt.json").write_text(json.dumps(sealed(standing=standing, attempts=attempts)))
    assert html.escape(said) in render(read_run(run))


def test_a_receipt_that_was_changed_has_no_section(tmp_path: Path) -> None:
    run = finished_run(tmp_path)
    (run.path / "receipt.json").write_text(json.dumps({**sealed(), "hints": []}))
    assert 'id="cost"' not in render(read_run(run))
