"""Cold and hot: the same content ids, the same windows, and back to the same bytes."""

import json
import os
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest
from fakes.simulated import sealed_fields, simulated
from fakes.telemetry import card, contribution, sealed
from hypothesis import given
from hypothesis import strategies as st

from forgia_hpc.data import cold
from forgia_hpc.data.cold import flat
from forgia_hpc.data.fields.reader import open_fields
from forgia_hpc.data.fields.windows import Cutting
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.repack import CHUNK_BYTES, chunks_of, to_cold, to_hot
from forgia_hpc.data.validate import check
from forgia_hpc.data.writer import seal, seal_consortium
from forgia_hpc.digest import canonical_json
from forgia_hpc.errors import InputError, SealBrokenError
from forgia_hpc.schema.data import Data


def quiet(*_):
    """Nobody looks."""


def telemetry(folder):
    seal(contribution(steps=5000), card(), folder / "mill")
    return folder / "mill"


def fields(folder):
    made = simulated(12, 10, 30, members=5, storage="i16")
    return sealed_fields(folder, made, per_shard=2)


def files(directory):
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("make", [telemetry, fields])
def test_cold_is_sound_of_the_same_content_and_hot_again_to_the_byte(make, tmp_path):
    directory = make(tmp_path)
    hot = load_manifest(directory)
    version = to_cold(directory, tmp_path / "cold", "gzip", quiet)
    packed = load_manifest(tmp_path / "cold")
    assert version == packed.version != hot.version
    assert [one.content_id for one in packed.shards] == [one.content_id for one in hot.shards]
    for split in Split:
        assert packed.content_id(split) == hot.content_id(split)
    assert {one.profile for one in packed.shards} == {"cold"}
    assert check(tmp_path / "cold") == []
    assert to_hot(tmp_path / "cold", tmp_path / "again", quiet) == hot.version
    assert files(tmp_path / "again") == files(directory)


def test_training_reads_the_same_windows_from_cold(tmp_path):
    directory = telemetry(tmp_path)
    to_cold(directory, tmp_path / "cold", "gzip", quiet)
    found = []
    for one in (directory, tmp_path / "cold"):
        with open_dataset(one) as dataset:
            windows = dataset.windows(Split.train, Data(context=64, horizon=8))
            pairs = [(0, number) for number in range(0, len(windows), 97)]
            found.append(windows.gather(pairs))
    np.testing.assert_array_equal(found[0].context, found[1].context)
    np.testing.assert_array_equal(found[0].target, found[1].target)


def test_a_surrogate_reads_the_same_windows_from_cold(tmp_path):
    directory = fields(tmp_path)
    to_cold(directory, tmp_path / "cold", "gzip", quiet)
    found = []
    for one in (directory, tmp_path / "cold"):
        with open_fields(one) as dataset:
            windows = dataset.windows(Split.train, Cutting(steps=3))
            found.append(windows.gather([(0, number) for number in range(len(windows))]))
    np.testing.assert_array_equal(found[0].values, found[1].values)
    np.testing.assert_array_equal(found[0].static, found[1].static)


def test_any_hdf5_reads_cold_gzip_and_what_is_large_is_in_chunks(tmp_path):
    to_cold(telemetry(tmp_path), tmp_path / "cold", "gzip", quiet)
    with (
        h5py.File(tmp_path / "cold/shards/train-000.h5") as packed,
        h5py.File(tmp_path / "mill/shards/train-000.h5") as plain,
    ):
        for name in ("signals/i16", "signals/f32"):
            assert (packed[name].compression, packed[name].shuffle) == ("gzip", True)
            np.testing.assert_array_equal(packed[name], plain[name])
        assert packed["index/series"].chunks is None


@given(
    shape=st.lists(st.integers(1, 400), min_size=1, max_size=6).map(tuple),
    itemsize=st.sampled_from([2, 4, 8]),
)
def test_a_chunk_is_at_most_256_kib_and_within_its_array(shape, itemsize):
    chunks = chunks_of(shape, itemsize)
    assert len(chunks) == len(shape)
    assert all(1 <= one <= size for one, size in zip(chunks, shape, strict=True))
    assert int(np.prod(chunks)) * itemsize <= CHUNK_BYTES


@given(shape=st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple), data=st.data())
def test_a_flat_range_of_an_array_of_any_shape(shape, data):
    size = int(np.prod(shape))
    begin = data.draw(st.integers(0, size))
    end = data.draw(st.integers(begin, size))
    with h5py.File("flat", "w", driver="core", backing_store=False) as file:
        dataset = file.create_dataset("a", data=np.arange(size).reshape(shape))
        np.testing.assert_array_equal(flat(dataset, begin, end), np.arange(begin, end))


def test_an_altered_chunk_is_met_by_check_and_by_a_reader_with_the_shard_named(tmp_path):
    to_cold(telemetry(tmp_path), tmp_path / "cold", "gzip", quiet)
    path = tmp_path / "cold/shards/train-000.h5"
    with h5py.File(path) as file:
        at = file["signals/i16"].id.get_chunk_info(0).byte_offset
    data = bytearray(path.read_bytes())
    data[at + 200] ^= 16
    path.write_bytes(data)
    assert any("train-000.h5" in line for line in check(tmp_path / "cold"))
    with open_dataset(tmp_path / "cold") as dataset:
        windows = dataset.windows(Split.train, Data(context=64, horizon=8))
        with pytest.raises(SealBrokenError, match=r"train-000\.h5"):
            windows.gather([(0, number) for number in range(0, len(windows), 50)])


