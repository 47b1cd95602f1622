import threading
from dataclasses import replace

import h5py
import numpy as np
import pytest
from fakes.telemetry import card, contribution, sealed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forgia_hpc.data.access.grant import grant_digest
from forgia_hpc.data.access.granting import make_grant
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.writer import seal, seal_consortium
from forgia_hpc.errors import InputError, SealBrokenError
from forgia_hpc.schema.data import Data

DATA = Data(context=48, min_context=8, horizon=16, channels=3)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return sealed(tmp_path_factory.mktemp("data"))


def with_h5py(path, segment, channel):
    """float32 (time,) of a series by plain h5py and the decoding rule of the specification."""
    with h5py.File(path) as file:
        table, channels = file["index/series"][:], file["index/channels"][:]
        (row,) = table[
            (table["segment"] == segment) & (channels["name"][table["channel"]] == channel)
        ]
        steps = file["index/segments"]["steps"][segment]
        words = channels[row["channel"]]
        stored = file["signals"][words["storage"].decode()][row["offset"] : row["offset"] + steps]
    if words["storage"] == b"f32":
        return stored
    if words["storage"] == b"i16":
        values = stored.astype(np.float32) * np.float32(words["scale"]) + np.float32(words["zero"])
        return np.where(stored == -32768, np.float32(np.nan), values)
    values = (stored * words["scale"] + words["zero"]).astype(np.float32)
    return np.where(stored == -(2**31), np.float32(np.nan), values)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_batches_equal_plain_h5py_bit_for_bit(directory, data):
    asked = Data(
        context=data.draw(st.integers(1, 90), "context"),
        min_context=1,
        horizon=data.draw(st.integers(1, 20), "horizon"),
        channels=data.draw(st.integers(1, 6), "channels"),
    )
    io = data.draw(st.sampled_from(["mmap", "pread"]), "io")
    with open_dataset(directory, io=io) as dataset:
        index = dataset.windows(Split.train, asked)
        numbers = st.integers(0, index.counts[0] - 1)
        windows = data.draw(st.lists(numbers, min_size=1, max_size=8), "windows")
        batch = index.read(0, windows)
    path = directory / "shards/train-000.h5"
    for row, channel in enumerate(batch.channel):
        whole = with_h5py(path, batch.segment[row], channel.encode())
        start = int(batch.start[row])
        padded = np.concatenate([np.full(asked.context, np.nan, np.float32), whole])
        cut = padded[start : start + asked.context + asked.horizon]
        found = np.concatenate([batch.context[row], batch.target[row]])
        np.testing.assert_array_equal(found.view(np.uint32), cut.view(np.uint32))
        assert found.dtype == np.float32
        assert start >= asked.min_context


def test_a_batch_names_its_series(directory):
    with open_dataset(directory) as dataset:
        index = dataset.windows(Split.train, DATA)
        batch = index.read(0, np.array([0, index.counts[0] - 1]))
    assert batch.channel == ("temperature", "counter", "vibration", "mode")
    assert batch.asset == ("press", "press", "press", "saw")
    assert batch.group.tolist() == [0, 0, 0, 1]
    assert batch.contribution.tolist() == [0, 0, 0, 0]
    assert batch.season.tolist() == [288] * 4
    assert batch.start.tolist() == [8, 8, 8, 44]
    assert batch.context.shape == (4, 48)
    assert batch.target.shape == (4, 16)
    assert np.isnan(batch.context[:3, :40]).all()


def test_labels_and_targets_are_no_inputs_but_evaluation_reads_them(directory):
    good = contribution()
    with open_dataset(directory) as dataset:
        index = dataset.windows(Split.held_out_machines, DATA)
        batch = index.read(0, np.arange(index.counts[0]))
        assert "fault" not in batch.channel
        (facts,) = dataset.segments("mill", Split.held_out_machines)
        segment = dataset.segment("mill", facts.number)
        marks = dataset.marks("mill")
    assert (facts.asset, facts.first, facts.steps, facts.season_steps) == ("oven", 0, 200, 288)
    assert segment.channels == good.segments[2].channels
    np.testing.assert_array_equal(segment.values[4], good.segments[2].values[4])
    np.testing.assert_allclose(segment.values, good.segments[2].values, rtol=1e-7)
    assert segment.t0_ns == good.segments[2].t0_ns
    assert marks == list(good.marks[:2])


def test_windows_of_several_contributions_come_together(tmp_path):
    members = [sealed(tmp_path, "mill", 0), sealed(tmp_path, "forge", 1)]
    facts = card("valley", members=["forge", "mill"])
    seal_consortium("valley", members, facts, tmp_path / "valley")
    pairs = [(1, 5), (0, 3), (1, 700), (0, 5)]
    with open_dataset(tmp_path / "valley") as dataset:
        index = dataset.windows(Split.train, DATA)
        assert index.names == ("forge", "mill")
        batch = index.gather(pairs)
        for number, (contribution, window) in enumerate(pairs):
            alone = index.read(contribution, [window])
            mine = batch.group == number
            assert mine.sum() == len(alone.group)
            np.testing.assert_array_equal(batch.context[mine], alone.context)
            np.testing.assert_array_equal(batch.target[mine], alone.target)
            assert (batch.contribution[mine] == contribution).all()
        only = dataset.windows(Split.train, replace(DATA, contributions=["mill"]))
        assert only.names == ("mill",)
        with pytest.raises(InputError, match="quarry"):
            dataset.windows(Split.train, replace(DATA, contributions=["mill", "quarry"]))


