"""The short form of a policy, as people write it in a card, and the ODRL document that it stands for."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from typing import Any

from forgia_hpc.data import checked
from forgia_hpc.data.access.odrl import CONTEXT, DUTIES, PUBLISH, RELEASES, USE, read_document
from forgia_hpc.digest import canonical_json, sha256_text
from forgia_hpc.errors import Problem

EXPORT = "export"  # not a job's: what `forgia data export` asks for
KINDS = ("prepare", "simulate", "train", "evaluate", "microbench", "command", EXPORT)
TAKES_ALONG = ("distribute", "forgia:extract")  # actions by which values leave without their terms
_SINCE = "purposes", "expires", "release"  # always in a sealed card


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What may be done with the data; what is not named is free, but for the release of models."""

    purposes: tuple[str, ...] = ()  # KINDs: by which job; other words: for what, as it declares
    expires: str = ""  # ISO date, UTC, that day included
    release: str = "consortium"
    places: tuple[str, ...] = ()  # ISO 3166-1 codes, or EU
    min_contributors: int = 0  # in the mix that it is used in
    federated_only: bool = False
    signed_grant: str = ""  # or "required": who reads it has signed for it
    duties: tuple[str, ...] = ()
    odrl: str = ""  # canonical JSON of a document that stands for all of this

    @property
    def ends(self) -> datetime.datetime | None:
        """The first moment at which the data may no longer be read, or None."""
        if not self.expires:
            return None
        day = datetime.date.fromisoformat(self.expires) + datetime.timedelta(days=1)
        return datetime.datetime.combine(day, datetime.time(), datetime.UTC)

    @property
    def plain(self) -> bool:
        """Whether it says no more than who may have a model: such a contribution has no document of its own."""
        return self == Policy(release=self.release)

    def as_dict(self) -> dict[str, object]:
        """Return the short form; what was added to it later only where it says something."""
        if self.odrl:
            return {"odrl": json.loads(self.odrl)}
        words = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in vars(self).items()
        }
        return {name: value for name, value in words.items() if name in _SINCE or value}


def policy_from(content: object, prefix: str, where: str, problems: list[Problem]) -> Policy:
    """Check the short form, and that a document in it is one that can be decided."""
    words: dict[str, Any] = checked.checked_fields(content, _KNOWN, (), prefix, where, problems)
    if "odrl" in words:
        if len(words) > 1:
            others = ", ".join(sorted(set(words) - {"odrl"}))
            limit = "a whole document, and nothing beside it"
            problems.append(Problem(field=f"{prefix}.odrl", got=others, limit=limit, where=where))
        problems += [
            Problem(field=f"{prefix}.odrl", got=one, limit="unknown: it would deny", where=where)
            for one in read_document(json.loads(words["odrl"])).unknown
        ]
    return Policy(**words)


def document_of(policy: Policy, contribution: str, owner: str, name: str = "") -> dict[str, Any]:
    """Return the ODRL document that a short form stands for."""
    if policy.odrl:
        written: dict[str, Any] = json.loads(policy.odrl)
        return written
    released = list(RELEASES[1 : RELEASES.index(policy.release) + 1])
    permission = [{"action": USE, "constraint": _constraints(policy)}]
    if released:
        constraint = [_constraint("forgia:release", "isAnyOf", released), *_signed(policy)]
        permission.append({"action": PUBLISH, "constraint": constraint})
    content: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "Offer",
        "@id": ":".join(["urn:forgia:policy", contribution, *([name] if name else [])]),
        "target": f"urn:forgia:contribution:{contribution}",
        "assigner": owner,
        "permission": permission,
        "prohibition": []
        if EXPORT in policy.purposes
        else [{"action": one} for one in TAKES_ALONG],
    }
    duties = [{"action": duty} for duty in policy.duties]
    return {**content, "obligation": duties} if duties else content


def _constraints(policy: Policy) -> list[dict[str, Any]]:
    kinds = [one for one in policy.purposes if one in KINDS]
    aims = [one for one in policy.purposes if one not in KINDS]
    found = [_constraint("UsagePurpose", "isAnyOf", words) for words in (kinds, aims) if words]
    if policy.ends:
        ends = policy.ends.strftime("%Y-%m-%dT%H:%M:%SZ")
        found.append(_constraint("DataUsageEndDate", "eq", ends))
    if policy.places:
        found.append(_constraint("spatial", "isAnyOf", list(policy.places)))
    if policy.min_contributors:
        found.append(_constraint("forgia:minContributors", "gteq", policy.min_contributors))
    if policy.federated_only:
        found.append(_constraint("forgia:federatedOnly", "eq", True))
    return [*found, *_signed(policy)]


def _signed(policy: Policy) -> list[dict[str, Any]]:
    """Return what a policy demands of the grant, and of the ledger of a model that is to be published."""
    return [_constraint("forgia:signedGrant", "eq", True)] if policy.signed_grant else []


def _constraint(left: str, operator: str, right: object) -> dict[str, Any]:
    return {"leftOperand": left, "operator": operator, "rightOperand": right}


def digest_of_document(content: dict[str, Any]) -> str:
    """Return the SHA-256 of a document's canonical JSON: its name in manifests and grants."""
    return sha256_text(canonical_json(content).decode())


def _place(value: object) -> str:
    found = checked.text(value)
    if len(found) != 2 or not (found.isascii() and found.isalpha() and found.isupper()):
        raise ValueError
    return found


def _document(value: object) -> str:
    if not isinstance(value, dict):
        raise ValueError  # noqa: TRY004  # one kind of refusal
    try:
        return canonical_json(value).decode()
    except TypeError as error:  # YAML's dates
        raise ValueError from error


_KNOWN: checked.Known = {
    "purposes": (
        f"a list: KINDs of jobs ({', '.join(KINDS)}), and words for what a job declares",
        checked.texts(checked.name),
    ),
    "expires": ("a date such as 2030-12-31", checked.day),
    "release": (f"one of {', '.join(RELEASES)}", checked.one_of(*RELEASES)),
    "places": ("a list of ISO 3166-1 codes such as IT, or EU", checked.texts(_place)),
    "min_contributors": ("a whole number", checked.counted),
    "federated_only": ("true or false", checked.flag),
    "signed_grant": ("required", checked.one_of("required")),
    "duties": (f"a list from {', '.join(DUTIES)}", checked.texts(checked.one_of(*DUTIES))),
    "odrl": ("an ODRL document, all dates in quotes", _document),
}
