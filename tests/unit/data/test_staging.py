"""Datasets and folders brought to the data root: verified before they appear, resumed, never half there."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from forgia_hpc.data.ingest.sealing import ingest_and_seal
from forgia_hpc.data.staging import stage
from forgia_hpc.data.validate import check
from forgia_hpc.digest import canonical_json
from forgia_hpc.errors import InputError, SealBrokenError


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sealed")
    ingest_and_seal("demo_press", None, root)
    return root / "demo_press"


def test_a_link_planted_in_the_place_of_the_copy_leads_nowhere(
    sealed: Path, tmp_path: Path
) -> None:
    """In a directory that a group shares, others know the name under which a copy grows."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    work = tmp_path / "data" / ".demo_press.part"
    work.mkdir(parents=True)
    (work / "shards").symlink_to(elsewhere)
    (work / ".manifest.json.piece").symlink_to(tmp_path / "victim")
    stage(sealed, tmp_path / "data")
    assert not list(elsewhere.iterdir())
    assert not (tmp_path / "victim").exists()
    assert check(tmp_path / "data" / "demo_press") == []


def packed(folder: Path, into: Path) -> Path:
    """Pack a folder by the archive's own ending."""
    kind = {".tar": "tar", ".gz": "gztar", ".zip": "zip"}[into.suffix]
    base = str(into).removesuffix(".tar.gz").removesuffix(into.suffix)
    return Path(shutil.make_archive(base, kind, folder.parent, folder.name))


@pytest.mark.parametrize("form", ["folder", "x.tar", "x.tar.gz", "x.zip"])
def test_a_dataset_arrives_whole(sealed: Path, tmp_path: Path, form: str) -> None:
    source = sealed if form == "folder" else packed(sealed, tmp_path / form)
    found = stage(source, tmp_path / "data")
    assert (found.name, found.fresh, found.left_out) == ("demo_press", True, ())
    assert check(found.directory) == []
    assert not stage(source, tmp_path / "data").fresh
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["demo_press"]


def test_a_cut_copy_goes_on_and_a_wrong_byte_is_found(sealed: Path, tmp_path: Path) -> None:
    source = tmp_path / "demo_press"
    shutil.copytree(sealed, source)
    shard = next(path for path in source.rglob("*.h5"))
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    (source / "notes.txt").write_text("mine")
    with pytest.raises(SealBrokenError, match=f"{shard.name}: altered"):
        stage(source, tmp_path / "data")
    assert [path.name for path in (tmp_path / "data").iterdir()] == [".demo_press.part"]
    before = {
        path.name: path.stat().st_ino for path in (tmp_path / "data").rglob("*") if path.is_file()
    }
    shard.write_bytes(whole)
    found = stage(source, tmp_path / "data")
    assert found.left_out == ("notes.txt",)
    assert check(found.directory) == []
    kept = {path.name: path.stat().st_ino for path in found.directory.rglob("*") if path.is_file()}
    assert {name for name in kept if before.get(name) == kept[name]} == set(kept) - {shard.name}


def test_another_version_in_the_way_is_left_alone(sealed: Path, tmp_path: Path) -> None:
    there = tmp_path / "data" / "demo_press"
    there.mkdir(parents=True)
    (there / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match="of another version"):
        stage(sealed, tmp_path / "data")
    assert (there / "manifest.json").read_text() == "{}"


def test_a_folder_with_sums_is_verified(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    (weights / "a").mkdir(parents=True)
    (weights / "a" / "model.bin").write_bytes(b"weights")
    with pytest.raises(InputError, match="nothing vouches for its content"):
        stage(weights, tmp_path / "data")
    digest = hashlib.sha256(b"weights").hexdigest()
    (weights / "SHA256SUMS").write_text(f"{digest}  ./a/model.bin\n")
    assert stage(weights, tmp_path / "data").files == 2
    (weights / "SHA256SUMS").write_text(f"{digest}  a/model.bin\n{digest}  gone\n")
    with pytest.raises(SealBrokenError, match="gone: missing"):
        stage(weights, tmp_path / "other")
    (weights / "SHA256SUMS").write_text(f"{digest}  ../model.bin\n")
    with pytest.raises(InputError, match="of files below it"):
        stage(weights, tmp_path / "other")


@pytest.mark.parametrize("name", ["../out", "/out", "x/../../out"])
def test_an_archive_can_not_write_elsewhere(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(name, "x")
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = 1
        archive.addfile(entry, io.BytesIO(b"x"))
    for path in ("bad.zip", "bad.tar"):
        with pytest.raises(InputError, match="leads out of the archive"):
            stage(tmp_path / path, tmp_path / "data")
    assert not (tmp_path / "out").exists()


def test_links_and_what_is_no_archive_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "link.tar", "w") as archive:
        entry = tarfile.TarInfo("x/link")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(entry)
    with pytest.raises(InputError, match="plain files"):
        stage(tmp_path / "link.tar", tmp_path / "data")
    (tmp_path / "text.tar").write_text("no archive")
    with pytest.raises(InputError, match=r"a folder, a \.tar or a \.zip"):
        stage(tmp_path / "text.tar", tmp_path / "data")


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "", ".", "a/b", "a\n", 5, None])
def test_a_dataset_cannot_name_a_place_outside(tmp_path: Path, name: object) -> None:
    source = tmp_path / "source"
    source.mkdir()
    content = {"format": "forgia.dataset/1", "name": name, "contributor": "x", "files": []}
    (source / "manifest.json").write_bytes(canonical_json(content))
    with pytest.raises(SealBrokenError, match="broken manifest"):
        stage(source, tmp_path / "data")
    assert [path.name for path in (tmp_path / "data").iterdir()] == [".source.part"]


def test_a_locked_archive_is_told_in_one_line(tmp_path: Path) -> None:
    source = tmp_path / "locked.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("locked/a", b"1")
    data = bytearray(source.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1  # the flag of a password
    source.write_bytes(data)
    with pytest.raises(InputError, match="password"):
        stage(source, tmp_path / "data")


def test_a_file_without_a_name_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "x.tar"
    with tarfile.open(source, "w") as archive:
        archive.addfile(tarfile.TarInfo("."))
    with pytest.raises(InputError, match="leads out of the archive"):
        stage(source, tmp_path / "data")


def test_sums_name_files_of_any_bytes(tmp_path: Path) -> None:
    source = tmp_path / "odd"
    source.mkdir()
    (source / os.fsdecode(b"\xff")).write_bytes(b"1")
    line = hashlib.sha256(b"1").hexdigest().encode() + b"  \xff\n"
    (source / "SHA256SUMS").write_bytes(line)
    assert stage(source, tmp_path / "data").files == 2


def test_wraps_and_signatures_of_a_dataset_come_along(tmp_path, monkeypatch):
    from fakes import telemetry

    from forgia_hpc.data.crypto.encrypting import encrypt
    from forgia_hpc.data.crypto.key_file import load_key, make_key
    from forgia_hpc.data.crypto.signatures import sign
    from forgia_hpc.data.manifest import load_manifest

    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "key.json"))
    public = make_key(tmp_path / "key.json", "anna")
    encrypt(telemetry.sealed(tmp_path / "plain"), [public], tmp_path / "sealed")
    sign(load_manifest(tmp_path / "sealed" / "mill"), load_key())
    (tmp_path / "sealed" / "mill" / "keys" / "other.json").write_text("{}")
    found = stage(tmp_path / "sealed" / "mill", tmp_path / "root")
    assert found.left_out == ("keys/other.json",)
    assert check(tmp_path / "root" / "mill") == []
