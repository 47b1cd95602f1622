"""Ingest, seal, read back: decoded values equal the text; the same recipe is sealed once."""

import numpy as np
import pytest
from fakes.lookalikes import SETS, lookalike, sealed_recipe

from forgia_hpc.data.card import load_card, shipped_cards
from forgia_hpc.data.ingest.generate import generate
from forgia_hpc.data.ingest.machines import MACHINES
from forgia_hpc.data.ingest.recipe import GeneratorSpec
from forgia_hpc.data.ingest.report import joined
from forgia_hpc.data.ingest.run import ingest
from forgia_hpc.data.ingest.sealing import ingest_and_seal, seal_contribution
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.presence import verify_files
from forgia_hpc.errors import InputError


@pytest.mark.parametrize("name", SETS)
def test_look_alike_is_sealed_whole_and_the_same_again(name, tmp_path):
    recipe = sealed_recipe(lookalike(name, tmp_path / "raw"), tmp_path / "raw")
    card = load_card(shipped_cards()[name])
    version, report = seal_contribution(card, recipe, tmp_path / "raw", tmp_path / "one")
    again, _ = seal_contribution(card, recipe, tmp_path / "raw", tmp_path / "two")
    manifest = load_manifest(tmp_path / "one" / name)
    assert version == again == manifest.version
    assert verify_files(manifest, manifest.directory) == []
    assert manifest.provenance["report"]["values_out"] == report.values_out
    assert set(manifest.provenance["files"]) == {file.path for file in recipe.files}


def test_what_the_same_recipe_sealed_is_kept_and_another_is_refused(tmp_path):
    raw, card = tmp_path / "raw", load_card(shipped_cards()["machine_temperature"])
    content = lookalike("machine_temperature", raw)
    recipe = sealed_recipe(content, raw)
    version, report = seal_contribution(card, recipe, raw, tmp_path)
    before = (tmp_path / recipe.name / "manifest.json").stat().st_mtime_ns
    kept, told = seal_contribution(card, recipe, None, tmp_path)  # raw files are not needed
    assert (kept, told.as_dict()) == (version, report.as_dict())
    assert (tmp_path / recipe.name / "manifest.json").stat().st_mtime_ns == before
    content["split"]["time_share"] = 0.5
    other = sealed_recipe(content, raw)
    object.__setattr__(other, "sha256", "1" * 64)
    with pytest.raises(InputError, match="was made by another recipe"):
        seal_contribution(card, other, raw, tmp_path)
    changed, _ = seal_contribution(card, other, raw, tmp_path, overwrite=True)
    assert changed != version


def test_the_demo_is_made_without_raw_files_as_a_consortium(tmp_path):
    version, report = ingest_and_seal("demo", None, tmp_path)
    manifest = load_manifest(tmp_path / "demo")
    names = [one.name for one in manifest.contributions()]
    assert manifest.version == version
    assert names == ["demo_compressor", "demo_furnace", "demo_press"]
    assert 1_000_000 < report.values_out < 2_000_000
    assert report.rows_in == report.rows_out + report.rows_left_out
    assert {"text_to_gap", "jitter", "missing_steps", "repeated_times"} == set(report.totals())
    for one in manifest.contributions():
        assert one.content["marks"]["outside"] == 0
        assert set(one.provenance["marks"]) == {"drift", "stuck", "spikes"}
    assert ingest_and_seal("demo", None, tmp_path)[0] == version


@pytest.mark.parametrize("machine", MACHINES)
def test_the_generator_is_deterministic_by_seed(machine, tmp_path):
    folders = [tmp_path / name for name in "abc"]
    for folder, seed in zip(folders, (7, 7, 8), strict=True):
        folder.mkdir()
        generate(GeneratorSpec(machine=machine, seed=seed, machines=3, steps=3000), folder)
    texts = [{p.name: p.read_bytes() for p in folder.iterdir()} for folder in folders]
    assert texts[0] == texts[1]
    assert texts[0].keys() == texts[2].keys()
    assert texts[0] != texts[2]


@pytest.mark.parametrize("machine", MACHINES)
def test_a_machine_repeats_its_cycles_and_no_two_are_alike(machine):
    one, other = (MACHINES[machine](np.random.default_rng(seed), 4000)[0] for seed in (3, 4))
    shifted = {p: np.abs(one[p:] - one[:-p]).mean() for p in (16, 24, 32, 48, 64, 96)}
    assert min(shifted.values()) < 0.35 * one.std()
    assert np.abs(one - other).mean() > 0.3 * one.std()


def test_reports_add_up(tmp_path):
    raw = tmp_path / "raw"
    reports = [
        ingest(sealed_recipe(lookalike(name, raw), raw), raw)[1]
        for name in ("refinery", "turbofan")
    ]
    total = joined("both", reports)
    assert total.rows_in == sum(report.rows_in for report in reports)
    assert total.splits["train"].steps == sum(r.splits["train"].steps for r in reports)
    assert total.totals() == {**reports[0].totals(), **reports[1].totals()}