def test_what_comes_back_otherwise_is_refused(tmp_path):
    to_cold(sealed(tmp_path), tmp_path / "cold", "gzip", quiet)
    path = tmp_path / "cold/manifest.json"
    content = json.loads(path.read_bytes())
    content["shards"][0]["hot_sha256"] = "0" * 64
    path.write_bytes(canonical_json(content))
    with pytest.raises(SealBrokenError, match="not the sealed one"):
        to_hot(tmp_path / "cold", tmp_path / "again", quiet)
    assert not (tmp_path / "again").exists()
    assert not list(tmp_path.glob(".again.*"))


def test_an_altered_hot_shard_is_not_packed(tmp_path):
    directory = sealed(tmp_path)
    path = directory / "shards/train-000.h5"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(SealBrokenError, match=r"train-000\.h5"):
        to_cold(directory, tmp_path / "cold", "gzip", quiet)


def test_only_what_is_of_the_other_profile_is_repacked(tmp_path):
    directory = sealed(tmp_path)
    to_cold(directory, tmp_path / "cold", "gzip", quiet)
    with pytest.raises(InputError, match="with hot shards"):
        to_cold(tmp_path / "cold", tmp_path / "colder", "gzip", quiet)
    with pytest.raises(InputError, match="with cold shards"):
        to_hot(directory, tmp_path / "hotter", quiet)
    seal_consortium("v", [directory], card("v", members=["mill"]), tmp_path / "v")
    with pytest.raises(InputError, match="repack its members"):
        to_cold(tmp_path / "v", tmp_path / "x", "gzip", quiet)
    with pytest.raises(InputError, match="is there already"):
        to_cold(directory, tmp_path / "cold", "gzip", quiet)


def test_zstd_without_hdf5plugin_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(cold, "PLUGIN", "a_module_that_is_not_there")
    with pytest.raises(InputError, match=r"hdf5plugin.*forgia_hpc\[cold\]"):
        to_cold(sealed(tmp_path), tmp_path / "cold", "zstd", quiet)


@pytest.mark.peers
@pytest.mark.parametrize("make", [telemetry, fields])
def test_zstd_is_read_back_to_the_byte(make, tmp_path):
    directory = make(tmp_path)
    code = """
import sys
from pathlib import Path
from forgia_hpc.data.repack import to_cold, to_hot
from forgia_hpc.data.validate import check
made, cold, hot = map(Path, sys.argv[1:])
to_cold(made, cold, "zstd", lambda *_: None)
assert check(cold) == [], check(cold)
to_hot(cold, hot, lambda *_: None)
"""
    python = os.environ.get("FORGIA_PEERS")
    assert python, "FORGIA_PEERS must name a python that has ours and hdf5plugin"
    words = [python, "-c", code, directory, tmp_path / "cold", tmp_path / "again"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    subprocess.run(words, check=True, timeout=120, env=environment)
    assert files(tmp_path / "again") == files(directory)


@pytest.mark.peers
def test_zstd_read_without_hdf5plugin_says_what_is_missing(tmp_path, monkeypatch):
    directory = telemetry(tmp_path)
    python = os.environ.get("FORGIA_PEERS")
    assert python, "FORGIA_PEERS must name a python that has ours and hdf5plugin"
    code = """
import sys
from pathlib import Path
from forgia_hpc.data.repack import to_cold
to_cold(*map(Path, sys.argv[1:]), "zstd", lambda *_: None)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    words = [python, "-c", code, directory, tmp_path / "cold"]
    subprocess.run(words, check=True, timeout=120, env=environment)
    monkeypatch.setattr(cold, "PLUGIN", "a_module_that_is_not_there")
    with open_dataset(tmp_path / "cold") as dataset:
        windows = dataset.windows(Split.train, Data(context=64, horizon=8))
        with pytest.raises(InputError, match="hdf5plugin"):
            windows.gather([(0, 0)])
    for refused in (check, lambda one: to_hot(one, tmp_path / "again", quiet)):
        with pytest.raises(InputError, match="hdf5plugin"):
            refused(tmp_path / "cold")


@pytest.mark.parametrize("number", [h5py.h5z.FILTER_DEFLATE, 32015])
def test_a_filter_that_is_not_here_is_refused_before_it_is_read(number, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        made.set_chunk((4,))
        made.set_filter(number, h5py.h5z.FLAG_OPTIONAL, (1,))
        space = h5py.h5s.create_simple((8,))
        h5py.h5d.create(file.id, b"a", h5py.h5t.STD_I16LE, space, made)
        if number == h5py.h5z.FILTER_DEFLATE:
            cold.need_filters(file["a"], tmp_path)
        else:
            with pytest.raises(InputError, match="filter 32015, which is not here"):
                cold.need_filters(file["a"], tmp_path)
