"""The ledger of use, and what it says of giving a model away."""

from __future__ import annotations

import datetime
import json

import numpy as np
import pytest
from fakes.telemetry import card, contribution, sealed

from forgia_hpc.data.access.granting import make_grant
from forgia_hpc.data.access.leaving import judge_release
from forgia_hpc.data.access.model_card import card_text, model_card
from forgia_hpc.data.access.usage import (
    FILE,
    Use,
    read_sealed_usage,
    read_usage,
    seen,
    sign_use,
    signer_of_use,
    use_before,
)
from forgia_hpc.data.crypto.key_file import load_key, make_key
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.sampler import Sampler
from forgia_hpc.data.writer import seal, seal_consortium
from forgia_hpc.digest import sha256_text
from forgia_hpc.errors import InputError, SealBrokenError
from forgia_hpc.schema.data import Data

DATA = Data(dataset="valley", context=32, min_context=16, horizon=8, channels=3)
TOKENS = 40 / 16


class Ranks:
    """The border between ranks: those whose sums are added to ours."""

    def __init__(self, *others):
        self.others = others

    def sum(self, values):
        return np.asarray(values, np.float64) + sum(self.others)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    members = [
        sealed(root, "mill", 0, policy={"release": "open"}, citation="Acme: The mill. 2026"),
        sealed(root, "forge", 1, policy={"release": "consortium", "duties": ["attribute"]}),
    ]
    # small shards: every segment has one of its own
    seal(contribution("saw", 2), card("saw", policy={}), root / "saw", shard_bytes=1)
    members.append(root / "saw")
    facts = card("valley", members=["forge", "mill", "saw"])
    seal_consortium("valley", members, facts, root / "valley")
    grant = make_grant(load_manifest(root / "valley"), DATA)
    with open_dataset(grant) as dataset:
        yield dataset, dataset.windows(Split.train, DATA), grant


def paths(dataset, name):
    return [entry.path for entry in dataset.source(name).manifest.shards]


def ledger(opened):
    dataset, index, grant = opened
    return Use(index, [paths(dataset, name) for name in index.names], TOKENS, grant)


def own(use):
    """What a rank brings to the sum."""
    brought = []

    class One(Ranks):
        def sum(self, values):
            brought.append(np.asarray(values, np.float64))
            return super().sum(values)

    use.document(0, One())
    return brought[0]


def test_what_is_noted_is_what_the_reader_gave(opened):
    dataset, index, _ = opened
    use, sampler = ledger(opened), Sampler(index, seed=3, global_batch=16, data=DATA)
    series, windows = {}, {}
    for step in range(40):
        pairs = sampler.batch(step)
        use.note(pairs)
        batch = index.gather(pairs)
        for number, segment, group in zip(
            batch.contribution.tolist(), batch.segment.tolist(), batch.group.tolist(), strict=True
        ):
            source = dataset.source(index.names[number])
            shard = int(source.index.segments["shard"][segment])
            key = (index.names[number], source.index.shards["path"][shard].decode())
            series[key] = series.get(key, 0) + 1
            windows.setdefault(key, set()).add((step, group))
    told = {(one.contribution, one.shard): one for one in seen(use.document(40, Ranks()))}
    assert {key: one.series for key, one in told.items()} == series
    assert {key: one.windows for key, one in told.items()} == {
        key: len(each) for key, each in windows.items()
    }
    assert all(one.tokens == one.series * 2.5 for one in told.values())
    assert sum(one.windows for one in told.values()) == 640
    assert len({one.shard for one in told.values() if one.contribution == "saw"}) == 2


@pytest.mark.parametrize("sizes", [(1,), (2,), (4, 2), (1, 4, 2)])
def test_sums_over_ranks_and_resumes_are_those_of_an_undisturbed_run(opened, sizes):
    """Every twelve steps the run is resumed by another number of ranks, from the checkpoint's file."""
    _, index, _ = opened
    sampler = Sampler(index, seed=3, global_batch=16, data=DATA)
    alone = ledger(opened)
    for step in range(12 * len(sizes)):
        alone.note(sampler.batch(step))
    written = None
    for attempt, size in enumerate(sizes):
        uses = [ledger(opened) for _ in range(size)]
        for rank, use in enumerate(uses):
            if written is not None:
                use.go_on(json.loads(written))
            for step in range(12 * attempt, 12 * (attempt + 1)):
                use.note(sampler.batch(step, rank, size))
        others = [own(use) for use in uses[1:]]
        written = json.dumps(uses[0].document(12 * (attempt + 1), Ranks(*others)))
    assert json.loads(written) == alone.document(12 * len(sizes), Ranks())


