"""What there is, what has changed, and a version to cite."""

from __future__ import annotations

import datetime
import time
from dataclasses import replace

import pytest
from fakes.simulated import sealed_fields
from fakes.telemetry import CHANNELS, card, contribution, sealed

from forgia_hpc.data.access.withdraw import withdraw
from forgia_hpc.data.access.withdraw_plan import plan_withdrawal
from forgia_hpc.data.card import load_card
from forgia_hpc.data.catalogue.difference import compare, raised
from forgia_hpc.data.catalogue.freeze import freeze
from forgia_hpc.data.catalogue.listing import list_datasets
from forgia_hpc.data.catalogue.part import parts_of
from forgia_hpc.data.crypto.encrypting import encrypt
from forgia_hpc.data.crypto.key_file import load_key, make_key
from forgia_hpc.data.crypto.signatures import sign
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.repack import to_cold
from forgia_hpc.data.validate import check
from forgia_hpc.data.writer import seal, seal_consortium
from forgia_hpc.errors import InputError, SealBrokenError
from forgia_hpc.report.catalogue import ending

NAMES = ("forge", "mill")


@pytest.fixture
def anna(tmp_path, monkeypatch):
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "anna.json"))
    return make_key(tmp_path / "anna.json", "anna")


def valley(root, names=NAMES, **more):
    members = [
        sealed(root, name, seed) for seed, name in enumerate(names) if not (root / name).exists()
    ]
    members = [root / name for name in names]
    seal_consortium(
        "valley",
        members,
        card("valley", members=list(names), **more),
        root / "valley",
        overwrite=True,
    )
    return root / "valley"


def again(root, given, **more):
    """Seal a contribution anew, in its place."""
    seal(given, card(given.name, **more), root / given.name, overwrite=True)


def test_a_line_says_what_manifest_and_card_do(tmp_path, anna):
    valley(tmp_path)
    sealed_fields(tmp_path)
    again(tmp_path, contribution("mill", 1), policy={"expires": "2030-01-31"})
    sign(load_manifest(tmp_path / "mill"), load_key())
    encrypt(tmp_path / "forge", [anna], tmp_path / "closed")
    (tmp_path / "closed/forge").rename(tmp_path / "sealed")
    to_cold(tmp_path / "forge", tmp_path / "packed", "gzip", lambda *_: None)
    found = {one.directory or one.name: one for one in list_datasets(tmp_path, ["mill", "saw"])}
    mill, forge = found["mill"], load_manifest(tmp_path / "forge")
    assert mill.identifier == load_manifest(tmp_path / "mill").identifier
    assert (mill.contributors, [one.state for one in mill.signatures], mill.layouts) == (
        ("acme",),
        ["right"],
        ("forgia.telemetry/1",),
    )
    assert mill.steps["train"] == 460
    now = datetime.datetime(2030, 1, 30, tzinfo=datetime.UTC)
    assert mill.days_left(now) == 2
    assert (ending(2), ending(0), ending(-1), ending(None)) == ("in 2 days", "today", "ended", "–")
    assert found["quench"].layouts == ("forgia.fields/1",)
    assert found["packed"].profiles == ("cold",)
    assert found["sealed"].encrypted
    assert not found["saw"].made
    # the consortium was sealed with another mill
    assert "not" in found["valley"].fault
    assert found["valley"].values == mill.values + sum(one.values for one in forge.shards)
    assert found["valley"].expires == mill.expires


def test_what_is_broken_is_told_and_hides_nothing_else(tmp_path):
    sealed(tmp_path)
    (tmp_path / "half").mkdir()
    (tmp_path / "half/manifest.json").write_text('{"format"')
    half, mill = list_datasets(tmp_path)
    assert (half.name, half.version) == ("half", "")
    assert "broken JSON" in half.fault
    assert mill.version


def test_a_thousand_are_listed_within_a_second_or_two(tmp_path):
    """The figure, 0.8 s, is of a quiet machine; here only that nothing is read which grows with the data."""
    sealed(tmp_path)
    for number in range(200):
        (tmp_path / f"mill-{number}").symlink_to(tmp_path / "mill")
    for shard in (tmp_path / "mill/shards").iterdir():
        shard.unlink()  # a list opens none
    begin = time.process_time()
    assert len(list_datasets(tmp_path)) == 201
    assert time.process_time() - begin < 2


def test_the_same_is_the_same(tmp_path):
    parts = parts_of(valley(tmp_path))
    changes = compare(parts, parts)
    assert [one.word for one in changes] == ["same", "same"]
    assert raised(changes) == "none"


def test_a_unit_and_a_channel_that_went_are_named_and_raise_the_major_part(tmp_path):
    before = parts_of(sealed(tmp_path))
    given = contribution()
    kelvin = (replace(CHANNELS[0], ucum="K"), *CHANNELS[1:-1])
    segments = tuple(
        replace(one, channels=kelvin, values=one.values[:-1]) for one in given.segments
    )
    again(tmp_path, replace(given, segments=segments))
    (change,) = compare(before, parts_of(tmp_path / "mill"))
    assert change.channels_removed == ("process/fault",)
    assert change.channels_altered == ("process/temperature: ucum Cel → K",)
    assert change.shards_altered
    assert not change.same_content
    assert change.values[1] < change.values[0]
    assert change.raises == "major"