def test_a_shard_outside_the_grant_is_not_opened(directory):
    grant = make_grant(load_manifest(directory), Data(dataset="mill"), splits=[Split.train])
    with open_dataset(grant) as dataset:
        assert dataset.windows(Split.train, DATA).counts[0] > 0
        assert [facts.split for facts in dataset.segments("mill")] == [Split.train] * 2
        assert [mark.asset for mark in dataset.marks("mill")] == ["press"]
        with pytest.raises(InputError, match=r"held_out_time.*granted"):
            dataset.windows(Split.held_out_time, DATA)
        with pytest.raises(InputError, match="not granted"):
            dataset.segment("mill", 3)


def test_a_grant_does_not_need_the_shards_it_leaves_out(tmp_path):
    directory = sealed(tmp_path)
    grant = make_grant(load_manifest(directory), Data(dataset="mill"), splits=[Split.train])
    (directory / "shards/held_out_time-000.h5").unlink()
    with open_dataset(grant) as dataset:
        assert dataset.windows(Split.train, DATA).counts[0] > 0


def test_a_grant_for_another_version_is_refused(tmp_path):
    directory = sealed(tmp_path)
    grant = make_grant(load_manifest(directory), Data(dataset="mill"))
    seal(contribution(seed=3), card(), directory, overwrite=True)
    with pytest.raises(SealBrokenError, match="granted was mill@"):
        open_dataset(grant)


@pytest.mark.parametrize("key", ["path", "sha256", "bytes"])
def test_a_grant_of_what_the_manifest_does_not_list_is_refused(directory, key):
    grant = make_grant(load_manifest(directory), Data(dataset="mill"))
    grant["contributions"][0]["shards"][0][key] = "shards/other.h5"
    grant["digest"] = grant_digest(grant)
    with pytest.raises(SealBrokenError, match="lists no such shard"):
        open_dataset(grant)


def test_a_grant_that_ended_or_of_another_format_is_refused(directory):
    grant = make_grant(load_manifest(directory), Data(dataset="mill"))
    ended = {**grant, "expires": "2020-01-01T00:00:00+00:00"}
    with pytest.raises(SealBrokenError, match="altered"):
        open_dataset(ended)
    with pytest.raises(InputError, match="expires"):
        open_dataset({**ended, "digest": grant_digest(ended)})
    with pytest.raises(InputError, match="format"):
        open_dataset({**grant, "format": "forgia.grant/1"})


def test_half_a_copy_is_refused_with_every_file_named(tmp_path):
    directory = sealed(tmp_path)
    (directory / "shards/train-000.h5").unlink()
    with (directory / "shards/held_out_time-000.h5").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(SealBrokenError) as caught:
        open_dataset(directory)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert "train-000.h5: missing" in lines[0]
    assert "has 1000 bytes" in lines[1]


def test_an_altered_index_is_refused(tmp_path):
    path = sealed(tmp_path) / "index.pack"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(SealBrokenError, match=r"index\.pack: altered"):
        open_dataset(path.parent)


def alter_signal(path, name, number):
    with h5py.File(path) as file:
        dataset = file[f"signals/{name}"]
        at = dataset.id.get_offset() + number * dataset.dtype.itemsize
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 4]))


def test_only_the_leaf_that_is_touched_is_verified(tmp_path):
    long = contribution(steps=300_000)  # 3 int16 channels of 600 kB: two leaves
    seal(long, card(), tmp_path / "mill")
    shard = tmp_path / "mill/shards/train-000.h5"
    alter_signal(shard, "i16", 600_000)  # in leaf 1, in the second channel's end
    one = replace(DATA, channels=1)
    with open_dataset(tmp_path / "mill") as dataset:
        index = dataset.windows(Split.train, one)
        index.read(0, [0, 1000])  # temperature's begin: leaf 0
        with pytest.raises(SealBrokenError, match=r"train-000\.h5 /signals/i16: leaf 1 "):
            index.read(0, np.arange(index.counts[0])[-8000::100])
        index.read(0, [0, 1000])
    with open_dataset(tmp_path / "mill", verify=False) as dataset:
        index = dataset.windows(Split.train, one)
        index.read(0, np.arange(index.counts[0])[-8000::100])


def test_threads_read_the_same(directory):
    expected = {}
    found = {}
    with open_dataset(directory) as dataset:
        index = dataset.windows(Split.train, DATA)
        windows = np.arange(index.counts[0])
        for part in range(8):
            expected[part] = index.read(0, windows[part::8]).context
    with open_dataset(directory) as dataset:
        index = dataset.windows(Split.train, DATA)

        def read(part):
            found[part] = index.read(0, windows[part::8]).context

        threads = [threading.Thread(target=read, args=(part,)) for part in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for part, values in expected.items():
        np.testing.assert_array_equal(found[part], values)


def test_batches_outlive_the_dataset(directory):
    with open_dataset(directory) as dataset:
        batch = dataset.windows(Split.train, DATA).read(0, [100])
    assert np.isfinite(batch.context).any()