def test_it_is_bound_to_version_grant_and_step(opened):
    dataset, index, grant = opened
    use = ledger(opened)
    use.note([(0, 1)])
    told = use.document(7, Ranks())
    assert (told["dataset"]["version"], told["grant"], told["step"]) == (
        grant["version"],
        grant["digest"],
        7,
    )
    assert {name: entry["version"] for name, entry in told["contributions"].items()} == {
        name: dataset.source(name).manifest.version for name in index.names
    }


def used(opened, *contributions):
    _, index, _ = opened
    use = ledger(opened)
    use.note([(index.names.index(name), 0) for name in contributions])
    return use.document(1, Ranks())


def test_the_union_of_what_was_seen_decides_over_a_release(opened):
    assert judge_release(used(opened, "mill")).release == "open"
    both = judge_release(used(opened, "mill", "forge"))
    assert both.release == "consortium"
    (forbidding,) = both.forbidden["open"]
    assert (forbidding.contribution, forbidding.why) == ("forge", "a model may go to consortium")
    assert both.allows("consortium")
    assert not both.allows("open")
    assert {one.contribution: one.duties for one in both.credits} == {
        "mill": (),
        "forge": ("attribute",),
    }


def test_what_was_not_seen_forbids_nothing(opened):
    assert "forge" in opened[1].names
    assert judge_release(used(opened, "mill")).forbidden["open"] == ()


def written(directory, content):
    """Write usage.json as it lies beside a model, whose facts vouch for it."""
    text = json.dumps(content)
    facts = {"extra": {"usage_sha256": sha256_text(text)}}
    (directory / FILE).write_text(text)
    (directory / "model.json").write_text(json.dumps(facts))


def test_a_use_that_tells_of_no_contributions_permits_nothing(opened):
    told = used(opened, "mill")
    del told["contributions"]
    assert judge_release(told).release == "none"
    told = used(opened, "mill")
    told["before"] = [{"format": told["format"]}]
    assert judge_release(told).release == "none"
    told = used(opened, "mill")
    told["policies"] = {}
    assert judge_release(told).release == "none"


def test_what_a_first_model_has_seen_stays_in_the_union(opened, tmp_path):
    written(tmp_path, used(opened, "forge"))
    begun = ledger(opened)
    begun.before = use_before(tmp_path)
    begun.note([(opened[1].names.index("mill"), 0)])
    told = begun.document(1, Ranks())
    assert judge_release(told).release == "consortium"
    written(tmp_path, told)
    assert len(use_before(tmp_path)) == 2
    (tmp_path / FILE).write_text(json.dumps({**told, "contributions": {}}))  # another's hand
    assert ["unknown" in one for one in use_before(tmp_path)] == [True]
    begun.before = use_before(tmp_path / "silent")
    verdict = judge_release(begun.document(1, Ranks()))
    assert verdict.release == "none"
    assert "does not say" in verdict.forbidden["consortium"][0].why


def test_a_policy_altered_in_the_ledger_is_refused(opened):
    told = json.loads(json.dumps(used(opened, "forge")))
    for document in told["policies"].values():
        document["permission"][1]["constraint"] = []
    with pytest.raises(SealBrokenError, match="altered"):
        judge_release(told)


def test_a_ledger_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError):
        read_usage(tmp_path)
    (tmp_path / FILE).write_text('{"format": "forgia.usage/9"}')
    with pytest.raises(SealBrokenError):
        read_usage(tmp_path)


def test_a_models_card_names_everyone_and_says_where_it_may_go(opened):
    card_ = model_card(used(opened, "mill", "forge"), {"name": "tiny", "family": "telemetry"})
    text = card_text(json.loads(json.dumps(card_)))
    assert "Acme: The mill. 2026. MIT." in text
    assert "to the members of the consortium, and to nobody else" in text
    assert "not to open: forge" in text
    assert "`forgia data publish-check` looks at what lies there today" in text
    assert card_["data"]["release"] == "consortium"


@pytest.fixture
def anna(tmp_path, monkeypatch):
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "anna.json"))
    return make_key(tmp_path / "anna.json", "anna")


