import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from fakes.telemetry import card, contribution, sealed

from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.writer import seal
from forgia_hpc.errors import InputError

TESTS = Path(__file__).parents[2]


def in_a_fresh_process(code, *arguments, **more):
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.Popen([sys.executable, "-c", code, *arguments], env=environment, **more)


def test_the_same_input_gives_the_same_bytes_in_another_process_and_second(tmp_path):
    here = sealed(tmp_path / "here")
    time.sleep(1.1)  # HDF5 keeps times in whole seconds
    code = (
        "import sys; from pathlib import Path; from fakes.telemetry import sealed;"
        "sealed(Path(sys.argv[1]))"
    )
    assert in_a_fresh_process(code, str(tmp_path / "there")).wait() == 0
    files = sorted(path.relative_to(here) for path in here.rglob("*") if path.is_file())
    assert len(files) == 6
    for file in files:
        assert (here / file).read_bytes() == (tmp_path / "there/mill" / file).read_bytes()


def test_plain_h5py_reads_every_value_back(tmp_path):
    directory = sealed(tmp_path)
    good = contribution()
    with h5py.File(directory / "shards/train-000.h5") as file:
        channels = file["index/channels"][:]
        for row in file["index/series"][:]:
            segment = [good.segments[0], good.segments[3]][row["segment"]]
            channel = channels[row["channel"]]
            steps = file["index/segments"]["steps"][row["segment"]]
            stored = file["signals"][channel["storage"].decode()][row["offset"] :][:steps]
            gaps = np.zeros(steps, bool)
            if row["mask"] >= 0:
                bits = np.unpackbits(file["masks/valid"][row["mask"] :], bitorder="little")
                gaps = bits[:steps] == 0
            expected = segment.values[row["channel"]]
            np.testing.assert_array_equal(gaps, np.isnan(expected))
            if channel["storage"] == b"f32":
                values = stored
            else:
                values = np.where(gaps, np.nan, stored * channel["scale"] + channel["zero"])
            np.testing.assert_allclose(values, expected, rtol=1e-7, atol=1e-12)
        assert [channel["storage"] for channel in channels] == [
            b"i16",
            b"i32",
            b"f32",
            b"i16",
            b"i16",
        ]
        assert file.attrs["format"] == b"forgia.telemetry/1"
        assert file["labels"][:].tolist() == [(0, 390, 420, 1.0, b"failure")]
        assert channels["codes"][3] == b'["idle","run"]'


def test_statistics_are_those_of_the_decoded_values(tmp_path):
    good = contribution()
    with h5py.File(sealed(tmp_path) / "shards/train-000.h5") as file:
        stats = file["stats"][:]
    both = np.concatenate([good.segments[0].values, good.segments[3].values], axis=1)
    np.testing.assert_array_equal(stats["n"], (~np.isnan(both)).sum(1))
    np.testing.assert_allclose(stats["mean"], np.nanmean(both, 1), rtol=1e-6)
    np.testing.assert_allclose(stats["m2"] / stats["n"], np.nanvar(both, 1), rtol=1e-6)
    np.testing.assert_allclose(stats["min"], np.nanmin(both, 1), rtol=1e-6)
    np.testing.assert_allclose(stats["max"], np.nanmax(both, 1), rtol=1e-6)


def test_large_arrays_begin_at_whole_pages(tmp_path):
    seal(contribution(steps=5000), card(), tmp_path / "mill")
    with h5py.File(tmp_path / "mill/shards/train-000.h5") as file:
        for name in ("i16", "i32", "f32"):
            assert file[f"signals/{name}"].id.get_offset() % 4096 == 0
            assert file[f"signals/{name}"].chunks is None


def test_content_id_hangs_on_values_and_meaning_not_on_storage(tmp_path):
    def content_id(name, change):
        channels = change(contribution().segments[0].channels)
        segments = tuple(replace(one, channels=channels) for one in contribution().segments)
        seal(replace(contribution(), segments=segments), card(), tmp_path / name)
        return load_manifest(tmp_path / name).shards[0].content_id

    def with_fault(**more):
        return lambda channels: (*channels[:4], replace(channels[4], **more))

    same = content_id("a", with_fault())
    assert content_id("b", with_fault(scale=None)) == same  # 0 and 1 are the same as float32
    assert content_id("c", with_fault(ucum="%")) != same
    assert content_id("d", with_fault(role="target")) != same


def test_a_sealed_dataset_is_not_changed_without_a_word(tmp_path):
    directory = sealed(tmp_path)
    before = load_manifest(directory).version
    with pytest.raises(InputError, match="is there already"):
        sealed(tmp_path, seed=1)
    assert load_manifest(directory).version == before
    after = seal(contribution(seed=1), card(), directory, overwrite=True)
    assert load_manifest(directory).version == after != before
    assert [path.name for path in tmp_path.iterdir()] == ["mill"]


def test_nothing_is_left_of_a_contribution_that_was_refused(tmp_path):
    values = contribution().segments[0].values.copy()
    values[0, 3] = 1.005
    first = replace(contribution().segments[0], values=values)
    broken = replace(contribution(), segments=(first, *contribution().segments[1:]))
    with pytest.raises(InputError, match="row 3"):
        seal(broken, card(), tmp_path / "mill")
    assert list(tmp_path.iterdir()) == []


def test_a_killed_writer_leaves_a_whole_dataset_or_none(tmp_path):
    code = (
        "import sys; from pathlib import Path; from fakes.telemetry import card, contribution;"
        "from forgia_hpc.data.writer import seal\n"
        "print('ready', flush=True)\n"
        "while True: seal(contribution(steps=3000), card(), Path(sys.argv[1]) / 'mill', overwrite=True)"
    )
    rng = np.random.default_rng(0)
    for number in range(4):
        root = tmp_path / str(number)
        root.mkdir()
        writer = in_a_fresh_process(code, str(root), stdout=subprocess.PIPE)
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(rng.uniform(0.005, 0.25))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        # a lock that was being made lies there as `..mill.lock.*.part`
        assert {path.name for path in root.iterdir() if not path.name.startswith(".")} <= {"mill"}
        if (root / "mill").exists():
            assert load_manifest(root / "mill").version
        seal(contribution(), card(), root / "mill", overwrite=True)
        assert [path.name for path in root.iterdir()] == ["mill"]


def test_a_split_by_size_reads_the_same_values(tmp_path):
    seal(contribution(), card(), tmp_path / "one")
    seal(contribution(), card(), tmp_path / "many", shard_bytes=1000)
    assert len(load_manifest(tmp_path / "one").shards) == 3
    assert len(load_manifest(tmp_path / "many").shards) == 4
