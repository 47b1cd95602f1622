import datetime

import pytest
import yaml
from fakes.telemetry import card

from forgia_hpc.data.card import Card, card_from, dump_card, load_card, shipped_cards
from forgia_hpc.errors import InputError


def test_a_card_survives_its_yaml():
    policy = {
        "purposes": ["train"],
        "expires": datetime.date(2030, 12, 31),
        "release": "none",
    }
    content = card(tags=["a"], season_steps={"process": 288}, policy=policy)
    loaded = card_from(content, where="here")
    assert card_from(yaml.safe_load(dump_card(loaded)), where="there") == loaded
    assert loaded.policy.ends == datetime.datetime(2031, 1, 1, tzinfo=datetime.UTC)


def test_every_problem_is_named_at_once():
    content = card(
        nmae="mill",
        season_steps={"process": 0},
        tags="a, b",
        members=["one", "one"],
        policy={"release": "all", "purpose": "train", "expires": "soon"},
    )
    del content["licence"]
    with pytest.raises(InputError) as caught:
        card_from(content, where="card.yaml")
    assert {problem.field for problem in caught.value.problems} == {
        "card.nmae",
        "card.licence",
        "card.season_steps",
        "card.tags",
        "card.members",
        "card.policy.release",
        "card.policy.purpose",
        "card.policy.expires",
    }


@pytest.mark.parametrize(
    "text", ["", "- a list", "name: [", "name: \x00", "policy: {release: none, release: open}"]
)
def test_what_is_no_card_is_refused(tmp_path, text):
    (tmp_path / "card.yaml").write_text(text)
    with pytest.raises(InputError):
        load_card(tmp_path)


def test_a_missing_card_is_named(tmp_path):
    with pytest.raises(InputError, match=r"card\.yaml"):
        load_card(tmp_path)


def test_every_shipped_card_loads_and_has_its_folders_name():
    paths = shipped_cards()
    assert paths
    for name, path in paths.items():
        loaded = load_card(path)
        assert isinstance(loaded, Card)
        assert loaded.name == name
        assert set(loaded.members) <= set(paths)
