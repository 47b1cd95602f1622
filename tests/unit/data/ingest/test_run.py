"""The five look-alikes through the shipped recipes: every count, and values equal to the text."""

from dataclasses import replace

import numpy as np
import pytest
from fakes.lookalikes import SETS, lookalike, sealed_recipe

from forgia_hpc.data.ingest.load import load_recipe
from forgia_hpc.data.ingest.run import alone, ingest
from forgia_hpc.data.layout import Split
from forgia_hpc.errors import InputError


def ingested(name, tmp_path):
    content = lookalike(name, tmp_path)
    return ingest(sealed_recipe(content, tmp_path), tmp_path)


@pytest.mark.parametrize("name", SETS)
def test_rows_in_are_rows_out_and_mends(name, tmp_path):
    contribution, report = ingested(name, tmp_path)
    steps = sum(segment.values.shape[1] for segment in contribution.segments)
    assert report.rows_in == report.rows_out + report.rows_left_out
    assert steps == report.rows_out + report.steps_filled
    finite = sum(int(np.isfinite(segment.values).sum()) for segment in contribution.segments)
    lost = report.rows_left_out * report.channels
    assert report.values_in == finite + report.gaps_made + lost
    assert contribution.provenance["report"]["rows_in"] == report.rows_in


def test_refinery_texts_are_gaps_at_their_places(tmp_path):
    contribution, report = ingested("refinery", tmp_path)
    values = np.concatenate([segment.values for segment in contribution.segments], axis=1)
    names = [channel.name for channel in contribution.segments[0].channels]
    assert report.totals() == {"text_to_gap": 8}
    assert np.flatnonzero(np.isnan(values[names.index("tag2")])).tolist() == [10, 11, 12, 13]
    assert np.flatnonzero(np.isnan(values[names.index("tag36")])).tolist() == [30]
    lines = (tmp_path / "refinery" / "real_process_data.csv").read_text().splitlines()
    assert values[5, 7] == float(lines[8].split(",")[6])


def test_machine_temperature_keeps_the_first_of_repeated_stamps(tmp_path):
    contribution, report = ingested("machine_temperature", tmp_path)
    values = np.concatenate([segment.values for segment in contribution.segments], axis=1)[0]
    lines = tmp_path / "machine_temperature" / "machine_temperature_system_failure.csv"
    cells = [float(line.split(",")[1]) for line in lines.read_text().splitlines()[1:]]
    assert report.totals() == {"repeated_times": 12}
    assert values.tolist() == [*cells[:200], *cells[212:]]
    assert [(mark.first, mark.last) for mark in contribution.marks] == [(60, 80), (360, 380)]


def test_steel_midnight_belongs_to_the_next_day(tmp_path):
    contribution, report = ingested("steel_energy", tmp_path)
    first, last = contribution.segments
    assert report.totals() == {"midnight_on_day_before": 3}
    assert np.datetime64(first.t0_ns, "ns") == np.datetime64("2017-12-31T15:15")  # 0:15 at +09:00
    assert last.t0_ns == first.t0_ns + first.values.shape[1] * 900 * 10**9
    roles = {channel.name: channel.role for channel in first.channels}
    assert (roles["usage"], roles["week_status"], roles["load_type"]) == (
        "signal",
        "label",
        "target",
    )


def test_tennessee_eastman_turns_the_transposed_file(tmp_path):
    contribution, _ = ingested("tennessee_eastman", tmp_path)
    normal = [segment for segment in contribution.segments if segment.asset == "d00"]
    values = np.concatenate([segment.values for segment in normal], axis=1)
    text = np.loadtxt(tmp_path / "tennessee_eastman" / "d00.dat")
    assert values.shape == (52, 130)
    assert np.array_equal(values, text)
    marks = {mark.asset: (mark.code, mark.first, mark.last) for mark in contribution.marks}
    assert marks["d04_te"] == ("fault_4", 160, 199)
    assert marks["d04"] == ("fault_4", 0, 129)
    assert (normal[0].t0_ns, normal[0].rate_num, normal[0].rate_den) == (None, 1, 180)


def test_turbofan_holds_out_engines_and_marks_their_ends(tmp_path):
    contribution, report = ingested("turbofan", tmp_path)
    split_of = {segment.asset: segment.split for segment in contribution.segments}
    assert split_of["train-089"] is Split.train
    assert split_of["train-090"] is split_of["test-001"] is Split.held_out_machines
    assert Split.held_out_time not in split_of.values()
    ends = {m.asset: m for m in contribution.marks if m.code == "remaining_useful_life"}
    lines = (tmp_path / "turbofan" / "RUL_FD001.txt").read_text().split()
    assert ends["test-003"].value == float(lines[2])
    assert ends["train-001"].value == 0.0
    length = next(s.values.shape[1] for s in contribution.segments if s.asset == "test-003")
    assert ends["test-003"].first == ends["test-003"].last == length - 1
    assert report.totals() == {"blanks": report.rows_in + 100}


def test_files_that_are_missing_or_others_are_refused_together(tmp_path):
    content = lookalike("turbofan", tmp_path)
    recipe = sealed_recipe(content, tmp_path)
    (tmp_path / "turbofan" / "RUL_FD001.txt").unlink()
    (tmp_path / "turbofan" / "test_FD001.txt").write_text("changed\n")
    with pytest.raises(InputError) as refused:
        ingest(recipe, tmp_path)
    fields = {problem.field for problem in refused.value.problems}
    assert fields == {"files.RUL_FD001.txt", "files.test_FD001.txt"}


def test_a_thousand_bad_cells_are_told_in_a_few_lines_with_their_number(tmp_path):
    content = lookalike("steel_energy", tmp_path)
    content["tables"][0]["columns"][0]["max"] = 1.0
    with pytest.raises(InputError) as refused:
        ingest(sealed_recipe(content, tmp_path), tmp_path)
    assert len(refused.value.problems) == 21
    assert refused.value.problems[0].where == "Steel_industry_data.csv, line 2"
    assert "288 problems" in str(refused.value.problems[-1])


def test_a_mend_made_too_often_is_refused(tmp_path):
    content = lookalike("refinery", tmp_path)
    content["tables"][0]["mends"]["text_to_gap"]["at_most"] = 7
    with pytest.raises(InputError, match=r"mends\.text_to_gap: got 8, at most 7"):
        ingest(sealed_recipe(content, tmp_path), tmp_path)


def test_progress_counts_the_files(tmp_path):
    content = lookalike("turbofan", tmp_path)
    seen = []
    means = replace(alone(), progress=lambda *told: seen.append(told))
    ingest(sealed_recipe(content, tmp_path), tmp_path, means)
    assert seen == [("train_FD001.txt", 1, 2), ("test_FD001.txt", 2, 2)]


def test_every_shipped_recipe_without_raw_files_says_where_to_get_them(tmp_path):
    for name in SETS:
        recipe = load_recipe(name)
        with pytest.raises(InputError) as refused:
            ingest(recipe, tmp_path)
        assert len(refused.value.problems) == len(recipe.files)
        assert all(problem.fix == recipe.source for problem in refused.value.problems)
