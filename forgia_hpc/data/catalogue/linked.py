"""JSON-LD that several catalogues take: policies as ODRL offers, where data come from as PROV-O."""

from __future__ import annotations

from typing import Any

from forgia_hpc.data.access.odrl import DUTIES
from forgia_hpc.data.access.policies import Sealed, sealed_policies
from forgia_hpc.data.card import Card, load_card
from forgia_hpc.data.catalogue.policy_words import policy_words
from forgia_hpc.data.manifest import Manifest

PREFIXES = {
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "prov": "http://www.w3.org/ns/prov#",
    "cx-policy": "https://w3id.org/catenax/2025/9/policy/",
    "forgia": "https://forgia.example/policy/1#",
}
_CATENA_X = ("UsagePurpose", "DataUsageEndDate", "BusinessPartnerGroup", "UsageRestriction")
_RULES = {"permission": "Permission", "prohibition": "Prohibition", "obligation": "Duty"}


def urn(manifest: Manifest) -> str:
    """Return the name of a version that means the same everywhere."""
    return f"urn:forgia:dataset:{manifest.name}:{manifest.version}"


def shown_version(manifest: Manifest) -> str:
    """Return MAJOR.MINOR.PATCH of a frozen version, else 0.0.0 with the version as build."""
    frozen = manifest.content.get("frozen", {}).get("semver")
    return str(frozen) if frozen else f"0.0.0+{manifest.version[:12]}"


def offers(manifest: Manifest) -> list[dict[str, Any]]:
    """Return the policies of a contribution as ODRL offers, with their words as description."""
    card = load_card(manifest.directory)
    return [_offer(one, card) for one in sealed_policies(manifest, card).values()]


def _offer(sealed: Sealed, card: Card) -> dict[str, Any]:
    words = "; ".join(f"{what}: {said}" for what, said in policy_words(sealed.words))
    found: dict[str, Any] = {
        "@type": ["CreativeWork", f"odrl:{sealed.words.kind or 'Offer'}"],
        "@id": f"{sealed.words.uid}:{sealed.digest[:12]}",
        "name": f"Terms of {card.title}",
        "description": words,
        "odrl:assigner": card.contributor,
    }
    for kind, word in _RULES.items():
        rules = sealed.content.get(kind, [])
        rules = rules if isinstance(rules, list) else [rules]
        if rules:
            found[f"odrl:{kind}"] = [_rule(rule, word) for rule in rules]
    return found


def _rule(rule: dict[str, Any], word: str) -> dict[str, Any]:
    found: dict[str, Any] = {"@type": f"odrl:{word}", "odrl:action": _named(str(rule["action"]))}
    given = rule.get("constraint", [])
    given = given if isinstance(given, list) else [given]
    constraints = [_constraint(one) for one in given]
    return {**found, "odrl:constraint": constraints} if constraints else found


def _constraint(one: dict[str, Any]) -> dict[str, Any]:
    if "and" in one:
        return {"odrl:and": [_constraint(part) for part in one["and"]]}
    return {
        "@type": "odrl:Constraint",
        "odrl:leftOperand": _named(str(one["leftOperand"])),
        "odrl:operator": {"@id": f"odrl:{one['operator']}"},
        "odrl:rightOperand": one["rightOperand"],
    }


def _named(term: str) -> dict[str, str]:
    """Return a term under the prefix of the vocabulary it is of."""
    if ":" in term or term in DUTIES:
        return {"@id": term if ":" in term else f"odrl:{term}"}
    return {"@id": f"{'cx-policy' if term in _CATENA_X else 'odrl'}:{term}"}


def provenance(manifest: Manifest) -> dict[str, Any]:
    """Return whose the data are, from which files and by which recipe they were made."""
    told = manifest.provenance
    sources = [
        {"@type": "prov:Entity", "@id": f"urn:sha256:{sha256}", "prov:label": name}
        for name, sha256 in sorted(told.get("files", {}).items())
    ]
    found: dict[str, Any] = {
        "prov:wasAttributedTo": {
            "@type": "prov:Agent",
            "@id": f"urn:forgia:contributor:{manifest.contributor}",
            "prov:label": manifest.contributor,
        }
    }
    if sources:
        found["prov:wasDerivedFrom"] = sources
    if recipe := told.get("recipe_sha256"):
        found["prov:wasGeneratedBy"] = {
            "@type": "prov:Activity",
            "@id": f"urn:forgia:ingest:{manifest.version}",
            "prov:label": "forgia data ingest",
            "prov:used": {"@id": f"urn:sha256:{recipe}", "prov:label": "recipe.yaml"},
        }
    return found
