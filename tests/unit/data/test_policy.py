import datetime
import json
from dataclasses import replace

import pytest
from fakes.simulated import field_card, simulated
from fakes.telemetry import card, contribution, sealed

from forgia_hpc.data.access.grant import grant_digest, read_grant
from forgia_hpc.data.access.granting import grant_of, make_grant
from forgia_hpc.data.access.judging import Asked, judge
from forgia_hpc.data.access.policies import place_of, read_sealed
from forgia_hpc.data.access.terms import digest_of_document
from forgia_hpc.data.card import card_from
from forgia_hpc.data.fields.writer import seal_fields
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.validate import check
from forgia_hpc.data.writer import seal, seal_consortium
from forgia_hpc.digest import canonical_json
from forgia_hpc.errors import InputError, SealBrokenError
from forgia_hpc.schema.data import Data

NOON = datetime.datetime(2030, 6, 30, 12, tzinfo=datetime.UTC)
DATA = Data(dataset="valley")


def consortium(root, **policies):
    """A consortium of one contribution for each policy, each of a company of its own."""
    members = []
    for seed, (name, policy) in enumerate(policies.items()):
        facts = card(name, contributor=f"{name}_works", policy=policy)
        owned = replace(contribution(name, seed), contributor=f"{name}_works")
        seal(owned, facts, root / name)
        members.append(root / name)
    facts = card("valley", members=sorted(policies))
    seal_consortium("valley", members, facts, root / "valley")
    return load_manifest(root / "valley")


@pytest.fixture(scope="module")
def valley(tmp_path_factory):
    return consortium(
        tmp_path_factory.mktemp("data"),
        mill={"expires": "2030-06-30", "purposes": ["train"]},
        forge={"purposes": ["train", "evaluate"]},
    )


def fields(caught):
    return [problem.field for problem in caught.value.problems]


def test_a_grant_lists_versions_directories_and_shards(valley):
    grant = make_grant(valley, DATA, now=NOON, splits=[Split.train])
    assert json.loads(json.dumps(grant)) == grant
    assert grant["expires"] == "2030-07-01T00:00:00+00:00"
    assert (grant["identifier"], grant["version"]) == (valley.identifier, valley.version)
    assert grant["digest"] == grant_digest(grant)
    for entry, manifest in zip(grant["contributions"], valley.contributions(), strict=True):
        assert (entry["contribution"], entry["version"]) == (manifest.name, manifest.version)
        assert entry["directory"] == str(manifest.directory.resolve())
        train = manifest.shards[0]
        assert entry["shards"] == [
            {
                "path": train.path,
                "bytes": train.bytes,
                "sha256": train.sha256,
                "split": "train",
                "policy": train.policy,
            }
        ]
        assert grant["policies"][train.policy]["assigner"] == f"{manifest.name}_works"


def test_only_what_was_asked_for_is_granted(valley):
    data = Data(dataset="valley", contributions=["forge"])
    grant = make_grant(valley, data, now=NOON.replace(year=2040))
    assert [entry["contribution"] for entry in grant["contributions"]] == ["forge"]
    assert grant["expires"] == ""


def test_the_walltime_must_end_before_the_policy(valley):
    make_grant(valley, DATA, now=NOON, walltime_s=12 * 3600)
    with pytest.raises(InputError, match=r"2030-07-01 00:00 UTC.*policy of mill"):
        make_grant(valley, DATA, now=NOON, walltime_s=12 * 3600 + 1)


def test_every_refusal_is_named_at_once(valley):
    late = NOON.replace(year=2031)
    with pytest.raises(InputError) as caught:
        make_grant(valley, DATA, purpose="command", now=late)
    assert fields(caught) == ["purpose", "purpose", "resources.walltime"]
    with pytest.raises(InputError, match="quarry"):
        make_grant(valley, Data(dataset="valley", contributions=["quarry"]), now=NOON)


def test_a_grant_is_the_same_whenever_it_is_made(valley):
    """The job digest is taken over it."""
    assert make_grant(valley, DATA, now=NOON) == make_grant(
        valley, DATA, now=NOON - datetime.timedelta(days=1)
    )


def test_a_place_is_the_clusters_country_and_an_unknown_one_is_denied(tmp_path):
    manifest = consortium(tmp_path, mill={"places": ["IT"]})
    make_grant(manifest, DATA, place="IT")
    for place in ("US", None):
        with pytest.raises(InputError, match="only in IT") as caught:
            make_grant(manifest, DATA, place=place)
        assert fields(caught) == ["cluster"]


