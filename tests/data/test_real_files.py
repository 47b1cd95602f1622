"""The five real sets, through the shipped recipes: needs the publishers' files in $FORGIA_RAW."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from forgia_hpc.data.ingest.draft import draft
from forgia_hpc.data.ingest.draft_yaml import as_yaml
from forgia_hpc.data.ingest.load import load_recipe, recipe_from_text
from forgia_hpc.data.ingest.run import ingest
from forgia_hpc.data.ingest.sealing import ingest_and_seal
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.presence import verify_files

pytestmark = pytest.mark.data

# name: rows in, rows out, channels, machines, mends, steps a split (train, held_out_time, held_out_machines)
FIGURES = {
    "refinery": (3169, 3169, 108, 1, {"text_to_gap": 498}, (2535, 634, 0)),
    "machine_temperature": (22695, 22683, 1, 1, {"repeated_times": 12}, (14744, 7939, 0)),
    "steel_energy": (35040, 35040, 9, 1, {"midnight_on_day_before": 365}, (28032, 7008, 0)),
    "tennessee_eastman": (7220, 7220, 52, 10, {"blanks": 6771}, (1815, 605, 4800)),
    "turbofan": (33727, 33727, 24, 200, {"blanks": 33827}, (18226, 0, 15501)),
}
MARKS = {
    "refinery": {},
    "machine_temperature": {"anomaly": 4},
    "steel_energy": {},
    "tennessee_eastman": {"fault_1": 2, "fault_4": 2, "fault_5": 2, "fault_11": 2},
    "turbofan": {"failure": 100, "remaining_useful_life": 200},
}


@pytest.fixture(scope="module")
def raw():
    folder = os.environ.get("FORGIA_RAW")
    assert folder, "the data tier needs $FORGIA_RAW, the directory of the raw files"
    return Path(folder)


@pytest.fixture(scope="module")
def contributions(raw):
    return {name: ingest(load_recipe(name), raw) for name in FIGURES}


def joined(contribution, asset, channel=None):
    """Return the values of a machine over all its segments, of one channel or of all."""
    mine = [segment for segment in contribution.segments if segment.asset == asset]
    values = np.concatenate([segment.values for segment in mine], axis=1)
    names = [one.name for one in mine[0].channels]
    return values if channel is None else values[names.index(channel)]


@pytest.mark.parametrize("name", FIGURES)
def test_every_row_is_accounted_for(contributions, name):
    contribution, report = contributions[name]
    steps = tuple(
        report.splits[split].steps if split in report.splits else 0
        for split in ("train", "held_out_time", "held_out_machines")
    )
    found = (report.rows_in, report.rows_out, report.channels, report.machines, report.totals())
    assert (*found, steps) == FIGURES[name]
    assert contribution.provenance["marks"] == MARKS[name]
    assert sum(steps) == report.rows_out


def test_refinery_values_are_the_text(raw, contributions):
    with (raw / "refinery" / "real_process_data.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    texts = {"Bad", "Inp OutRange", "Scan Timeout"}
    wanted = [[np.nan if c in texts else float(c) for c in row[1:]] for row in rows]
    assert header[1:] == [c.name for c in contributions["refinery"][0].segments[0].channels]
    values = joined(contributions["refinery"][0], "refinery")
    assert np.array_equal(values.T, wanted, equal_nan=True)


def test_machine_temperature_drops_the_twelve_second_stamps(raw, contributions):
    path = raw / "machine_temperature" / "machine_temperature_system_failure.csv"
    cells = [float(line.split(",")[1]) for line in path.read_text().splitlines()[1:]]
    values = joined(contributions["machine_temperature"][0], "machine")
    assert values[0].tolist() == [*cells[:10149], *cells[10161:]]


def test_steel_values_and_clock_are_the_text(raw, contributions):
    path = raw / "steel_energy" / "Steel_industry_data.csv"
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    contribution = contributions["steel_energy"][0]
    usage = joined(contribution, "plant", "usage")
    assert usage.tolist() == [float(row["Usage_kWh"]) for row in rows]
    load = joined(contribution, "plant", "load_type")
    words = ("Light_Load", "Medium_Load", "Maximum_Load")
    assert [words[int(code)] for code in load] == [row["Load_Type"] for row in rows]
    first, last = contribution.segments
    seconds = [(first.t0_ns // 10**9 + 9 * 3600 + 900 * n) % 86400 for n in range(len(rows))]
    assert seconds == [int(row["NSM"]) for row in rows]
    end = last.t0_ns + last.values.shape[1] * 900 * 10**9  # one step after the last
    assert np.datetime64(end, "ns") + np.timedelta64(9, "h") == np.datetime64("2019-01-01T00:15")


def test_tennessee_eastman_values_are_the_text(raw, contributions):
    contribution = contributions["tennessee_eastman"][0]
    for asset in {segment.asset for segment in contribution.segments}:
        text = np.loadtxt(raw / "tennessee_eastman" / f"{asset}.dat")
        wanted = text if asset == "d00" else text.T
        assert np.array_equal(joined(contribution, asset), wanted)


def test_turbofan_values_and_remaining_life_are_the_text(raw, contributions):
    contribution = contributions["turbofan"][0]
    for part in ("train", "test"):
        text = np.loadtxt(raw / "turbofan" / f"{part}_FD001.txt")
        for unit in (1, 42, 100):
            values = joined(contribution, f"{part}-{unit:03d}")
            assert np.array_equal(values.T, text[text[:, 0] == unit][:, 2:])
    remaining = np.loadtxt(raw / "turbofan" / "RUL_FD001.txt")
    marks = {m.asset: m.value for m in contribution.marks if m.code == "remaining_useful_life"}
    assert [marks[f"test-{unit:03d}"] for unit in range(1, 101)] == remaining.tolist()


def test_the_labelled_windows_are_at_their_times(contributions):
    contribution = contributions["machine_temperature"][0]
    t0 = contribution.segments[0].t0_ns
    border = contribution.segments[0].values.shape[1]
    starts = [str(np.datetime64(t0 + m.first * 300 * 10**9, "ns"))[:16] for m in contribution.marks]
    assert starts == [
        "2013-12-10T06:25",
        "2013-12-15T17:50",
        "2014-01-27T14:20",
        "2014-02-07T14:55",
    ]
    assert [mark.first >= border for mark in contribution.marks] == [False, False, True, True]


def test_the_consortium_is_sealed_and_whole(raw, tmp_path):
    version, report = ingest_and_seal("consortium", raw, tmp_path)
    manifest = load_manifest(tmp_path / "consortium")
    assert manifest.version == version
    assert verify_files(manifest, manifest.directory) == []
    assert sorted(one.name for one in manifest.contributions()) == sorted(FIGURES)
    assert report.rows_in == sum(figures[0] for figures in FIGURES.values())


@pytest.mark.parametrize("name", FIGURES)
def test_a_draft_of_the_raw_files_ingests_as_it_is(raw, name):
    files = [file.path for table in load_recipe(name).tables for file in table.files]
    text = as_yaml(draft([raw / name / path for path in files], name))
    _, report = ingest(recipe_from_text(text, where=name), raw)
    assert (report.rows_in, report.rows_out, report.channels, report.machines) == FIGURES[name][:4]
    assert report.totals() == FIGURES[name][4] | ({"blanks": 33727} if name == "turbofan" else {})
    assert report.flags == ()
