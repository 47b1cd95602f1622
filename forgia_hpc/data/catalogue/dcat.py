"""A dataset as a DCAT-AP 3 record (semiceu.github.io/DCAT-AP/releases/3.0.1): what a data portal harvests."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path
from typing import Any

from forgia_hpc.data.card import Card, load_card
from forgia_hpc.data.catalogue.linked import PREFIXES, offers, provenance, shown_version, urn
from forgia_hpc.data.exports import Told
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import Manifest, load_manifest

FILE = "dcat-ap.jsonld"
_SPDX = re.compile(r"[A-Za-z]+[A-Za-z0-9.+-]*-\d[A-Za-z0-9.+-]*")  # CC-BY-4.0, MIT-0, Apache-2.0
_RESTRICTED = "http://publications.europa.eu/resource/authority/access-right/RESTRICTED"
_LANGUAGE = "http://publications.europa.eu/resource/authority/language/"
_HDF5 = "https://www.iana.org/assignments/media-types/application/x-hdf5"
_LANGUAGES = {"en": "ENG", "it": "ITA", "de": "DEU", "fr": "FRA", "es": "SPA"}
_CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "spdx": "http://spdx.org/rdf/terms#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "CreativeWork": "https://schema.org/CreativeWork",
    "name": "https://schema.org/name",
    "description": "https://schema.org/description",
    **PREFIXES,
}


def write_dcat(directory: Path, into: Path, told: Told) -> None:
    """Write dcat-ap.jsonld."""
    told(directory.name, 0, 1)
    text = json.dumps(record(directory), indent=1, ensure_ascii=False)
    (into / FILE).write_text(text + "\n", encoding="utf-8")


def record(directory: Path) -> dict[str, Any]:
    """Return the record: one dcat:Dataset, or a consortium's with its members' as parts."""
    manifest = load_manifest(directory)
    if not manifest.members:
        return {"@context": _CONTEXT, "@graph": [_dataset(manifest)]}
    parts = manifest.contributions()
    whole = {**_about(manifest), "dct:hasPart": [{"@id": urn(one)} for one in parts]}
    return {"@context": _CONTEXT, "@graph": [whole, *map(_dataset, parts)]}


def _about(manifest: Manifest) -> dict[str, Any]:
    """Return what every dataset has: title, description, publisher, version."""
    card = load_card(manifest.directory)
    found: dict[str, Any] = {
        "@id": urn(manifest),
        "@type": "dcat:Dataset",
        "dct:title": {"@value": card.title, "@language": card.language},
        "dct:description": {"@value": card.description.strip(), "@language": card.language},
        "dct:identifier": manifest.identifier,
        "dct:publisher": _agent(manifest.contributor),
        "dcat:version": shown_version(manifest),
        "dcat:keyword": [{"@value": tag, "@language": card.language} for tag in card.tags],
    }
    if card.language in _LANGUAGES:
        found["dct:language"] = _of("dct:LinguisticSystem", _LANGUAGE + _LANGUAGES[card.language])
    if "://" in card.source:
        found["foaf:page"] = _of("foaf:Document", card.source)
    return found


def _dataset(manifest: Manifest) -> dict[str, Any]:
    card = load_card(manifest.directory)
    terms = [{**one, "@type": one["@type"][1]} for one in offers(manifest)]
    found = {
        **_about(manifest),
        "dcat:distribution": [_distribution(manifest, card, split) for split in _splits(manifest)],
        "odrl:hasPolicy": terms,
        **provenance(manifest),
    }
    if any(not policy.plain or policy.release != "open" for policy in card.terms.values()):
        found["dct:accessRights"] = _of("dct:RightsStatement", _RESTRICTED)
    if period := _period(manifest):
        found["dct:temporal"] = period
    return found


def _splits(manifest: Manifest) -> list[Split]:
    return list(dict.fromkeys(entry.split for entry in manifest.shards))


def _distribution(manifest: Manifest, card: Card, split: Split) -> dict[str, Any]:
    """Return a split: its shards, and the digest that vouches for them, the manifest's."""
    mine = [entry for entry in manifest.shards if entry.split is split]
    return {
        "@id": f"{urn(manifest)}:{split.value}",
        "@type": "dcat:Distribution",
        "dct:title": f"{card.title}, {split.value}: {len(mine)} shards of {manifest.layout}",
        # where it lies is between the members; the name says which it is
        "dcat:accessURL": _of("rdfs:Resource", f"{urn(manifest)}:{split.value}"),
        "dcat:byteSize": {
            "@value": str(sum(entry.bytes for entry in mine)),
            "@type": "xsd:nonNegativeInteger",
        },
        "dcat:mediaType": _of("dct:MediaType", _HDF5),
        "dct:license": _licence(card.licence),
        "spdx:checksum": {
            "@type": "spdx:Checksum",
            "spdx:algorithm": _of("spdx:ChecksumAlgorithm", "spdx:checksumAlgorithm_sha256"),
            "spdx:checksumValue": {"@value": manifest.version, "@type": "xsd:hexBinary"},
        },
    }


def _of(kind: str, place: str) -> dict[str, str]:
    """Return a node of another vocabulary with its class: who checks a record has not that vocabulary."""
    return {"@id": place, "@type": kind}


def _agent(name: str) -> dict[str, Any]:
    return {"@id": f"urn:forgia:contributor:{name}", "@type": "foaf:Agent", "foaf:name": name}


def _licence(words: str) -> dict[str, Any]:
    """Return SPDX's page of a licence that looks like one of its names, else the words."""
    if _SPDX.fullmatch(words):
        return {"@id": f"https://spdx.org/licenses/{words}", "@type": "dct:LicenseDocument"}
    return {"@type": "dct:LicenseDocument", "rdfs:label": words}


def _period(manifest: Manifest) -> dict[str, Any]:
    """Return the time that the data cover, where they have a clock."""
    starts = [one.t_min_ns for one in manifest.shards if one.t_min_ns is not None]
    ends = [one.t_max_ns for one in manifest.shards if one.t_max_ns is not None]
    if not starts or not ends:
        return {}
    return {
        "@type": "dct:PeriodOfTime",
        "dcat:startDate": _moment(min(starts)),
        "dcat:endDate": _moment(max(ends)),
    }


def _moment(time_ns: int) -> dict[str, str]:
    at = datetime.datetime.fromtimestamp(time_ns // 10**9, datetime.UTC)
    return {"@value": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "@type": "xsd:dateTime"}