@pytest.mark.parametrize("policy", [{"purposes": ["evaluate"]}, {"release": "none"}])
def test_terms_in_a_consortiums_card_are_not_passed_over(tmp_path, policy):
    """Each contribution is judged by its own: these would bind nobody."""
    members, place = [sealed(tmp_path)], tmp_path / "valley"
    with pytest.raises(InputError, match="bind nobody"):
        seal_consortium("valley", members, card("valley", members=["mill"], policy=policy), place)


def test_a_training_does_not_pass_for_an_evaluation_by_declaring_it(tmp_path):
    manifest = load_manifest(sealed(tmp_path, policy={"purposes": ["evaluate"]}))
    with pytest.raises(InputError, match="only for evaluate"):
        make_grant(manifest, Data(dataset="mill"), purpose="train")
    with pytest.raises(InputError, match=r"data\.purpose.*KIND of a job"):
        make_grant(manifest, Data(dataset="mill", purpose="evaluate"), purpose="train")


def test_a_declared_purpose_is_asked_for_beside_the_kind(tmp_path):
    manifest = consortium(tmp_path, mill={"purposes": ["train", "maintenance"]})
    make_grant(manifest, replace(DATA, purpose="maintenance"))
    with pytest.raises(InputError, match="only for maintenance"):
        make_grant(manifest, DATA)
    with pytest.raises(InputError, match="only for train"):
        make_grant(manifest, replace(DATA, purpose="maintenance"), purpose="evaluate")


def test_federated_only_and_prohibited_data_are_refused(tmp_path):
    manifest = consortium(tmp_path, mill={"federated_only": True})
    with pytest.raises(InputError, match="federated training"):
        make_grant(manifest, DATA)
    forbidding = {
        "@type": "Offer", "@id": "urn:forbidding", "assigner": "forge_works",
        "permission": [{"action": "use"}], "prohibition": [{"action": "use"}],
    }  # fmt: skip
    manifest = consortium(tmp_path / "other", forge={"odrl": forbidding})
    with pytest.raises(InputError, match=r"forbidden: use.*urn:forbidding"):
        make_grant(manifest, DATA)


def test_who_wants_company_is_denied_without_it(tmp_path):
    """Sloth's refusal brings forge below the number that it wants, and that brings mill below its own."""
    manifest = consortium(
        tmp_path,
        mill={"min_contributors": 2},
        forge={"min_contributors": 3},
        sloth={"purposes": ["evaluate"]},
    )
    with pytest.raises(InputError) as caught:
        make_grant(manifest, DATA)
    told = {
        problem.where.split()[2].rstrip(":"): problem.limit for problem in caught.value.problems
    }
    assert told == {
        "sloth": "only for evaluate",
        "forge": "only in a mix of at least 3 contributors",
        "mill": "only in a mix of at least 2 contributors",
    }
    with pytest.raises(InputError):
        make_grant(manifest, replace(DATA, partial="allow"))  # nothing is left
    consorts = replace(DATA, contributions=["mill", "forge"], partial="allow")
    with pytest.raises(InputError):
        make_grant(manifest, consorts)


def test_two_contributions_of_one_company_are_one_contributor(tmp_path):
    for name in ("mill", "forge"):
        sealed(tmp_path, name, policy={"min_contributors": 2})
    facts = card("valley", members=["forge", "mill"])
    seal_consortium("valley", [tmp_path / "mill", tmp_path / "forge"], facts, tmp_path / "valley")
    with pytest.raises(InputError, match="it has 1"):
        make_grant(load_manifest(tmp_path / "valley"), DATA)


def test_a_partly_denied_mix_goes_on_only_where_that_was_asked(tmp_path):
    manifest = consortium(tmp_path, mill={"purposes": ["train"]}, forge={"purposes": ["evaluate"]})
    with pytest.raises(InputError, match="policy of forge"):
        make_grant(manifest, DATA)
    grant = make_grant(manifest, replace(DATA, partial="allow"))
    assert [one["contribution"] for one in grant["contributions"]] == ["mill"]
    assert {(one["contribution"], one["why"]) for one in grant["denied"]} == {
        ("forge", "only for evaluate (asked: train)")
    }
    with pytest.raises(InputError):
        Data(dataset="valley", partial="some")


def two_policies(root, **rules):
    """A contribution whose first machine's train data are open, and its held-out data for evaluation only."""
    content = contribution()
    named = tuple(
        replace(one, policy="judging" if one.split is not Split.train else "open")
        for one in content.segments
    )
    facts = card(policies={"open": {}, "judging": {"purposes": ["evaluate"]}, **rules})
    seal(replace(content, segments=named), facts, root / "mill")
    return load_manifest(root / "mill")


