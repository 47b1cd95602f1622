import hashlib
import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fakes.telemetry import card, contribution, sealed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forgia_hpc.data.crypto.encrypting import encrypt
from forgia_hpc.data.crypto.key_file import make_key
from forgia_hpc.data.crypto.sealed_blocks import BlockCache, EncryptedArray
from forgia_hpc.data.crypto.sealed_file import HEADER, TAG, SealedFile, encrypt_stream
from forgia_hpc.data.crypto.sealed_image import SealedImage
from forgia_hpc.data.crypto.wraps import Lock, key_id_of
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.reading.arrays import Place
from forgia_hpc.data.reading.leaves import Leaves
from forgia_hpc.data.validate import check
from forgia_hpc.data.writer import seal, seal_consortium
from forgia_hpc.errors import InputError, SealBrokenError
from forgia_hpc.schema.data import Data

BLOCK = 4096
NUMBERS = 10_007


@pytest.fixture
def anna(tmp_path, monkeypatch):
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "anna.json"))
    return make_key(tmp_path / "anna.json", "anna")


def written(path, data, block=BLOCK):
    key = os.urandom(32)
    lock = Lock(path.parent, path.name, key_id_of(key), "ab" * 32, "")
    encrypt_stream(io.BytesIO(data), len(data), path, key, lock, block_bytes=block)
    return lock, key


def array_of(path, numbers, cache, *, threads=1):
    lock, key = written(path, b"\0" * 64 + numbers.tobytes())
    place = Place(
        path=path,
        file_bytes=path.stat().st_size,
        storage="i16",
        dtype=numbers.dtype,
        count=len(numbers),
        offset=64,
        leaves=Leaves(name="x", digests=np.zeros((0, 32), np.uint8), itemsize=numbers.itemsize),
    )
    return EncryptedArray(SealedFile(path, lock, key), place, BlockCache(BLOCK, cache, threads))


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    root = tmp_path_factory.mktemp("arrays")
    numbers = np.random.default_rng(0).integers(-999, 999, NUMBERS).astype("<i2")
    caches = (4 * BLOCK, 1 << 20)
    return numbers, [array_of(root / f"{size}.h5e", numbers, size, threads=2) for size in caches]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(1, NUMBERS),
    st.lists(st.floats(0, 1), max_size=40),
)
def test_rows_are_those_that_were_sealed(arrays, length, places):
    numbers, each = arrays
    starts = np.array([int(place * (NUMBERS - length)) for place in places], np.int64)
    wanted = np.array([numbers[at : at + length] for at in starts], "<i2").reshape(-1, length)
    for array in each:  # one with room for four blocks, one for all
        np.testing.assert_array_equal(array.read(starts, length), wanted)


def test_the_cache_is_bounded(tmp_path):
    numbers = np.arange(200_000, dtype="<i4")
    array = array_of(tmp_path / "a.h5e", numbers, 16 * BLOCK)
    chance = np.random.default_rng(1)
    for _ in range(50):
        starts = chance.integers(0, len(numbers) - 700, 9)
        np.testing.assert_array_equal(
            array.read(starts, 700), numbers[starts[:, None] + np.arange(700)]
        )
    cache = array._cache
    assert cache.memory.nbytes == 16 * BLOCK
    assert len(cache._slot) <= cache.slots == 16


