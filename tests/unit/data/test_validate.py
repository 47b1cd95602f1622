import json
import shutil

import h5py
import numpy as np
import pytest
from fakes.telemetry import card, contribution, sealed

from forgia_hpc.data.layout import Split
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.validate import check
from forgia_hpc.data.writer import seal, seal_consortium
from forgia_hpc.digest import canonical_json, sha256_file
from forgia_hpc.errors import SealBrokenError
from forgia_hpc.schema.data import Data

FLIPS = 200


@pytest.fixture
def directory(tmp_path):
    return sealed(tmp_path)


def reseal(directory):
    """Make size and digest of the first shard agree again: a forger who knows the manifest."""
    path = directory / "manifest.json"
    content = json.loads(path.read_bytes())
    shard = directory / content["shards"][0]["path"]
    content["shards"][0].update(bytes=shard.stat().st_size, sha256=sha256_file(shard))
    path.write_bytes(canonical_json(content))


def test_a_sealed_dataset_has_no_fault(directory, tmp_path):
    assert check(directory) == []
    seal(contribution(), card(), tmp_path / "split", shard_bytes=1000)
    assert check(tmp_path / "split") == []


def test_a_consortiums_members_are_checked_too(directory, tmp_path):
    seal_consortium("valley", [directory], card("valley", members=["mill"]), tmp_path / "valley")
    assert check(tmp_path / "valley") == []
    with (directory / "shards/train-000.h5").open("ab") as file:
        file.write(b"x")
    assert len(check(tmp_path / "valley")) == 1


def test_unlisted_lost_and_cut_files_are_named_together(directory):
    (directory / "shards/extra.h5").write_bytes(b"")
    (directory / "shards/train-000.h5").unlink()
    (directory / "index.pack").write_bytes(b"")
    faults = check(directory)
    assert len(faults) == 3
    for name in ("extra.h5", "train-000.h5", "index.pack"):
        assert any(name in fault for fault in faults)


def test_no_dataset_is_one_fault(tmp_path):
    assert len(check(tmp_path)) == 1


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("signals/i16", "leaves"),
        ("signals/f32", "content id"),
        ("signals/i32", "Merkle root"),
        ("masks/valid", "masks"),
        ("stats", "stats"),
        ("integrity/leaves", "integrity/leaves"),
        ("index/segments", "index/segments"),
        ("index/series", "index/series"),
        ("index/channels", "index/channels"),
        ("assets", "assets"),
        ("labels", "labels"),
    ],
)
def test_a_forged_shard_disagrees_with_index_values_or_itself(directory, name, fault):
    with h5py.File(directory / "shards/train-000.h5") as file:
        at = file[name].id.get_offset()
    with (directory / "shards/train-000.h5").open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))
    reseal(directory)
    assert any(fault in line for line in check(directory))


def test_a_forged_attribute_is_named(directory):
    with h5py.File(directory / "shards/train-000.h5", "r+") as file:
        file.attrs.modify("split", np.bytes_("held_out_time"))
    reseal(directory)
    assert any("split" in line or "index.pack" in line for line in check(directory))


def test_every_flipped_byte_is_found(tmp_path, directory):
    rng = np.random.default_rng(20)
    names = ["shards/train-000.h5", "shards/held_out_machines-000.h5", "index.pack", "card.yaml"]
    for number in range(FLIPS):
        path = directory / names[number % len(names)]
        data = path.read_bytes()
        broken = bytearray(data)
        broken[rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(broken)
        assert check(directory), number
        path.write_bytes(data)
    assert check(directory) == []


def test_every_flipped_value_is_refused_by_a_reader_that_touches_it(directory):
    rng = np.random.default_rng(21)
    path = directory / "shards/train-000.h5"
    data = path.read_bytes()
    with h5py.File(path) as file:
        arrays = [file[f"signals/{name}"] for name in ("i16", "i32", "f32")]
        spans = [(one.id.get_offset(), one.size * one.dtype.itemsize) for one in arrays]
    asked = Data(context=64, min_context=8, horizon=16, channels=5)
    for number in range(FLIPS):
        begin, size = spans[number % 3]
        broken = bytearray(data)
        broken[begin + rng.integers(size)] ^= 1 << rng.integers(8)
        path.write_bytes(broken)
        with open_dataset(directory) as dataset:
            index = dataset.windows(Split.train, asked)
            with pytest.raises(SealBrokenError, match=r"train-000\.h5 /signals/.*leaf 0"):
                index.read(0, np.arange(index.counts[0]))


def test_every_truncation_is_refused_by_reader_and_check(directory):
    rng = np.random.default_rng(22)
    path = directory / "shards/train-000.h5"
    data = path.read_bytes()
    for end in [0, 1, len(data) - 1, *rng.integers(0, len(data), 17).tolist()]:
        path.write_bytes(data[:end])
        assert len(check(directory)) == 1
        with pytest.raises(SealBrokenError, match=r"train-000\.h5.*half-copied"):
            open_dataset(directory)


def test_a_copy_elsewhere_is_the_same_dataset(directory, tmp_path):
    shutil.copytree(directory, tmp_path / "copy")
    assert check(tmp_path / "copy") == []
