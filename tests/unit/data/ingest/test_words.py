"""Words of a recipe: decimal commas, thousands, units, signs, zones, epochs; each exact, each fault refused."""

import datetime
import hashlib
import zoneinfo

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from forgia_hpc.data.ingest.load import recipe_from_text
from forgia_hpc.data.ingest.run import ingest
from forgia_hpc.data.ingest.zone import offsets
from forgia_hpc.errors import InputError

NS = 10**9


def made(tmp_path, data, column=None, clock=None, name="raw.csv", **table):
    """Ingest one file with one column `v` and return the values and the segments."""
    folder = tmp_path / "one"
    folder.mkdir(exist_ok=True)
    coded = data.encode() if isinstance(data, str) else data
    (folder / name).write_bytes(coded)
    own = {
        "column": "v",
        "ucum": "Cel",
        "quantity": "temperature",
        "semantic_id": "https://example.com/v",
        "min": -1e6,
        "max": 1e6,
    }
    content = {
        "format": "forgia.recipe/1",
        "name": "one",
        "contributor": "x",
        "licence": "x",
        "source": "x",
        "files": [{"path": name, "sha256": hashlib.sha256(coded).hexdigest()}],
        "tables": [
            {
                "group": "g",
                "files": [{"path": name, "asset": "m"}],
                "parser": "csv",
                "clock": clock or {},
                "columns": [own | (column or {})],
                **table,
            }
        ],
        "split": {},
        "season_steps": {"g": 1},
    }
    contribution, _ = ingest(recipe_from_text(yaml.safe_dump(content), where="test"), tmp_path)
    values = np.concatenate([one.values[0] for one in contribution.segments])
    return values.tolist(), contribution.segments


def test_decimal_comma_and_thousands(tmp_path):
    words = {"delimiter": ";", "decimal": ",", "thousands": "."}
    values, _ = made(tmp_path, "v\n1.234,5\n-12,25\n7\n", {"decimals": 2}, **words)
    assert values == [1234.5, -12.25, 7.0]
    with pytest.raises(InputError, match=r"12\.34,5"):
        made(tmp_path, "v\n12.34,5\n1,0\n", {"decimals": 2}, **words)


@pytest.mark.parametrize(
    "text", ["1,5", "1e3", " 1.0", "nan", "", "+1", "1.2.3", "--1", "0x10", "-"]
)
def test_a_cell_that_is_no_plain_number_is_refused_with_its_line(tmp_path, text):
    data = f'v,w\n1.0,1\n"{text}",2\n'
    with pytest.raises(InputError) as error:
        made(tmp_path, data, {"decimals": 1}, left_out={"w": "other"})
    assert error.value.problems[0].where == "raw.csv, line 3"


def test_more_decimals_than_said_are_refused_and_zeros_are_none(tmp_path):
    assert made(tmp_path, "v\n1.50\n2.5\n", {"decimals": 1})[0] == [1.5, 2.5]
    with pytest.raises(InputError, match="more than 1 decimals"):
        made(tmp_path, "v\n1.55\n2.5\n", {"decimals": 1})


def test_fahrenheit_becomes_celsius_and_stays_exact_on_its_grid(tmp_path):
    values, segments = made(
        tmp_path, "v\n212.0\n32.0\n-40.0\n", {"given_in": "[degF]", "decimals": 1}
    )
    assert values == pytest.approx([100.0, 0.0, -40.0], abs=1e-9)
    channel = segments[0].channels[0]
    steps = np.rint((np.array(values) - channel.zero) / channel.scale)
    assert steps.tolist() == [2120, 320, -400]


def test_a_unit_of_another_dimension_is_refused(tmp_path):
    with pytest.raises(InputError, match="a unit that can be turned into Cel"):
        made(tmp_path, "v\n1\n2\n", {"given_in": "bar"})


def test_a_column_that_counts_the_other_way_round(tmp_path):
    assert made(tmp_path, "v\n1.5\n-2.0\n", {"sign": -1, "decimals": 1})[0] == [-1.5, 2.0]


def test_an_epoch_in_milliseconds_is_not_one_in_seconds(tmp_path):
    clock = {"column": "t", "step_s": 1}
    data = "t,v\n1700000000000,1\n1700000001000,2\n"
    _, segments = made(tmp_path, data, clock=clock | {"format": "epoch_ms"})
    assert segments[0].t0_ns == 1_700_000_000 * NS
    with pytest.raises(InputError):
        made(tmp_path, data, clock=clock | {"format": "epoch_s"})


def test_the_hour_that_comes_twice_is_refused_or_told_apart_by_order(tmp_path):
    clock = {"column": "t", "step_s": 1800, "format": "%Y-%m-%d %H:%M", "zone": "Europe/Rome"}
    stamps = ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00"]
    data = "t,v\n" + "".join(f"2025-10-26 {one},{n}\n" for n, one in enumerate(stamps))
    with pytest.raises(InputError, match="comes twice when the clock goes back"):
        made(tmp_path, data, clock=clock)
    mends = {"ambiguous_hour": {"take": "by_order", "at_most": 4}}
    values, segments = made(tmp_path, data, clock=clock, mends=mends)
    assert values == [0, 1, 2, 3, 4, 5]
    start = datetime.datetime(2025, 10, 25, 23, 30, tzinfo=datetime.UTC)
    assert segments[0].t0_ns == int(start.timestamp()) * NS


def test_the_hour_that_never_comes_is_refused(tmp_path):
    clock = {"column": "t", "step_s": 1800, "format": "%Y-%m-%d %H:%M", "zone": "Europe/Rome"}
    data = "t,v\n2025-03-30 01:30,1\n2025-03-30 02:00,2\n"
    with pytest.raises(InputError, match="never comes") as error:
        made(tmp_path, data, clock=clock)
    assert error.value.problems[0].where == "raw.csv, line 3"


@given(
    st.datetimes(datetime.datetime(1980, 1, 1), datetime.datetime(2035, 1, 1)),
    st.sampled_from(["Europe/Rome", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_offsets_are_those_of_zoneinfo(moment, name):
    moment = moment.replace(microsecond=0)
    local = int((moment - datetime.datetime(1970, 1, 1)).total_seconds()) * NS
    wanted = [
        moment.replace(tzinfo=zoneinfo.ZoneInfo(name), fold=fold).utcoffset() for fold in (0, 1)
    ]
    found = offsets(np.array([local]), name)
    assert [int(one[0]) // NS for one in found] == [one.total_seconds() for one in wanted]


@pytest.mark.parametrize(
    ("words", "limit"),
    [
        ({"clock": {"column": "t", "step_s": 1, "format": "%b %Y"}}, "of %Y %y"),
        ({"clock": {"column": "t", "step_s": 1, "format": "%H", "zone": "Mars/Base"}}, "a zone"),
        ({"decimal": ",", "delimiter": ","}, "differs from delimiter"),
        ({"parser": "parquet", "encoding": "latin-1"}, "words of texts"),
        ({"column": {"scale": -1.0}}, "above 0"),
    ],
)
def test_words_that_can_not_be_are_refused_before_a_file_is_opened(tmp_path, words, limit):
    with pytest.raises(InputError, match=limit):
        made(tmp_path, "t,v\n1,1\n", **words)
