"""`check` of fields finds what was altered, in files, tables, The Well's groups and values."""

import json
import shutil
import subprocess
from dataclasses import replace

import h5py
import numpy as np
import pytest
from fakes.simulated import sealed_fields, simulated
from fakes.telemetry import card, sealed

from forgia_hpc.data.access.granting import make_grant
from forgia_hpc.data.fields.index import pack, unpack
from forgia_hpc.data.fields.reader import open_fields
from forgia_hpc.data.fields.windows import Cutting
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.validate import check
from forgia_hpc.data.writer import seal_consortium
from forgia_hpc.digest import canonical_json, sha256_file
from forgia_hpc.errors import InputError, SealBrokenError
from forgia_hpc.schema.data import Data


@pytest.fixture
def directory(tmp_path):
    return sealed_fields(tmp_path, simulated(20, 30))


def reseal(directory):
    """Make sizes and digests of the first shard agree again: a forger who knows manifest and index."""
    path = directory / "manifest.json"
    content = json.loads(path.read_bytes())
    shard = directory / content["shards"][0]["path"]
    content["shards"][0].update(bytes=shard.stat().st_size, sha256=sha256_file(shard))
    packed = directory / "index.pack"
    index = unpack(packed.read_bytes(), where="")
    shards = index.shards.copy()
    shards["bytes"][0] = shard.stat().st_size
    packed.write_bytes(pack(replace(index, shards=shards)))
    entry = next(one for one in content["files"] if one["path"] == "index.pack")
    entry.update(bytes=packed.stat().st_size, sha256=sha256_file(packed))
    path.write_bytes(canonical_json(content))


def test_h5dump_reads_a_shard_without_us(directory):
    assert shutil.which("h5dump"), "Debian's hdf5-tools are needed"
    words = ["h5dump", "-H", "-A", str(directory / "shards/train-000.h5")]
    told = subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout
    for word in ("t0_fields", "temperature", "field_names", "boundary_conditions", "stats_delta"):
        assert word in told


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("t0_fields/temperature", "content id"),
        ("t1_fields/velocity", "Merkle root"),
        ("t2_fields/stress", "leaves"),
        ("t0_fields/inside", "index.pack differs"),
        ("stats", "/stats"),
        ("stats_delta", "/stats_delta"),
        ("integrity/leaves", "integrity/leaves"),
        ("grid/time", "grid/time"),
        ("grid/x", "grid/x"),
        ("parameters", "/parameters"),
        ("index/channels", "index/channels"),
        ("index/schema", "index/schema"),
        ("scalars/ambient", "scalars/ambient"),
        ("scalars/bath", "scalars/bath"),
        ("dimensions/time", "dimensions/time"),
        ("dimensions/y", "dimensions/y"),
        ("boundary_conditions/surface/mask", "surface/mask"),
    ],
)
def test_a_forged_shard_disagrees_with_index_values_or_itself(directory, name, fault):
    path = directory / "shards/train-000.h5"
    with h5py.File(path) as file:
        at = file[name].id.get_offset()
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    reseal(directory)
    assert any(fault in line for line in check(directory)), check(directory)


def forge_attribute(file):
    file["boundary_conditions/around"].attrs["bc_type"] = "OPEN"


def forge_more(file):
    file["t0_fields/extra"] = np.zeros(3)


def forge_less(file):
    del file["t1_fields/velocity"]


def forge_root(file):
    file.attrs["contributor"] = "somebody"


@pytest.mark.parametrize(
    ("forge", "fault"),
    [
        (forge_attribute, "around@bc_type"),
        (forge_more, "t0_fields/extra does not belong there"),
        (forge_less, "t1_fields/velocity is missing"),
        (forge_root, "@contributor"),
    ],
)
def test_what_is_added_removed_or_renamed_is_found(directory, forge, fault):
    with h5py.File(directory / "shards/train-000.h5", "r+") as file:
        forge(file)
    reseal(directory)
    assert any(fault in line for line in check(directory)), check(directory)


def test_a_reader_meets_an_altered_leaf_and_names_the_shard(directory):
    path = directory / "shards/train-000.h5"
    with h5py.File(path) as file:
        at = file["t0_fields/temperature"].id.get_offset()
    data = bytearray(path.read_bytes())
    data[at + 100] ^= 4
    path.write_bytes(data)
    with open_fields(directory) as dataset:
        windows = dataset.windows(Split.train, Cutting(fields=("temperature",)))
        with pytest.raises(SealBrokenError, match=r"train-000\.h5 /t0_fields/temperature"):
            windows.gather([(0, 0)])


def test_a_half_copied_set_is_refused_with_the_file_named(directory):
    (directory / "shards/train-000.h5").unlink()
    with pytest.raises(SealBrokenError, match=r"train-000\.h5: missing"):
        open_fields(directory)


@pytest.mark.parametrize("cut", [0, 8, 100, 1000, -1])
def test_a_cut_index_is_refused(directory, cut):
    path = directory / "index.pack"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(SealBrokenError, match=r"index\.pack"):
        open_fields(directory)


def test_a_consortium_may_hold_fields_and_telemetry(tmp_path):
    sealed_fields(tmp_path)
    members = [tmp_path / "quench", sealed(tmp_path)]
    more = {"contributor": "forge", "members": ["mill", "quench"]}
    seal_consortium("valley", members, {**card("valley"), **more}, tmp_path / "valley")
    assert check(tmp_path / "valley") == []
    with open_fields(tmp_path / "valley") as dataset:
        assert dataset.names == ("quench",)
    with open_dataset(tmp_path / "valley") as dataset:
        assert dataset.names == ("mill",)


def test_each_reader_refuses_the_other_layout_alone(directory, tmp_path):
    with pytest.raises(InputError, match=r"nothing in it is forgia\.telemetry/1"):
        open_dataset(directory)
    with pytest.raises(InputError, match=r"nothing in it is forgia\.fields/1"):
        open_fields(sealed(tmp_path))


def test_a_grant_opens_its_shards_and_no_others(directory):
    manifest = load_manifest(directory)
    grant = make_grant(manifest, Data(dataset="quench"), splits=[Split.train])
    with open_fields(grant) as dataset:
        assert len(dataset.windows(Split.train, Cutting())) == 15
        with pytest.raises(InputError, match="no trajectory of held_out_machines"):
            dataset.windows(Split.held_out_machines, Cutting())
    grant["purpose"] = "anything"
    with pytest.raises(SealBrokenError, match="altered"):
        open_fields(grant)
