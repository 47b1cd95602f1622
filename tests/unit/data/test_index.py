from dataclasses import fields, replace

import numpy as np
import pytest
from fakes.telemetry import contribution, sealed

from forgia_hpc.data.index import Index, pack, unpack
from forgia_hpc.data.writing.plan import plan
from forgia_hpc.errors import SealBrokenError


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return (sealed(tmp_path_factory.mktemp("data")) / "index.pack").read_bytes()


def test_an_index_survives_its_bytes(data):
    index = unpack(data, where="here")
    assert pack(index) == data
    assert index.name == "mill"
    assert index.season_steps == (288,)
    assert [split.value for split in map(index.split_of, range(3))] == [
        "train",
        "held_out_time",
        "held_out_machines",
    ]


def test_a_cut_off_index_is_refused_wherever_it_ends(data):
    rng = np.random.default_rng(0)
    for end in [0, 7, 15, 16, len(data) - 65, *rng.integers(0, len(data) - 64, 50).tolist()]:
        with pytest.raises(SealBrokenError, match=r"here"):
            unpack(data[:end], where="here")


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("shards", "split", 3),
        ("shards", "offset", -1),
        ("shards", "offset", 2**40),
        ("shards", "count", 2**40),
        ("shards", "leaf0", 1),
        ("segments", "shard", 99),
        ("segments", "asset", 99),
        ("segments", "group", 99),
        ("segments", "steps", 10**9),
        ("segments", "steps", 0),
        ("segments", "series0", 3),
        ("segments", "series_count", 4),
        ("series", "segment", 2),
        ("series", "channel", 99),
        ("series", "offset", -1),
        ("series", "offset", 10**9),
        ("marks", "asset", 99),
        ("marks", "code", 99),
    ],
)
def test_an_index_that_points_outside_is_refused(data, table, column, value):
    index = unpack(data, where="here")
    rows = getattr(index, table).copy()
    rows[column][0] = value
    with pytest.raises(SealBrokenError, match="broken"):
        unpack(pack(replace(index, **{table: rows})), where="here")


@pytest.mark.parametrize("table", ["stats", "leaves", "series"])
def test_a_table_with_rows_missing_is_refused(data, table):
    index = unpack(data, where="here")
    shorter = replace(index, **{table: getattr(index, table)[:-1]})
    with pytest.raises(SealBrokenError, match="broken"):
        unpack(pack(shorter), where="here")


def test_shards_are_split_by_size_and_never_within_a_segment():
    laid = plan(contribution(steps=400), shard_bytes=1000)
    paths = [path.decode() for path in laid.index.shards["path"]]
    assert paths == [
        "shards/train-000.h5",
        "shards/train-001.h5",
        "shards/held_out_time-000.h5",
        "shards/held_out_machines-000.h5",
    ]
    assert [segment.asset for segment in laid.segments] == ["press", "saw", "press", "oven"]


def test_all_tables_of_the_index_are_packed():
    arrays = {field.name for field in fields(Index)} - {
        "name",
        "channels",
        "groups",
        "season_steps",
        "assets",
        "codes",
    }
    assert arrays == {"shards", "segments", "series", "marks", "stats", "leaves"}
