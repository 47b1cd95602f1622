"""A drafted recipe ingests as it is, knows what can be seen, and marks what it guessed."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import yaml
from click.testing import CliRunner
from fakes.lookalikes import SETS, lookalike

from forgia_hpc.cli.main import forgia
from forgia_hpc.data.ingest.draft import draft
from forgia_hpc.data.ingest.draft_yaml import as_yaml
from forgia_hpc.data.ingest.expect import departures, measure
from forgia_hpc.data.ingest.guess_unit import guess_unit
from forgia_hpc.data.ingest.load import recipe_from_text
from forgia_hpc.data.ingest.run import alone, ingest
from forgia_hpc.errors import InputError


def drafted(paths, name):
    found = draft(paths, name)
    return found, as_yaml(found)


@pytest.mark.parametrize("name", SETS)
def test_the_draft_of_a_look_alike_ingests_as_it_is(name, tmp_path):
    content = lookalike(name, tmp_path)
    files = [tmp_path / name / one["path"] for one in content["tables"][0]["files"]]
    _, text = drafted(files, name)
    contribution, report = ingest(recipe_from_text(text, where="draft"), tmp_path)
    by_hand = content["tables"][0]
    assert report.channels == len(by_hand["columns"])
    assert report.flags == ()
    assert report.rows_in == report.rows_out + report.rows_left_out
    clock = contribution.segments[0].rate_den if by_hand["clock"].get("format") else 1
    assert clock == by_hand["clock"].get("step_s", 1) or "column" not in by_hand["clock"]


def plant(tmp_path, text, name="a.csv", encoding="utf-8"):
    path = tmp_path / "plant" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def test_a_german_export_is_seen_for_what_it_is(tmp_path):
    cells = [f"{20 + n / 10:.1f}".replace(".", ",") for n in range(48)]
    days = [f"{1 + n // 24:02d}.01.2025 {n % 24:02d}:00" for n in range(48)]
    lines = [f"{day};{cell}" for day, cell in zip(days, cells, strict=True)]
    path = plant(tmp_path, "Zeit;T_in [°C]\n" + "\n".join(lines) + "\n", encoding="latin-1")
    found, text = drafted([path], "plant")
    table = yaml.safe_load(text)["tables"][0]
    assert (table["delimiter"], table["encoding"], table["decimal"]) == (";", "latin-1", ",")
    assert table["clock"] == {"column": "Zeit", "format": "%d.%m.%Y %H:%M", "step_s": 3600.0}
    (column,) = table["columns"]
    assert (column["ucum"], column["quantity"], column["decimals"]) == ("Cel", "temperature", 1)
    assert "# check: '°C' in the header" in text
    contribution, _ = ingest(recipe_from_text(text, where="draft"), tmp_path)
    values = np.concatenate([one.values[0] for one in contribution.segments])
    assert values.tolist() == [round(20 + n / 10, 1) for n in range(48)]
    assert any("time zone" in note for note in found.notes())


def test_machines_in_one_file_gaps_repeats_and_jitter_are_proposed(tmp_path):
    rows = []
    for machine in ("m1", "m2"):
        for n in [*range(30), *range(33, 60), 59]:
            value = "Bad" if n == 7 else f"{n / 4:.2f}"
            rows.append(f"{machine},2025-01-01 {n // 60:02d}:{n % 60:02d}:{n % 3:02d},{value}")
    path = plant(tmp_path, "machine,time,pressure_bar\n" + "\n".join(rows) + "\n")
    found, text = drafted([path], "plant")
    table = found.recipe()["tables"][0]
    assert table["assets"] == {"column": "machine"}
    assert set(table["mends"]) == {"repeated_times", "jitter", "missing_steps", "text_to_gap"}
    _, report = ingest(recipe_from_text(text, where="draft"), tmp_path)
    assert (report.machines, report.gaps_made) == (2, 2)


def test_a_typed_file_is_drafted_too(tmp_path):
    path = tmp_path / "plant" / "a.parquet"
    path.parent.mkdir()
    times = np.datetime64("2025-01-01", "ms") + np.arange(40) * 500
    table = pa.table({"t": times, "rpm": np.arange(40), "state": ["on", "off"] * 20})
    pa.parquet.write_table(table, path)
    found, text = drafted([path], "plant")
    columns = found.recipe()["tables"][0]["columns"]
    assert [one.get("codes") for one in columns] == [None, ["on", "off"]]
    _, report = ingest(recipe_from_text(text, where="draft"), tmp_path)
    assert report.values_out == 80


def test_the_verb_prints_yaml_or_json_and_refuses_what_is_no_table(tmp_path):
    path = plant(tmp_path, "a,b\n1,2\n2,3\n")
    said = CliRunner().invoke(forgia, ["data", "draft", str(path), "--name", "plant"])
    assert yaml.safe_load(said.stdout)["name"] == "plant"
    said = CliRunner().invoke(forgia, ["data", "draft", str(path), "--json"])
    assert json.loads(said.stdout)["recipe"]["tables"][0]["parser"] == "csv"
    with pytest.raises(InputError, match="at least two lines"):
        draft([plant(tmp_path, "", "empty.csv")])
    with pytest.raises(InputError, match="other columns"):
        draft([path, plant(tmp_path, "a,c\n1,2\n2,3\n", "b.csv")])


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("T_in [°C]", "Cel"),
        ("pressure_bar", "bar"),
        ("rpm", "{rev}/min"),
        ("Usage_kWh", "kW.h"),
        ("Lagging_Current_Power_Factor", "%"),
        ("tag17", "[arb'U]"),
    ],
)
def test_units_are_guessed_from_words(header, unit):
    assert guess_unit(header)[0] == unit


def test_another_unit_is_a_flag_and_strict_refuses_it(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.normal(20, 2, 400)
    path = plant(tmp_path, "v\n" + "\n".join(f"{one:.2f}" for one in values) + "\n")
    text = drafted([path], "plant")[1].replace("max: ", "max: 9")
    other = "v\n" + "\n".join(f"{one * 1.8 + 32:.2f}" for one in values) + "\n"
    plant(tmp_path, other)
    again = drafted([path], "plant")[0].recipe()["files"][0]["sha256"]
    content = yaml.safe_load(text)
    content["files"][0]["sha256"] = again
    recipe = recipe_from_text(yaml.safe_dump(content), where="test")
    _, report = ingest(recipe, tmp_path)
    assert {flag.what for flag in report.flags} >= {"mean"}
    assert report.as_dict()["flags"]
    means = alone()
    object.__setattr__(means, "strict", True)
    with pytest.raises(InputError, match="the recipe expects about"):
        ingest(recipe, tmp_path, means)


def test_a_column_is_what_it_was():
    values = np.sin(np.arange(1000.0))
    was = measure([values])
    assert list(departures("v", values, was)) == []
    assert [one.what for one in departures("v", values * np.nan, was)] == ["gaps"]
    assert {one.what for one in departures("v", values * 0, was)} == {"std", "rough"}


def test_a_column_that_stood_still_is_judged_by_its_level_alone():
    still = measure([np.full(800, -0.3)])
    moved = np.random.default_rng(0).normal(0, 2, 800)
    assert list(departures("x", moved, still)) == []  # a unit that was switched on
    assert list(departures("x", np.full(800, -0.3), still)) == []
    for level in (-3.0, 0.3, -0.3 * 1.8 + 32):  # another scale, sign, unit
        (flag,) = departures("x", np.full(800, level), still)
        assert (flag.what, flag.got) == ("mean", pytest.approx(level))
    assert list(
        departures("x", np.full(800, -0.3), measure([moved]))
    )  # exchanged with one that moved
