"""How far a campaign is, in the words of the bar, the table, a pipe and JSON."""

import json

import pytest
from fakes.campaign_run import campaign_run

from forgia_hpc.cli.watch import line_of
from forgia_hpc.jobs.members import ENDINGS, REFINED, in_words, members_of, members_so_far
from forgia_hpc.metrics import last_row
from forgia_hpc.node.campaign_told import left_out
from forgia_hpc.rundir import RunDir
from forgia_hpc.simulate.account import warning
from forgia_hpc.simulate.progress import Progress

ROW = {
    "step": 123, "phase": "simulate", "of": 200, "step_s": 0.08,
    "running": 3, "groups": 4, "admitted": 120, "rejected": 2, "poison": 1,
    "planned": 196, "refined_planned": 4, "refined": 0, "refined_rejected": 1, "refined_poison": 0,
}  # fmt: skip


def test_a_row_of_a_campaign_is_told_in_one_way_everywhere():
    words = "3 running, 120 admitted, 2 rejected, 1 poison, refined 0 of 4, 1 refined rejected"
    words += ", 12.5 members/s"
    assert in_words(members_of(ROW)) == words
    assert line_of(ROW, {}) == f"simulate 123/200, {words}, about 6 s left"
    assert members_of(ROW) == {
        "planned": 196, "running": 3, "admitted": 120, "rejected": 2, "poison": 1,
        "refined_planned": 4, "refined": 0, "refined_rejected": 1, "refined_poison": 0,
        "members_per_s": 12.5, "left_s": 6.2,
    }  # fmt: skip


def test_a_campaign_that_has_just_begun_has_no_pace_yet():
    none = {"admitted": 0, "rejected": 0, "poison": 0, "refined_planned": 0, "refined_rejected": 0}
    begun = {**ROW, "step": 0, "step_s": None, **none}
    assert line_of(begun, {}) == "simulate 0/200, 3 running, 0 admitted"


def test_rows_of_other_jobs_have_no_members():
    assert members_of({"step": 3, "phase": "train"}) == {}
    assert in_words({}) == ""
    assert line_of({"step": 3, "phase": "train", "loss": 0.25}, {"train": 9}) == (
        "train 3/9, loss 0.2500"
    )


@pytest.mark.parametrize("concluded", [True, False])
def test_the_newest_word_is_found_behind_the_rows_of_sealing(tmp_path, concluded):
    run = campaign_run(tmp_path, concluded=concluded)
    found = members_so_far(run, "simulate", running=not concluded)
    assert (found["planned"], found["refined_planned"]) == (40, 1)
    assert found["running"] == (0 if concluded else 2)
    assert (found["left_s"] is None) == concluded
    assert members_so_far(run, "train", running=True) == {}


def test_a_row_of_a_phase_is_found_in_the_tail(tmp_path):
    path = tmp_path / "metrics.jsonl"
    rows = [{"step": 7, "phase": "simulate"}, {"step": 1, "phase": "seal"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert last_row(path)["step"] == 1
    assert last_row(path, "simulate")["step"] == 7
    assert last_row(path, "train") is None


def counts(**own):
    found = dict.fromkeys((*ENDINGS, *REFINED), 0) | {"planned": 12, "admitted": 12}
    return found | {"refined_planned": 2, **own}


def test_the_ending_names_refined_members_and_the_error_bars_that_are_missing(tmp_path):
    run = RunDir(tmp_path)
    told = counts(refined_rejected=2)
    told |= warning(told, {})
    assert told["warning"] == "no error bars: 0 of 2 refined members were admitted"
    assert left_out(told, run) == (
        "12 of 12 members admitted; 0 of 2 refined ones admitted, 2 rejected: "
        f"{tmp_path}/output/campaign/rejected; {told['warning']}"
    )
    alone = counts(refined=2, admitted=11, rejected=1)
    assert "none of them beside an admitted member" in warning(alone, {})["warning"]
    whole = counts(refined=2)
    assert warning(whole, {"temperature": {"rms": 0.1}}) == {}
    assert left_out(whole, run) == ""
    assert warning(counts(refined_planned=0), {}) == {}


def test_refined_members_count_apart(tmp_path):
    progress = Progress(4)
    for number, ending in enumerate(("admitted", "rejected", "admitted", "rejected")):
        progress.take("000-0", {"what": "solved", "member": number, "ending": ending})
    assert progress.counts(2) == {
        "admitted": 1, "rejected": 1, "refined": 1, "refined_rejected": 1,
    }  # fmt: skip
