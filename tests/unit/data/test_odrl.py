"""The evaluator against its published vectors, and the law that more rules never allow more."""

from __future__ import annotations

import copy
import datetime
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forgia_hpc.data.access.odrl import TERMS, read_document
from forgia_hpc.data.access.terms import Policy, document_of
from forgia_hpc.data.access.verdict import Claim, evaluate

VECTORS = [
    pytest.param(vector, id=f"{path.stem}: {vector['about']}")
    for path in sorted((Path(__file__).parent / "vectors").glob("*.json"))
    for vector in json.loads(path.read_text(encoding="utf-8"))
]


def claim_of(words: dict[str, object]) -> Claim:
    facts = {
        key: tuple(value) if isinstance(value, list) else value for key, value in words.items()
    }
    if isinstance(facts.get("until"), str):
        facts["until"] = datetime.datetime.fromisoformat(str(facts["until"]))
    return Claim(**facts)  # type: ignore[arg-type]


@pytest.mark.parametrize("vector", VECTORS)
def test_a_published_vector(vector):
    decision = evaluate(read_document(vector["policy"]), claim_of(vector["claim"]))
    assert (decision.allowed, decision.why) == (vector["allowed"], vector["why"])


def test_every_left_operand_has_a_vector_that_allows_and_one_that_denies():
    told = {True: set(), False: set()}
    for vector in (parameter.values[0] for parameter in VECTORS):
        text = json.dumps(vector["policy"])
        told[vector["allowed"]] |= {left for left in TERMS if f'"{left}"' in text}
    assert told[True] >= set(TERMS)
    assert told[False] >= set(TERMS)


MOMENTS = [f"20{year}-07-01T00:00:00Z" for year in (25, 30, 35)]
CONSTRAINTS = st.one_of(
    st.tuples(
        st.just("UsagePurpose"),
        st.sampled_from(["isAnyOf", "eq"]),
        st.lists(st.sampled_from(["train", "evaluate", "care"]), min_size=1),
    ),
    st.tuples(st.just("DataUsageEndDate"), st.just("eq"), st.sampled_from(MOMENTS)),
    st.tuples(st.just("dateTime"), st.sampled_from(["lt", "lteq"]), st.sampled_from(MOMENTS)),
    st.tuples(
        st.just("spatial"), st.just("isAnyOf"), st.lists(st.sampled_from(["IT", "EU", "US"]))
    ),
    st.tuples(st.just("forgia:minContributors"), st.just("gteq"), st.integers(0, 4)),
    st.tuples(st.just("forgia:release"), st.just("isAnyOf"), st.just(["consortium"])),
    st.tuples(st.just("forgia:federatedOnly"), st.just("eq"), st.booleans()),
    st.tuples(st.just("forgia:dpEpsilon"), st.just("lteq"), st.floats(0.1, 9)),
    st.tuples(st.just("FrameworkAgreement"), st.just("eq"), st.just("DataExchangeGovernance:1.0")),
).map(lambda three: dict(zip(("leftOperand", "operator", "rightOperand"), three, strict=True)))
RULES = st.fixed_dictionaries(
    {"action": st.sampled_from(["use", "forgia:publish", "distribute", "sell"])},
    optional={"constraint": st.lists(CONSTRAINTS, max_size=3)},
)
DOCUMENTS = st.fixed_dictionaries(
    {
        "@type": st.sampled_from(["Offer", "Agreement"]),
        "assigner": st.just("acme"),
        "assignee": st.just("consortium"),
        "permission": st.lists(RULES, max_size=3),
    },
    optional={"prohibition": st.lists(RULES, max_size=2)},
)
CLAIMS = st.builds(
    Claim,
    owner=st.just("acme"),
    action=st.sampled_from(["use", "forgia:publish"]),
    purposes=st.sampled_from([("train",), ("evaluate", "care")]),
    until=st.sampled_from([None, datetime.datetime(2029, 1, 1, tzinfo=datetime.UTC)]),
    place=st.sampled_from([None, "IT", "FI", "US"]),
    contributors=st.sampled_from([None, 1, 3]),
    federated=st.booleans(),
    dp_epsilon=st.sampled_from([None, 1.0, 8.0]),
    release=st.sampled_from([None, "consortium", "open"]),
)


