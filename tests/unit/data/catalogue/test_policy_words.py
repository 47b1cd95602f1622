"""A policy in words: of the short form, and of documents that others wrote."""

import datetime

import pytest

from forgia_hpc.data.access.odrl import read_document
from forgia_hpc.data.access.terms import Policy, document_of
from forgia_hpc.data.catalogue.policy_words import ends_of, policy_words


def said(policy):
    return dict(policy_words(read_document(document_of(policy, "mill", "acme"))))


def test_every_word_of_the_short_form_is_said():
    policy = Policy(
        purposes=("train", "maintenance"),
        expires="2027-12-31",
        release="none",
        places=("IT", "FR"),
        min_contributors=3,
        federated_only=True,
        duties=("attribute", "delete"),
    )
    assert said(policy) == {
        "May be used for": "train",
        "For the purpose of": "maintenance",
        "Until": "2027-12-31, that day included",
        "Only in": "IT, FR",
        "Only among": "at least 3 contributors",
        "Only where": "the data lie: federated training",
        "Duties": "attribute, delete",
        "Models go to": "none",
    }


def test_nothing_named_is_free_but_models():
    assert said(Policy()) == {"May be used for": "every kind of job", "Models go to": "consortium"}


def test_a_document_that_can_not_be_decided_says_so():
    (row,) = policy_words(read_document({"@type": "Offer", "assigner": "acme", "xone": []}))
    assert row[0] == "Denies everything"
    assert "xone" in row[1]


@pytest.mark.parametrize(
    ("constraints", "wanted"),
    [
        ([[]], None),
        ([["2027-01-01T00:00:00Z"]], 2027),
        ([["2027-01-01T00:00:00Z"], ["2029-01-01T00:00:00Z"]], 2029),  # two permissions: the later
        ([["2027-01-01T00:00:00Z", "2029-01-01T00:00:00Z"]], 2027),  # one: both must hold
        ([["2027-01-01T00:00:00Z"], []], None),  # the other has no end
    ],
)
def test_the_end_is_when_no_permission_is_left(constraints, wanted):
    permissions = [
        {
            "action": "use",
            "constraint": [
                {"leftOperand": "dateTime", "operator": "lt", "rightOperand": moment}
                for moment in moments
            ],
        }
        for moments in constraints
    ]
    document = read_document({"@type": "Offer", "assigner": "acme", "permission": permissions})
    found = ends_of(document)
    assert found == (wanted and datetime.datetime(wanted, 1, 1, tzinfo=datetime.UTC))