def test_a_shard_holds_one_policy_and_the_manifest_names_it(tmp_path):
    manifest = two_policies(tmp_path)
    assert check(manifest.directory) == []
    by_split = {entry.split: entry.policy for entry in manifest.shards}
    assert len(set(by_split.values())) == 2
    for digest in by_split.values():
        assert (manifest.directory / place_of(digest)).is_file()
    documents = {entry.path for entry in manifest.files if entry.path.startswith("policies/")}
    assert documents == {place_of(digest) for digest in by_split.values()}


def test_segments_of_one_split_are_parted_by_policy(tmp_path):
    content = contribution()
    names = iter(["a", "b", "a", "b"])
    content = replace(
        content, segments=tuple(replace(one, policy=next(names)) for one in content.segments)
    )
    seal(content, card(policies={"a": {}, "b": {"places": ["IT"]}}), tmp_path / "mill")
    manifest = load_manifest(tmp_path / "mill")
    train = [entry for entry in manifest.shards if entry.split is Split.train]
    assert len(train) == 2
    assert train[0].policy != train[1].policy
    with open_dataset(manifest.directory) as dataset:
        assert len(dataset.segments("mill")) == 4


def test_two_policies_of_one_contribution_are_judged_apart(tmp_path):
    manifest = two_policies(tmp_path)
    needs_train = Asked(needed=(Split.train,))
    grant = grant_of(manifest, Data(dataset="mill"), needs_train)
    assert {one["split"] for one in grant["contributions"][0]["shards"]} == {"train"}
    assert {one["path"] for one in grant["denied"]} == {
        entry.path for entry in manifest.shards if entry.split is not Split.train
    }
    with pytest.raises(InputError, match=r"2 of its 3 shards.*mill:judging"):
        make_grant(manifest, Data(dataset="mill"))
    with open_dataset(grant) as dataset:
        assert [one.split for one in dataset.segments("mill")] == [Split.train] * 2


def test_what_names_no_policy_or_another_is_not_sealed(tmp_path):
    facts = card(policies={"open": {}, "closed": {"release": "none"}})
    with pytest.raises(InputError, match=r"none named.*open, closed"):
        seal(contribution(), facts, tmp_path / "mill")
    with pytest.raises(InputError, match="either"):
        card_from(card(policy={}, policies={"open": {}}), where="here")
    rule = {"leftOperand": "FrameworkAgreement", "operator": "eq", "rightOperand": "1"}
    permission = [{"action": "use", "constraint": [rule]}]
    odrl = {"@type": "Offer", "assigner": "acme", "permission": permission}
    with pytest.raises(InputError, match=r"FrameworkAgreement.*would deny"):
        card_from(card(policy={"odrl": odrl}), where="here")


def test_a_card_that_only_says_release_has_no_document(tmp_path):
    manifest = load_manifest(sealed(tmp_path, policy={"release": "open"}))
    assert {entry.policy for entry in manifest.shards} == {""}
    assert not (manifest.directory / "policies").exists()
    assert "policy" not in manifest.content["shards"][0]
    grant = make_grant(manifest, Data(dataset="mill"))
    (document,) = grant["policies"].values()
    release = document["permission"][1]["constraint"][0]
    assert release["rightOperand"] == ["consortium", "open"]


def test_an_altered_or_missing_policy_document_is_refused(tmp_path):
    manifest = load_manifest(sealed(tmp_path, policy={"places": ["IT"]}))
    path = manifest.directory / place_of(manifest.shards[0].policy)
    path.write_text(path.read_text().replace("IT", "US"))
    assert any("altered" in line for line in check(manifest.directory))
    with pytest.raises(SealBrokenError, match=r"policies/.*altered"):
        make_grant(manifest, Data(dataset="mill"), place="US")
    path.unlink()
    with pytest.raises(SealBrokenError, match="missing"):
        judge(manifest, Data(dataset="mill"), Asked())


def test_a_manifest_whose_shards_name_another_policy_is_no_sound_dataset(tmp_path):
    manifest = load_manifest(sealed(tmp_path, policy={"places": ["IT"]}))
    content = json.loads(json.dumps(manifest.content))
    content["shards"][0]["policy"] = "0" * 64
    (manifest.directory / "manifest.json").write_bytes(canonical_json(content))
    assert any("policies/000000000000.json" in line for line in check(manifest.directory))


def regranted(grant):
    """A grant that somebody changed and gave its right digest."""
    return {**grant, "digest": grant_digest(grant)}