def test_new_shards_beside_the_old_raise_the_minor_part(tmp_path):
    given = contribution()
    known = tuple(one for one in given.segments if one.split is not Split.held_out_machines)
    seal(replace(given, segments=known, marks=given.marks[:1]), card(), tmp_path / "mill")
    before = parts_of(tmp_path / "mill")
    again(tmp_path, replace(given, marks=given.marks[:2]))
    (change,) = compare(before, parts_of(tmp_path / "mill"))
    assert change.shards_added == ("shards/held_out_machines-000.h5",)
    assert (change.shards_removed, change.shards_altered) == ((), ())
    assert change.raises == "minor"


def test_terms_are_compared_in_words_and_raise_the_patch_part(tmp_path):
    before = parts_of(sealed(tmp_path, policy={"expires": "2027-12-31", "release": "open"}))
    again(
        tmp_path,
        contribution(),
        policy={"expires": "2026-06-30", "places": ["IT"]},
        licence="CC0-1.0",
    )
    (change,) = compare(before, parts_of(tmp_path / "mill"))
    assert change.terms == (
        "Until: 2027-12-31, that day included → 2026-06-30, that day included",
        "Models go to: open → consortium",
        "Only in: not said → IT",
    )
    assert change.facts == ("licence: MIT → CC0-1.0",)
    assert change.same_content
    assert change.raises == "patch"


def test_packed_and_encrypted_hold_the_same(tmp_path, anna, monkeypatch):
    plain = sealed(tmp_path)
    to_cold(plain, tmp_path / "packed", "gzip", lambda *_: None)
    encrypt(plain, [anna], tmp_path / "sealed")
    for other in ("packed", "sealed/mill"):
        (change,) = compare(parts_of(plain), parts_of(tmp_path / other))
        assert change.same_content
        assert change.raises == "patch"
        assert len(change.shards_stored) == len(load_manifest(plain).shards)
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "bert.json"))
    make_key(tmp_path / "bert.json", "bert")
    (change,) = compare(parts_of(plain), parts_of(tmp_path / "sealed/mill"))
    assert change.channels_unknown
    assert change.raises == "patch"


def test_a_frozen_version_is_cited_numbered_by_what_changed_and_never_changes(tmp_path):
    place = valley(tmp_path)
    first = freeze(place, "q1", tmp_path)
    assert (first.semver, first.parent) == ("1.0.0", "")
    frozen = load_manifest(tmp_path / "q1")
    assert frozen.version == first.version
    assert check(tmp_path / "q1") == []
    with open_dataset(tmp_path / "q1") as dataset:
        assert len(dataset.sources) == 2
    with pytest.raises(InputError, match="never changes"):
        freeze(place, "q1", tmp_path)
    with pytest.raises(InputError, match="nothing has changed since q1"):
        freeze(place, "q2", tmp_path)
    valley(tmp_path, (*NAMES, "saw"))
    second = freeze(place, "q2", tmp_path)
    assert (second.semver, second.raises, second.parent) == ("1.1.0", "minor", frozen.identifier)
    assert load_manifest(tmp_path / "q2").content["parent"] == frozen.version
    again(tmp_path, contribution("mill", 9))
    valley(tmp_path, (*NAMES, "saw"))
    with pytest.raises(InputError, match=r"at least 2\.0\.0"):
        freeze(place, "q3", tmp_path, semver="1.1.1")
    assert freeze(place, "q3", tmp_path, dry_run=True).semver == "2.0.0"
    assert not (tmp_path / "q3").exists()
    # what was frozen is compared as it was, and is not read as if it were still that
    assert [one.word for one in compare(parts_of(tmp_path / "q1"), parts_of(place))] == [
        "same",
        "changed",
        "added",
    ]
    with pytest.raises(SealBrokenError, match="mill"):
        open_dataset(tmp_path / "q1")


def test_a_withdrawal_leaves_a_frozen_version_and_it_is_refused_from_then_on(tmp_path, anna):
    place = valley(tmp_path)
    version = freeze(place, "q1", tmp_path).version
    withdraw(plan_withdrawal(tmp_path / "mill"), load_key(), reason="left")
    assert load_manifest(tmp_path / "q1").version == version
    with pytest.raises(SealBrokenError, match="mill"):
        open_dataset(tmp_path / "q1")
    (change, gone) = compare(parts_of(tmp_path / "q1"), parts_of(place))
    assert (change.word, gone.word) == ("same", "removed")


def test_an_altered_part_of_a_frozen_version_is_refused(tmp_path):
    freeze(valley(tmp_path), "q1", tmp_path)
    path = tmp_path / "q1/members/mill.json"
    path.write_text(path.read_text().replace("Cel", "K"))
    with pytest.raises(SealBrokenError, match=r"mill\.json"):
        parts_of(tmp_path / "q1")


@pytest.mark.parametrize("tag", ["../x", "a b", ""])
def test_a_name_is_no_path(tmp_path, tag):
    with pytest.raises(InputError, match="letters, digits"):
        freeze(sealed(tmp_path), tag, tmp_path)


def test_a_contribution_alone_is_frozen_as_it_is(tmp_path):
    place = sealed(tmp_path)
    assert freeze(place, "mill-1", tmp_path).semver == "1.0.0"
    assert load_card(tmp_path / "mill-1").members == ("mill",)
    assert check(tmp_path / "mill-1") == []
