import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from fakes.telemetry import card, contribution, sealed

from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import flatten, load_manifest
from forgia_hpc.data.presence import verify_files
from forgia_hpc.data.writer import seal, seal_consortium
from forgia_hpc.digest import canonical_json
from forgia_hpc.errors import InputError, SealBrokenError


@pytest.fixture
def consortium(tmp_path):
    members = [sealed(tmp_path, "mill", 0), sealed(tmp_path, "forge", 1)]
    facts = card("valley", members=["forge", "mill"], contributor="consortium")
    seal_consortium("valley", members, facts, tmp_path / "valley")
    return tmp_path / "valley"


def rewrite(directory, **change):
    path = directory / "manifest.json"
    path.write_bytes(canonical_json({**json.loads(path.read_bytes()), **change}))


def test_the_version_is_what_sha256sum_says(tmp_path):
    manifest = load_manifest(sealed(tmp_path))
    digest = hashlib.sha256((tmp_path / "mill/manifest.json").read_bytes()).hexdigest()
    assert manifest.version == digest
    assert manifest.identifier == f"mill@{digest[:12]}"


def test_the_manifest_counts_what_was_sealed(tmp_path):
    manifest = load_manifest(sealed(tmp_path))
    train = manifest.shards[0]
    assert (train.split, train.segments, train.series) == (Split.train, 2, 10)
    assert (train.steps, train.values) == (460, 2300)
    assert train.t_max_ns - train.t_min_ns == 399 * 300 * 10**9
    assert manifest.content["marks"] == {"sealed": 2, "outside": 1}
    assert manifest.bytes == sum(
        path.stat().st_size
        for path in (tmp_path / "mill").rglob("*.*")
        if path.name != "manifest.json"
    )


def test_a_consortium_resolves_to_its_contributions(consortium):
    manifest = load_manifest(consortium)
    assert [one.name for one in manifest.contributions()] == ["forge", "mill"]
    assert [one.name for one in flatten([manifest, load_manifest(consortium / "../mill")])] == [
        "forge",
        "mill",
    ]
    assert verify_files(manifest, consortium) == []


def test_a_consortium_moves_with_its_members(consortium, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("mill", "forge", "valley"):
        shutil.move(tmp_path / name, elsewhere / name)
    manifest = load_manifest(elsewhere / "valley")
    assert len(manifest.contributions()) == 2


def test_members_missing_or_of_another_version_are_named_together(consortium, tmp_path):
    shutil.rmtree(tmp_path / "forge")
    other = replace(contribution("mill"), provenance={"note": "another"})
    seal(other, card("mill"), tmp_path / "mill", overwrite=True)
    with pytest.raises(SealBrokenError) as caught:
        load_manifest(consortium).contributions()
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert "forge" in lines[0]
    assert "not mill@" in lines[1]


def test_one_name_with_two_versions_is_refused(consortium, tmp_path):
    other = sealed(tmp_path / "other", "mill", 5)
    with pytest.raises(InputError, match="mill@"):
        flatten([load_manifest(consortium), load_manifest(other)])


def test_the_consortiums_card_must_name_its_members(tmp_path):
    members = [sealed(tmp_path, "mill", 0)]
    with pytest.raises(InputError) as caught:
        seal_consortium("valley", members, card("dale", members=["forge"]), tmp_path / "valley")
    assert [problem.field for problem in caught.value.problems] == ["card.members", "card.name"]
    assert not (tmp_path / "valley").exists()


def test_every_lost_cut_and_altered_file_is_named(tmp_path):
    directory = sealed(tmp_path)
    (directory / "shards/train-000.h5").unlink()
    cut = directory / "shards/held_out_time-000.h5"
    cut.write_bytes(cut.read_bytes()[:-1])
    (directory / "card.yaml").write_bytes((directory / "card.yaml").read_bytes().swapcase())
    faults = verify_files(load_manifest(directory), directory)
    assert ["missing" in faults[0], "half-copied" in faults[1], "altered" in faults[2]] == [
        True
    ] * 3
    assert len(faults) == 3
    assert all(str(directory) in fault for fault in faults)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "forgia.dataset/2"},
        {"shards": [{"path": "x"}]},
        {"shards": 3},
        {"files": [{"path": "../../secret", "bytes": 1, "sha256": ""}]},
        {"files": [{"path": "/etc/passwd", "bytes": 1, "sha256": ""}]},
        {"files": [{"path": "a\nb", "bytes": 1, "sha256": ""}]},
        {"files": [{"path": 5, "bytes": 1, "sha256": ""}]},
        {"files": [{"path": "a", "bytes": "1", "sha256": ""}]},
        {"files": [{"path": "a", "bytes": 1, "sha256": "", "key_id": "../../secret"}]},
        {"contributor": "../../elsewhere"},
    ],
)
def test_a_broken_manifest_is_refused(tmp_path, change):
    directory = sealed(tmp_path)
    rewrite(directory, **change)
    with pytest.raises(SealBrokenError, match="mill"):
        load_manifest(directory)


@pytest.mark.parametrize("other", ["shards/train-000.h5", "shards/./train-000.h5", "shards//x.h5"])
def test_a_shard_is_listed_once_and_under_one_spelling(tmp_path, other):
    """Listed under two policies, it would be opened by the milder one."""
    directory = sealed(tmp_path)
    shards = load_manifest(directory).content["shards"]
    again = [*shards, {**shards[0], "path": other, "policy": "0" * 64}]
    rewrite(directory, shards=again)
    with pytest.raises(SealBrokenError, match=r"listed twice|no plain name"):
        load_manifest(directory)


@pytest.mark.parametrize("text", [b'{"a":NaN}', b"[" * 100_000, b'{"a":"\\ud800"}'])
def test_json_that_no_writer_leaves_is_refused(tmp_path, text):
    (tmp_path / "manifest.json").write_bytes(text)
    with pytest.raises(SealBrokenError, match="broken JSON"):
        load_manifest(tmp_path)


@pytest.mark.parametrize("end", [0, 1, 100, -1])
def test_a_cut_off_manifest_is_refused(tmp_path, end):
    path = sealed(tmp_path) / "manifest.json"
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(SealBrokenError, match="half-copied or altered"):
        load_manifest(path.parent)


def test_a_reformatted_manifest_is_refused(tmp_path):
    path = sealed(tmp_path) / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()), indent=1))
    with pytest.raises(SealBrokenError, match="not canonical"):
        load_manifest(path.parent)


@pytest.mark.parametrize("name", ["nowhere", ""])
def test_a_directory_without_manifest_is_no_dataset(tmp_path, name):
    with pytest.raises(InputError, match="half-copied"):
        load_manifest(tmp_path / name)


def test_the_login_wing_loads_neither_hdf5_nor_torch():
    text = (
        "import sys\n"
        "import forgia_hpc.data.card, forgia_hpc.data.manifest, forgia_hpc.data.access.granting\n"
        "import forgia_hpc.data.reader, forgia_hpc.data.sampler\n"
        "assert not {'h5py', 'torch', 'mpi4py', 'deepspeed'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", text], check=True)