def test_an_altered_grant_is_refused(valley):
    grant = make_grant(valley, DATA)
    read_grant(grant)
    with pytest.raises(SealBrokenError, match="altered"):
        read_grant({**grant, "expires": ""})
    with pytest.raises(InputError, match=r"forgia\.grant/2.*submit the job again"):
        read_grant(regranted({**grant, "format": "forgia.grant/1"}))


def test_a_grant_under_another_policy_than_the_sealed_one_is_refused(valley):
    grant = make_grant(valley, DATA)
    mine, other = (one["shards"][0] for one in grant["contributions"])
    mine["policy"] = other["policy"]
    with pytest.raises(SealBrokenError, match="granted under policy"):
        read_grant(regranted(grant))


LATER = datetime.datetime(2040, 1, 1, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"expires": ""}, "may be read until 2030-07-01"),
        ({"expires": "2050-01-01T00:00:00+00:00"}, "may be read until 2030-07-01"),
        ({"expires": "2050-01-01"}, "altered"),  # of no zone
        ({"expires": "never"}, "altered"),
        ({"claim": {"purposes": [], "place": None, "contributors": 9}}, "only for train"),
        ({"contributions": None}, "altered"),
        ({"contributions": [{}]}, "altered"),
        ({"policies": {}}, "granted under policy"),
        ({"policies": None}, "altered"),
    ],
)
def test_a_grant_with_a_new_digest_is_judged_again(valley, change, said):
    """Who changes a grant can compute its digest, but not what the policies say."""
    grant = make_grant(valley, DATA, now=NOON)
    with pytest.raises(SealBrokenError, match=said):
        read_grant(regranted({**grant, "expires": "", **change}), now=LATER)


def test_a_policy_in_a_grant_is_the_one_of_its_digest(valley):
    grant = make_grant(valley, DATA, now=NOON)
    milder = {**next(iter(grant["policies"].values())), "permission": [{"action": "use"}]}
    policies = dict.fromkeys(grant["policies"], milder)
    with pytest.raises(SealBrokenError, match=r"policy [0-9a-f]{12} of the grant was altered"):
        read_grant(regranted({**grant, "policies": policies, "expires": ""}), now=LATER)


def test_a_shard_that_was_denied_is_not_opened_by_listing_it(tmp_path):
    grant = grant_of(two_policies(tmp_path), Data(dataset="mill"), Asked(needed=(Split.train,)))
    listed = [
        {key: value for key, value in one.items() if key not in ("contribution", "why")}
        for one in grant["denied"]
    ]
    assert listed
    grant["contributions"][0]["shards"] += listed
    with pytest.raises(SealBrokenError, match="only for evaluate"):
        open_dataset(regranted({**grant, "denied": []}))


def test_a_document_in_which_a_key_stands_twice_permits_nothing():
    twice = b'{"@type":"Offer","assigner":"acme","permission":[{"action":"use"}],'
    twice += b'"prohibition":[{"action":"use"}],"prohibition":[]}'
    assert read_sealed("0" * 64, twice).words.unknown
    assert read_sealed("0" * 64, b"[" * 100_000).words.unknown


def test_a_grant_that_has_ended_is_refused_whenever_it_is_opened(valley):
    grant = make_grant(valley, DATA, now=NOON)
    read_grant(grant, now=NOON)
    with pytest.raises(InputError, match=r"grant\.expires"):
        read_grant(grant, now=NOON + datetime.timedelta(hours=12))


def test_fields_are_under_a_sealed_document_too_and_under_one(tmp_path):
    """The card's words alone bound no wrap, and a grant with a milder policy would have passed."""
    seal_fields(simulated(), field_card(policy={"purposes": ["train"]}), tmp_path / "quench")
    manifest = load_manifest(tmp_path / "quench")
    (digest,) = {one.policy for one in manifest.shards}
    assert (tmp_path / "quench" / place_of(digest)).is_file()
    grant = json.loads(json.dumps(make_grant(manifest, Data(dataset="quench"))))
    milder = {**grant["policies"][digest], "prohibition": []}
    grant["policies"] = {digest_of_document(milder): milder}
    for one in grant["contributions"][0]["shards"]:
        one["policy"] = digest_of_document(milder)
    grant["digest"] = grant_digest(grant)
    with pytest.raises(SealBrokenError, match="granted under policy"):
        read_grant(grant)
    two = {"a": {"purposes": ["train"]}, "b": {"release": "open"}}
    with pytest.raises(InputError, match="under the same terms"):
        seal_fields(simulated(), field_card(policies=two), tmp_path / "other")
