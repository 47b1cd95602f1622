"""Other forms of a dataset: exact, with units and meanings, refused where they can't hold it."""

import numpy as np
import pytest
from fakes.simulated import sealed_fields
from fakes.telemetry import contribution, sealed
from pyarrow import parquet

from forgia_hpc.data.exports import EXPORTS, export
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.errors import InputError


def quiet(*_):
    """Nobody looks."""


def test_parquet_holds_every_value_with_time_step_unit_and_meaning(tmp_path):
    directory = sealed(tmp_path)
    files = export(directory, "parquet", tmp_path / "out", quiet)
    assert len(files) == len(load_manifest(directory).shards)
    table = parquet.read_table(tmp_path / "out/mill/train-000-process.parquet")
    good = contribution()
    segments = [good.segments[0], good.segments[3]]
    begin = 0
    for segment in segments:
        rows = table.slice(begin, segment.values.shape[1])
        begin += segment.values.shape[1]
        assert set(rows["asset"].to_pylist()) == {segment.asset}
        assert rows["time"][0].value == segment.t0_ns
        assert rows["time"][1].value - segment.t0_ns == 300 * 10**9
        for channel, values in zip(segment.channels, segment.values, strict=True):
            found = rows[channel.name].to_numpy()
            np.testing.assert_array_equal(np.isnan(found), np.isnan(values))
            np.testing.assert_allclose(found, values, rtol=1e-7)
    assert begin == table.num_rows
    assert table.schema.field("temperature").metadata[b"ucum"] == b"Cel"
    assert table.schema.metadata[b"version"].decode() == load_manifest(directory).version
    assert table["temperature"].null_count > 0


@pytest.mark.parametrize(
    ("make", "form", "told"),
    [
        (sealed, "well", r"writes forgia\.fields/1"),
        (sealed_fields, "parquet", r"writes forgia\.telemetry/1"),
        (sealed, "papyrus", "one of well, croissant, dcat, ai-act, parquet"),
    ],
)
def test_a_form_that_can_not_hold_it_is_refused_and_leaves_nothing(make, form, told, tmp_path):
    directory = make(tmp_path)
    with pytest.raises(InputError, match=told):
        export(directory, form, tmp_path / "out", quiet)
    assert [path.name for path in tmp_path.iterdir()] == [directory.name]


def test_values_leave_only_where_the_policy_lets_them(tmp_path):
    """Beside an exported file lies no policy that anybody asks."""
    directory = sealed(tmp_path, policy={"purposes": ["train"]})
    with pytest.raises(InputError) as caught:
        export(directory, "parquet", tmp_path / "out", quiet)
    told = [str(one) for one in caught.value.problems]
    assert any("only for train" in one for one in told)
    assert any("forbidden: distribute" in one and "--owner acme" in one for one in told)
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError):
        export(directory, "parquet", tmp_path / "out", quiet, owner="forge_works")
    assert export(directory, "parquet", tmp_path / "out", quiet, owner="acme")
    open_ = sealed(tmp_path / "open", policy={"purposes": ["train", "export"]})
    assert export(open_, "parquet", tmp_path / "too", quiet)


def test_every_form_of_the_table_is_there():
    from importlib import import_module

    for where, line in EXPORTS.values():
        module, _, name = where.partition(":")
        assert callable(getattr(import_module(module), name))
        assert line