def demanding(tmp_path):
    """What a model has seen of a contribution whose policy demands signatures, and the grant."""
    words = {"signed_grant": "required", "release": "open"}
    manifest = load_manifest(sealed(tmp_path, policy=words))
    data = Data(dataset="mill", context=32, min_context=16, horizon=8)
    grant = make_grant(manifest, data)
    with open_dataset(grant) as dataset:
        use = Use(dataset.windows(Split.train, data), [paths(dataset, "mill")], TOKENS, grant)
        use.note([(0, 0)])
        return use.document(1, Ranks()), grant


def test_the_ledger_is_signed_with_the_key_of_the_grants_user(tmp_path, anna, monkeypatch):
    told, grant = demanding(tmp_path)
    assert signer_of_use(told) == anna
    assert signer_of_use(json.loads(json.dumps(told))) == anna
    assert told["signature"]["by"] == grant["signature"]["by"]
    written(tmp_path, told)
    assert read_sealed_usage(tmp_path) == told
    for change in (
        {"step": 2},
        {"before": [{}]},
        {"signature": {**told["signature"], "sig": "AA=="}},
    ):
        altered = {**told, **change}
        written(tmp_path, altered)  # who may write a checkpoint can write its digest, too
        with pytest.raises(SealBrokenError, match=r"usage\.json: "):
            read_sealed_usage(tmp_path)
        with pytest.raises(SealBrokenError, match=r"usage\.json: "):
            judge_release(altered)
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "nobody.json"))  # as on a node
    assert "signature" in demanding_again(tmp_path, grant)


def demanding_again(tmp_path, grant):
    data = Data(dataset="mill", context=32, min_context=16, horizon=8)
    with open_dataset(grant) as dataset:
        use = Use(dataset.windows(Split.train, data), [paths(dataset, "mill")], TOKENS, grant)
        return use.document(1, Ranks())


def test_where_signatures_are_demanded_an_unsigned_ledger_goes_nowhere(tmp_path, anna):
    told, _ = demanding(tmp_path)
    assert judge_release(told).release == "open"
    stripped = {key: value for key, value in told.items() if key != "signature"}
    verdict = judge_release(stripped)
    assert verdict.release == "none"
    assert "that their user has signed (it is not signed)" in verdict.forbidden["consortium"][0].why


def test_what_it_began_from_must_have_been_signed_too(tmp_path, anna):
    told, grant = demanding(tmp_path)
    written(tmp_path, told)
    (before,) = use_before(tmp_path)
    assert before["signed_by"] == anna.text
    assert "signature" not in before
    heir = {**{key: value for key, value in told.items() if key != "signature"}, "before": [before]}
    assert judge_release(sign_use(heir, load_key())).release == "open"
    del before["signed_by"]
    assert judge_release(sign_use(heir, load_key())).release == "none"
    assert grant["key_file"] == str(tmp_path / "anna.json")


def test_without_a_key_and_without_the_demand_it_stays_as_it_is(opened):
    assert "signature" not in used(opened, "mill")
    assert judge_release(used(opened, "mill")).release == "open"


def test_a_resume_refuses_a_ledger_whose_signature_is_wrong(opened, tmp_path, anna):
    told, _ = demanding(tmp_path)
    with pytest.raises(SealBrokenError, match="signature is wrong"):
        ledger(opened).go_on({**told, "step": 7})


def test_a_policy_that_ends_before_the_publication_may_forbid_it(tmp_path):
    late = {
        "leftOperand": "DataUsageEndDate",
        "operator": "eq",
        "rightOperand": "2030-01-01T00:00:00Z",
    }
    odrl = {
        "@type": "Offer", "assigner": "acme",
        "permission": [{"action": "use"}, {"action": "forgia:publish", "constraint": [late]}],
    }  # fmt: skip
    manifest = load_manifest(sealed(tmp_path, policy={"odrl": odrl}))
    data = Data(dataset="mill", context=32, min_context=16, horizon=8)
    grant = make_grant(manifest, data)
    with open_dataset(grant) as dataset:
        index = dataset.windows(Split.train, data)
        use = Use(index, [paths(dataset, "mill")], TOKENS, grant)
        use.note([(0, 0)])
        told = use.document(1, Ranks())
    day = datetime.datetime(2029, 12, 31, tzinfo=datetime.UTC)
    assert judge_release(told, day).allows("consortium")
    assert not judge_release(told, day.replace(year=2031)).allows("consortium")
