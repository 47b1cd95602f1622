import hashlib

import numpy as np
import pytest

from forgia_hpc.data.integrity import LEAF_BYTES, leaf_hashes, merkle_root
from forgia_hpc.digest import canonical_json


def sha(data):
    return hashlib.sha256(data).digest()


def test_leaves_are_sha256_of_each_mebibyte():
    data = bytes(range(256)) * (LEAF_BYTES // 256) * 2 + b"end"
    leaves = leaf_hashes(memoryview(data))
    parts = [data[:LEAF_BYTES], data[LEAF_BYTES : 2 * LEAF_BYTES], b"end"]
    assert [leaf.tobytes() for leaf in leaves] == [sha(part) for part in parts]


def test_the_root_is_what_the_specification_says():
    a, b, c = (sha(letter) for letter in (b"a", b"b", b"c"))
    leaves = np.frombuffer(a + b + c, np.uint8).reshape(3, 32)
    top = sha(b"\x01" + sha(b"\x01" + a + b) + c)
    assert merkle_root(leaves) == sha(b"\x02" + (3).to_bytes(8, "little") + top).hex()
    assert merkle_root(leaves[:0]) == sha(b"\x02" + bytes(8)).hex()


def test_every_leaf_and_the_order_move_the_root():
    leaves = np.random.default_rng(0).integers(0, 256, (7, 32), np.uint8)
    roots = {merkle_root(leaves), merkle_root(leaves[:6]), merkle_root(leaves[::-1])}
    for number in range(len(leaves)):
        changed = leaves.copy()
        changed[number, 5] ^= 1
        roots.add(merkle_root(changed))
    assert len(roots) == 10


def test_canonical_json_has_one_form():
    assert canonical_json({"b": [1, "é"], "a": None}) == '{"a":null,"b":[1,"é"]}'.encode()
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": float("nan")})
