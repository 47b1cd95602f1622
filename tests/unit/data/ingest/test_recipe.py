"""Recipes: the shipped ones load and agree with their cards; a wrong one is told everything at once."""

import copy

import pytest
import yaml

from forgia_hpc.data.card import load_card, shipped_cards
from forgia_hpc.data.ingest.load import (
    load_recipe,
    load_source,
    prepare_inputs,
    recipe_from,
    recipe_from_text,
)
from forgia_hpc.errors import InputError

RECIPES = sorted(
    name for name, path in shipped_cards().items() if (path.parent / "recipe.yaml").is_file()
)
CONTENT = {
    "format": "forgia.recipe/1",
    "name": "oven",
    "contributor": "baker",
    "licence": "CC0-1.0",
    "source": "our own",
    "files": [{"path": "a.csv", "sha256": "0" * 64}],
    "tables": [
        {
            "group": "oven",
            "files": [{"path": "a.csv", "asset": "oven"}],
            "parser": "csv",
            "clock": {"column": "time", "format": "%Y-%m-%d %H:%M", "step_s": 60},
            "columns": [
                {
                    "column": "heat",
                    "ucum": "Cel",
                    "quantity": "temperature",
                    "semantic_id": "https://w3id.org/forgia/channel/oven/heat",
                    "min": 0,
                    "max": 300,
                }
            ],
        }
    ],
    "split": {"time_share": 0.2},
    "season_steps": {"oven": 1},
}


def changed(**changes):
    """Return CONTENT with values changed by dotted path; numbers index lists."""
    content = copy.deepcopy(CONTENT)
    for path, value in changes.items():
        *parents, last = path.split("__")
        here = content
        for parent in parents:
            here = here[int(parent) if parent.isdigit() else parent]
        here[last] = value
    return content


def refused(content):
    with pytest.raises(InputError) as error:
        recipe_from(content, "here")
    return {problem.field for problem in error.value.problems}


@pytest.mark.parametrize("name", RECIPES)
def test_shipped_recipe_agrees_with_its_card_and_readme(name):
    recipe, card = load_recipe(name), load_card(shipped_cards()[name])
    assert (recipe.name, recipe.contributor, recipe.licence) == (
        card.name,
        card.contributor,
        card.licence,
    )
    assert recipe.season_steps == card.season_steps
    assert (shipped_cards()[name].parent / "README.md").read_text().startswith(f"# {name}\n")


@pytest.mark.parametrize("name", ["demo", "consortium"])
def test_consortium_has_members_with_recipes(name):
    card, recipe = load_source(name)
    assert recipe is None
    assert set(card.members) <= set(RECIPES)


def test_every_contribution_is_in_a_consortium():
    members = {one for name in ("demo", "consortium") for one in load_source(name)[0].members}
    assert members == set(RECIPES)


def test_a_name_a_directory_and_a_file_load_the_same():
    path = shipped_cards()["refinery"].parent
    assert load_recipe("refinery") == load_recipe(path) == load_recipe(path / "recipe.yaml")


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(InputError, match="one of consortium, demo"):
        load_recipe("raffinery")


def test_the_example_is_right():
    assert recipe_from(CONTENT, "here").tables[0].channels()[0].valid_max == 300


def test_unknown_missing_and_wrong_keys_come_together():
    content = changed(colour="red", split="half", tables__0__clock={"colum": "time"})
    del content["name"]
    assert refused(content) == {"colour", "name", "split", "tables[0].clock.colum"}


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("tables__0__columns__0__ucum", "degC", "tables[0].columns.heat.ucum"),
        ("tables__0__columns__0__ucum", "bar", "tables[0].columns.heat.ucum"),
        ("tables__0__columns__0__quantity", "heat", "tables[0].columns.heat.quantity"),
        ("tables__0__columns__0__max", None, "tables[0].columns.heat"),
        ("tables__0__columns__0__max", -1, "tables[0].columns.heat.min"),
        ("tables__0__columns__0__semantic_id", "heat", "tables[0].columns.heat.semantic_id"),
        ("tables__0__columns__0__role", "input", "tables[0].columns[0].role"),
        ("tables__0__columns__0__decimals", True, "tables[0].columns[0].decimals"),
        ("tables__0__clock__step_s", 0, "tables[0].clock.step_s"),
        ("tables__0__clock__step_s", 1e-10, "tables[0].clock.step_s"),
        ("tables__0__clock__utc_offset", "CET", "tables[0].clock.utc_offset"),
        ("tables__0__clock__seconds_of_day", "heat", "tables[0].columns"),
        ("tables__0__files__0__asset", "", "tables[0].files.a.csv.asset"),
        ("tables__0__files__0__transposed", True, "tables[0].files.a.csv.transposed"),
        ("tables__0__files__0__path", "b.csv", "files"),
        ("files__0__sha256", "", "files.a.csv.sha256"),
        ("split__time_share", 1.0, "split.time_share"),
        ("season_steps", {"other": 1}, "season_steps.oven"),
        ("season_steps", {"oven": 0}, "season_steps.oven"),
        ("labels", [{"kind": "windows", "file": "a.csv"}], "labels[0].key"),
    ],
)
def test_each_of_these_is_refused(path, value, field):
    assert field in refused(changed(**{path: value}))


def test_without_stamps_a_gap_begins_no_segment():
    clock = {"column": "count"}
    mends = {"missing_steps": {"fill": 1, "longest": 5}}
    content = changed(tables__0__clock=clock, tables__0__mends=mends)
    assert "tables[0].clock" in refused(content)


def test_the_digest_is_of_the_text():
    text = yaml.safe_dump(CONTENT)
    assert (
        recipe_from_text(text, where="").sha256 != recipe_from_text("# \n" + text, where="").sha256
    )


def test_broken_yaml_is_the_users():
    with pytest.raises(InputError, match="a readable YAML file"):
        recipe_from_text("a: [", where="here")


def test_prepare_inputs_resolve_a_consortium_and_name_every_unknown(tmp_path):
    inputs = prepare_inputs(["demo"], tmp_path)
    assert sorted(inputs["contributions"]) == ["demo_compressor", "demo_furnace", "demo_press"]
    assert list(inputs["consortia"]) == ["demo"]
    with pytest.raises(InputError) as error:
        prepare_inputs(["demo", "moon", "mars"], tmp_path)
    assert [problem.got for problem in error.value.problems] == ["moon", "mars"]
