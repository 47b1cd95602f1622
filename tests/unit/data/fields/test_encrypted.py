"""Fields encrypted: the same windows with the key, sound as a whole, and an altered byte is met."""

import numpy as np
import pytest
from fakes.simulated import sealed_fields, simulated

from forgia_hpc.data.crypto.encrypting import encrypt
from forgia_hpc.data.crypto.key_file import make_key
from forgia_hpc.data.fields.reader import open_fields
from forgia_hpc.data.fields.windows import Cutting
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.validate import check
from forgia_hpc.errors import SealBrokenError


@pytest.fixture
def places(tmp_path, monkeypatch):
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "anna.json"))
    anna = make_key(tmp_path / "anna.json", "anna")
    plain = sealed_fields(tmp_path / "plain", simulated(20, 30, storage="i16"), per_shard=2)
    encrypt(plain, [anna], tmp_path / "sealed")
    return plain, tmp_path / "sealed/quench"


def windows_of(directory, io="auto"):
    with open_fields(directory, io=io) as dataset:
        windows = dataset.windows(Split.train, Cutting(steps=3))
        return windows.gather([(0, number) for number in range(len(windows))])


def test_the_same_windows_come_from_it_and_it_is_sound(places):
    plain, secret = places
    assert check(secret) == []
    wanted = windows_of(plain)
    for directory, io in ((secret, "auto"), (plain, "pread")):
        found = windows_of(directory, io)
        for name in ("values", "static", "mask", "parameters", "times"):
            np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    ids = [[one.content_id for one in load_manifest(place).shards] for place in places]
    assert ids[0] == ids[1]


def test_an_altered_byte_is_met_by_a_reader_and_by_check(places):
    secret = places[1]
    path = secret / load_manifest(secret).shards[0].path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(SealBrokenError, match="train-000"):
        windows_of(secret)
    assert any("train-000" in line for line in check(secret))