def test_threads_may_read_at_once(tmp_path):
    numbers = np.arange(200_000, dtype="<i4")
    array = array_of(tmp_path / "a.h5e", numbers, 16 * BLOCK, threads=2)
    before = threading.active_count()

    def reads(seed):
        chance = np.random.default_rng(seed)
        for _ in range(40):
            starts = chance.integers(0, len(numbers) - 900, 20)
            found = array.read(starts, 900)
            assert (found == numbers[starts[:, None] + np.arange(900)]).all()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(reads, range(4)))
    assert threading.active_count() <= before + 1  # what decrypts beside the reader


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
@pytest.mark.parametrize("mapped", [True, False])
def test_the_image_is_the_plain_file(tmp_path, size, mapped):
    data = os.urandom(size)
    lock, key = written(tmp_path / "a.h5e", data)
    file = SealedFile(tmp_path / "a.h5e", lock, key, mapped=mapped)
    image = SealedImage(file)
    assert image.readall() == data
    image.seek(size // 2)
    assert image.read(7) == data[size // 2 : size // 2 + 7]
    file.close()


def test_blocks_can_be_opened_by_the_specification_alone(tmp_path):
    """As section `Encryption` of docs/dataset_format.md says, with AES-GCM alone."""
    import struct

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    data = os.urandom(BLOCK + 10)
    _, key = written(tmp_path / "a.h5e", data)
    raw = (tmp_path / "a.h5e").read_bytes()
    magic, version, block, size, count = struct.unpack_from("<8sIIQQ", raw)
    assert (magic, version, block, size, count) == (b"FORGIAH5", 1, BLOCK, BLOCK + 10, 2)
    aead, found = AESGCM(key), b""
    aead.decrypt(struct.pack("<IQ", 1, 0), raw[112:128], raw[:112])
    for number, begin in enumerate((128, 128 + BLOCK + 16)):
        bound = raw[32:64] + struct.pack("<QQ", number, count)
        found += aead.decrypt(struct.pack("<IQ", 0, number), raw[begin : begin + BLOCK + 16], bound)
    assert found == data


@pytest.mark.parametrize("mapped", [True, False])
def test_every_byte_of_header_and_blocks_counts(tmp_path, mapped):
    path = tmp_path / "a.h5e"
    data = os.urandom(300)
    lock, key = written(path, data, block=128)
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        with pytest.raises(SealBrokenError, match=r"a\.h5e"):
            SealedImage(SealedFile(path, lock, key, mapped=mapped)).readall()


def test_blocks_moved_or_of_another_shard_do_not_authenticate(tmp_path):
    path, step = tmp_path / "a.h5e", BLOCK + TAG
    lock, key = written(path, os.urandom(3 * BLOCK))
    whole = path.read_bytes()
    first, second = (whole[HEADER + n * step : HEADER + (n + 1) * step] for n in (0, 1))
    path.write_bytes(whole[:HEADER] + second + first + whole[HEADER + 2 * step :])
    with pytest.raises(SealBrokenError, match="block 0"):
        SealedImage(SealedFile(path, lock, key)).readall()
    written(tmp_path / "b.h5e", os.urandom(3 * BLOCK))
    other = (tmp_path / "b.h5e").read_bytes()
    path.write_bytes(
        whole[: HEADER + step]
        + other[HEADER + step : HEADER + 2 * step]
        + whole[HEADER + 2 * step :]
    )
    with pytest.raises(SealBrokenError, match="block 1"):
        SealedImage(SealedFile(path, lock, key)).readall()


def test_a_file_cut_off_under_a_reader_is_told(tmp_path):
    numbers = np.arange(100_000, dtype="<i2")
    array = array_of(tmp_path / "a.h5e", numbers, 16 * BLOCK)
    with (tmp_path / "a.h5e").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(SealBrokenError, match=r"a\.h5e: has 1000 bytes, sealed with"):
        array.read(np.array([90_000]), 10)


def everything(directory):
    with open_dataset(directory) as dataset:
        return {
            (name, facts.number): dataset.segment(name, facts.number).values.tobytes()
            for name in dataset.names
            for facts in dataset.segments(name)
        }


def test_the_encrypted_version_has_the_same_values_ids_and_order(tmp_path, anna):
    plain = sealed(tmp_path / "plain")
    (version,) = encrypt(plain, [anna], tmp_path / "sealed").values()
    one, two = load_manifest(plain), load_manifest(tmp_path / "sealed" / "mill")
    assert two.version == version != one.version
    assert two.content["encrypted_from"] == one.version
    assert [s.content_id for s in one.shards] == [s.content_id for s in two.shards]
    assert all(one.content_id(split) == two.content_id(split) for split in Split)
    assert everything(plain) == everything(two.directory)
    assert check(two.directory) == []
    words = Data(context=32, min_context=32, horizon=8)
    with open_dataset(plain) as first, open_dataset(two.directory) as second:
        a, b = (each.windows(Split.train, words) for each in (first, second))
        for number in (0, 5, len(a) - 1):
            np.testing.assert_array_equal(
                a.read(0, np.array([number])).context, b.read(0, np.array([number])).context
            )


def test_nothing_of_the_signals_or_names_is_readable_without_the_key(tmp_path, anna):
    plain = sealed(tmp_path / "plain")
    encrypt(plain, [anna], tmp_path / "sealed")
    with open_dataset(plain) as dataset:
        signal = dataset.segment("mill", 0).values[2].astype("<f4").tobytes()[:64]
    assert signal in (plain / "shards/train-000.h5").read_bytes()
    for path in (tmp_path / "sealed").rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        assert signal not in data
        assert b"vibration" not in data
        assert b"press" not in data


def test_a_consortium_is_encrypted_with_its_members(tmp_path, anna):
    members = [
        sealed(tmp_path / "plain", name, seed) for seed, name in enumerate(("mill", "forge"))
    ]
    place = tmp_path / "plain" / "valley"
    seal_consortium("valley", members, card("valley", members=["forge", "mill"]), place)
    assert set(encrypt(place, [anna], tmp_path / "sealed")) == {"mill", "forge", "valley"}
    assert check(tmp_path / "sealed" / "valley") == []
    assert everything(place) == everything(tmp_path / "sealed" / "valley")
    with pytest.raises(InputError, match="is encrypted already"):
        encrypt(tmp_path / "sealed" / "valley", [anna], tmp_path / "again")


def test_check_without_the_key_says_so_and_still_finds_what_needs_none(tmp_path, anna, monkeypatch):
    encrypt(sealed(tmp_path / "plain"), [anna], tmp_path / "sealed")
    place = tmp_path / "sealed" / "mill"
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "none.json"))
    with pytest.raises(InputError, match="no key file"):
        check(place)
    shard = place / "shards/train-000.h5e"
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    (fault,) = check(place)
    assert "train-000.h5e" in fault


def test_an_altered_plain_dataset_is_not_encrypted(tmp_path, anna):
    plain = sealed(tmp_path / "plain")
    shard = plain / "shards/train-000.h5"
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    with pytest.raises(SealBrokenError, match=r"train-000\.h5"):
        encrypt(plain, [anna], tmp_path / "sealed")
    assert not (tmp_path / "sealed" / "mill").exists()


def test_two_encryptions_of_the_same_share_no_block(tmp_path, anna):
    plain = tmp_path / "plain" / "mill"
    seal(contribution(), card(), plain)
    for root in ("one", "two"):
        encrypt(plain, [anna], tmp_path / root)
    one, two = (
        hashlib.sha256((tmp_path / root / "mill/shards/train-000.h5e").read_bytes()).digest()
        for root in ("one", "two")
    )
    assert one != two