@settings(max_examples=400, deadline=None)
@given(document=DOCUMENTS, claim=CLAIMS, rule=RULES, constraint=CONSTRAINTS, data=st.data())
def test_another_prohibition_or_constraint_never_allows_more(
    document, claim, rule, constraint, data
):
    before = evaluate(read_document(document), claim)
    forbidden = copy.deepcopy(document)
    forbidden.setdefault("prohibition", []).append(rule)
    assert not evaluate(read_document(forbidden), claim).allowed or before.allowed
    narrowed = copy.deepcopy(document)
    if narrowed["permission"]:
        chosen = data.draw(st.sampled_from(narrowed["permission"]))
        chosen.setdefault("constraint", []).append(constraint)
    assert not evaluate(read_document(narrowed), claim).allowed or before.allowed


@settings(max_examples=200, deadline=None)
@given(
    content=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["permission", "action", "constraint", "and", "assigner", "leftOperand"]
                ),
                inner,
                max_size=3,
            )
        ),
        max_leaves=12,
    )
)
def test_what_is_no_policy_is_read_without_an_error_and_denies(content):
    assert not evaluate(read_document(content), Claim(owner="acme")).allowed


def _nested(depth):
    inner: object = []
    for _ in range(depth):
        inner = {"and": [inner]}
    return inner


@pytest.mark.parametrize(
    "constraint",
    [
        {"and": []},
        {"and": None},
        _nested(5000),
        {"leftOperand": "dateTime", "operator": "lt", "rightOperand": "0001-01-01T00:00:00+14:00"},
        {"leftOperand": "spatial", "operator": "eq", "rightOperand": "it"},
        {"leftOperand": "spatial", "operator": "eq", "rightOperand": "ITA"},
    ],
    ids=["empty and", "no and", "deep", "before time", "small letters", "three letters"],
)
@pytest.mark.parametrize("where", ["permission", "prohibition"])
def test_a_constraint_that_would_hold_for_nobody_or_nothing_denies(where, constraint):
    content = {"@type": "Offer", "assigner": "acme", "permission": [{"action": "use"}]}
    content[where] = [{"action": "use", "constraint": [constraint]}]
    words = read_document(content)
    assert words.unknown
    claim = Claim(owner="acme", place="IT", until=datetime.datetime.now(datetime.UTC))
    assert not evaluate(words, claim).allowed


def test_a_job_that_declares_no_purpose_escapes_no_prohibition_of_one():
    content = {"@type": "Offer", "assigner": "acme", "permission": [{"action": "use"}]}
    word = {"leftOperand": "UsagePurpose", "operator": "eq", "rightOperand": "weapons"}
    content["prohibition"] = [{"action": "use", "constraint": [word]}]
    words = read_document(content)
    silent, declared = Claim(owner="acme", purposes=("train",)), ("train", "maintenance")
    assert not evaluate(words, silent).allowed
    assert evaluate(words, Claim(owner="acme", purposes=declared)).allowed
    assert not evaluate(words, Claim(owner="acme", purposes=("train", "weapons"))).allowed


def test_the_short_form_becomes_a_document_that_can_be_decided():
    policy = Policy(
        purposes=("train", "care"), expires="2030-06-30", places=("IT",), min_contributors=2,
        release="open", duties=("attribute",),
    )  # fmt: skip
    words = read_document(json.loads(json.dumps(document_of(policy, "mill", "acme", "shared"))))
    assert words.unknown == ()
    assert words.uid == "urn:forgia:policy:mill:shared"
    assert words.duties == ("attribute",)
    claim = Claim(
        owner="acme", purposes=("train", "care"), place="IT", contributors=2,
        until=datetime.datetime(2030, 7, 1, tzinfo=datetime.UTC),
    )  # fmt: skip
    assert evaluate(words, claim).allowed
    assert not evaluate(words, Claim(owner="acme")).allowed
