"""A recipe gives its data the policies of the card: by table, and by groups, machines and splits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.lookalikes import lookalike, sealed_recipe

from forgia_hpc.data.access.policies import sealed_policies
from forgia_hpc.data.card import card_from, load_card, shipped_cards
from forgia_hpc.data.ingest.recipe import Recipe
from forgia_hpc.data.ingest.sealing import seal_contribution
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.errors import InputError

NAME = "turbofan"


def made(tmp_path, table_policy="", rules=()) -> Recipe:
    raw = tmp_path / "raw"
    content = lookalike(NAME, raw)
    for table in content["tables"]:
        table["policy"] = table_policy
    content["policies"] = list(rules)
    return sealed_recipe(content, raw)


def facts(**policies):
    words = load_card(shipped_cards()[NAME]).as_dict()
    words.pop("policy")
    return card_from({**words, "policies": policies}, where="here")


def by_split(tmp_path, recipe, card):
    seal_contribution(card, recipe, tmp_path / "raw", tmp_path / "data")
    manifest = load_manifest(tmp_path / "data" / NAME)
    sealed = sealed_policies(manifest, card)
    found = {}
    for entry in manifest.shards:
        name = sealed[entry.policy].words.uid.rpartition(":")[2]
        found.setdefault(entry.split.value, set()).add(name)
    return found


def test_a_tables_policy_and_a_rule_for_a_split(tmp_path):
    rules = [{"policy": "judging", "splits": ["held_out_machines", "held_out_time"]}]
    found = by_split(
        tmp_path,
        made(tmp_path, "shared", rules),
        facts(shared={}, judging={"purposes": ["evaluate"]}),
    )
    assert found.pop("train") == {"shared"}
    assert set.union(*found.values()) == {"judging"}


def test_of_several_rules_that_fit_the_last_holds_and_machines_are_patterns(tmp_path):
    rules = [{"policy": "b", "splits": ["train"]}, {"policy": "c", "machines": ["*1"]}]
    found = by_split(tmp_path, made(tmp_path, "a", rules), facts(a={}, b={}, c={"places": ["IT"]}))
    assert found["train"] == {"b", "c"}


@pytest.mark.parametrize(
    ("table", "rules", "named", "told"),
    [
        ("a", [{"policy": "a", "machines": ["nobody-*"]}], ["a"], "nothing fits"),
        ("b", [], ["a"], "the card has a"),
        ("", [], ["a", "b"], "none named"),
    ],
)
def test_a_rule_that_fits_nothing_or_names_no_policy_is_refused(
    tmp_path, table, rules, named, told
):
    with pytest.raises(InputError, match=told):
        by_split(tmp_path, made(tmp_path, table, rules), facts(**{name: {} for name in named}))


def test_a_card_with_other_terms_does_not_keep_what_is_sealed(tmp_path):
    recipe, raw = made(tmp_path), tmp_path / "raw"
    card = load_card(shipped_cards()[NAME])
    seal_contribution(card, recipe, raw, tmp_path)
    seal_contribution(card, recipe, raw, tmp_path)
    narrower = replace(card, policy=replace(card.policy, release="none"))
    with pytest.raises(InputError, match="another card"):
        seal_contribution(narrower, recipe, raw, tmp_path)
    seal_contribution(narrower, recipe, raw, tmp_path, overwrite=True)
    assert load_card(tmp_path / NAME).policy.release == "none"
