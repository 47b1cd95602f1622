"""What happens to a reader when shards are taken away, cut off or can't be read under its feet."""

from __future__ import annotations

import errno
import gc
import os
from pathlib import Path

import numpy as np
import pytest
from fakes.telemetry import card, contribution
from hypothesis import given
from hypothesis import strategies as st

from forgia_hpc.data.layout import Split
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.reading import open_arrays
from forgia_hpc.data.reading.files import choose_io
from forgia_hpc.data.reading.open_arrays import OpenArrays
from forgia_hpc.data.reading.pread import stretches
from forgia_hpc.data.writer import seal
from forgia_hpc.errors import SealBrokenError
from forgia_hpc.schema.data import Data

DATA = Data(context=48, min_context=8, horizon=16, channels=3)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A contribution whose two training segments lie in shards of their own."""
    seal(contribution(), card(), tmp_path / "mill", shard_bytes=1000)
    assert len(list((tmp_path / "mill/shards").glob("train-*"))) == 2
    return tmp_path / "mill"


@pytest.mark.parametrize("io", ["mmap", "pread"])
def test_a_shard_removed_before_its_first_touch_is_named(directory: Path, io: str) -> None:
    with open_dataset(directory, io=io) as dataset:
        index = dataset.windows(Split.train, DATA)
        index.read(0, [0])
        (directory / "shards/train-001.h5").unlink()
        with pytest.raises(SealBrokenError, match=r"train-001\.h5: can't be read \(No such file"):
            index.read(0, [index.counts[0] - 1])
        index.read(0, [0])


@pytest.mark.parametrize("io", ["mmap", "pread"])
def test_a_shard_removed_after_its_first_touch_is_read_on(directory: Path, io: str) -> None:
    with open_dataset(directory, io=io) as dataset:
        index = dataset.windows(Split.train, DATA)
        before = index.read(0, [0, 5]).values
        (directory / "shards/train-000.h5").unlink()
        np.testing.assert_array_equal(index.read(0, [0, 5]).values, before)


@pytest.mark.parametrize("verify", [True, False])
def test_a_shard_cut_off_under_a_reader_is_named_by_pread(directory: Path, verify: bool) -> None:
    with open_dataset(directory, io="pread", verify=verify) as dataset:
        index = dataset.windows(Split.train, DATA)
        index.read(0, [0])
        os.truncate(directory / "shards/train-000.h5", 4096)
        with pytest.raises(
            SealBrokenError, match=r"train-000\.h5: byte \d+ is gone, sealed with 17824"
        ):
            index.read(0, np.arange(300))


def test_a_shard_cut_off_under_a_mapping_is_found_before_the_next_read(directory: Path) -> None:
    with open_dataset(directory, io="mmap") as dataset:
        index = dataset.windows(Split.train, DATA)
        index.read(0, [0])
        os.truncate(directory / "shards/train-000.h5", 4096)
        with pytest.raises(SealBrokenError, match=r"train-000\.h5: has 4096 bytes, sealed with"):
            index.read(0, np.arange(300))


def test_a_read_error_names_the_shard(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with open_dataset(directory, io="pread") as dataset:
        index = dataset.windows(Split.train, DATA)
        monkeypatch.setattr(os, "preadv", broken)
        with pytest.raises(
            SealBrokenError, match=r"train-000\.h5: can't be read \(Input/output error"
        ):
            index.read(0, [0])


def test_a_signal_in_the_middle_of_a_read_loses_nothing(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.preadv

    def in_drops(file: int, buffers: tuple[memoryview], at: int) -> int:
        return whole(file, (buffers[0][:7],), at)

    with open_dataset(directory, io="mmap") as dataset:
        expected = dataset.windows(Split.train, DATA).read(0, [3, 200]).values
    monkeypatch.setattr(os, "preadv", in_drops)
    with open_dataset(directory, io="pread") as dataset:
        found = dataset.windows(Split.train, DATA).read(0, [3, 200]).values
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("io", ["mmap", "pread"])
def test_only_so_many_files_are_open_and_leaves_are_hashed_once(
    directory: Path, io: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_arrays, "most_files", lambda: 1)
    with open_dataset(directory, io=io) as dataset:
        index = dataset.windows(Split.train, DATA)
        every = np.arange(len(index))
        first = index.read(0, every).values
        arrays = dataset.sources[0].access.arrays
        assert len(arrays) == 1
        gc.collect()
        assert len(_open_files(directory)) <= 1
        for part in np.array_split(np.random.default_rng(0).permutation(every), 9):
            alone = index.read(0, part[:1]).values
            np.testing.assert_array_equal(index.read(0, part).values[: len(alone)], alone)
        np.testing.assert_array_equal(index.read(0, every).values, first)
    assert not _open_files(directory)


def test_another_file_of_the_same_name_is_hashed_again(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_arrays, "most_files", lambda: 1)
    path = directory / "shards/train-000.h5"
    with open_dataset(directory, io="pread") as dataset:
        index = dataset.windows(Split.train, DATA)
        index.read(0, np.arange(len(index)))  # opens each shard, and lets the first go again
        data = bytearray(path.read_bytes())
        data[4096:6000] = bytes(1904)
        path.unlink()
        path.write_bytes(data)
        with pytest.raises(SealBrokenError, match="was altered"):
            index.read(0, np.arange(300))


def test_the_file_system_chooses_between_mmap_and_pread(tmp_path: Path) -> None:
    assert choose_io("auto", tmp_path) == "mmap"
    assert choose_io("pread", tmp_path) == "pread"


def test_half_of_the_descriptors_are_left_to_others() -> None:
    assert open_arrays.most_files() >= 8
    assert len(OpenArrays()) == 0


@given(
    st.lists(st.integers(0, 500), min_size=1, max_size=40),
    st.integers(1, 60),
    st.integers(0, 30),
)
def test_stretches_hold_every_row_and_are_as_few_as_the_gap_allows(
    starts: list[int], length: int, gap: int
) -> None:
    array = np.arange(1000)
    found = stretches(np.array(starts), length, gap)
    sizes = np.diff(found.ends, prepend=0)
    flat = np.concatenate(
        [array[first : first + size] for first, size in zip(found.firsts, sizes, strict=True)]
    )
    for start, moved in zip(starts, found.moved.tolist(), strict=True):
        assert flat[moved : moved + length].tolist() == array[start : start + length].tolist()
    apart = found.firsts[1:] - (found.firsts + sizes)[:-1]
    assert (apart > gap).all()


def _open_files(directory: Path) -> list[Path]:
    links = [one for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    return [target for one in links if (target := one.readlink()).is_relative_to(directory)]
