"""A dataset as Croissant 1.1 (mlcommons.org/croissant): files with digests, channels, terms, where it comes from.

Paths in it are relative to the data root, beside which the file is meant to lie.
"""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

from forgia_hpc.data.card import load_card
from forgia_hpc.data.catalogue.linked import PREFIXES, offers, provenance, shown_version, urn
from forgia_hpc.data.catalogue.part import channels_of
from forgia_hpc.data.exports import Told
from forgia_hpc.data.manifest import MANIFEST, Manifest, load_manifest

FILE = "croissant.json"
CONFORMS = "http://mlcommons.org/croissant/1.1"
_HDF5 = "application/x-hdf5"
_FORMATS = {".h5": _HDF5, ".hdf5": _HDF5, ".json": "application/json", ".yaml": "application/yaml"}


def write_croissant(directory: Path, into: Path, told: Told) -> None:
    """Write croissant.json."""
    text = json.dumps(croissant(directory, told), indent=1, ensure_ascii=False)
    (into / FILE).write_text(text + "\n", encoding="utf-8")


def croissant(directory: Path, told: Told) -> dict[str, Any]:
    """Return the description of a dataset, a consortium's with those of its members."""
    manifest, card = load_manifest(directory), load_card(directory)
    parts = manifest.contributions()
    distribution: list[dict[str, Any]] = []
    records: list[dict[str, Any]] = []
    for number, one in enumerate(parts):
        told(one.name, number, len(parts))
        distribution += _files(one)
        records += _records(one)
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "@id": urn(manifest),
        "conformsTo": CONFORMS,
        "name": manifest.name,
        "alternateName": card.title,
        "description": card.description.strip(),
        "version": shown_version(manifest),
        "sameAs": urn(manifest),
        "url": card.source if "://" in card.source else urn(manifest),
        "license": sorted({load_card(one.directory).licence for one in parts}),
        "creator": [{"@type": "sc:Organization", "name": one.contributor} for one in parts],
        "datePublished": _day(manifest),
        "citeAs": _citation(parts),
        "keywords": list(card.tags),
        "inLanguage": card.language,
        "isLiveDataset": False,
        "usageInfo": [offer for one in parts for offer in offers(one)],
        **_provenance(parts),
        "distribution": distribution,
        "recordSet": records,
    }


def _files(one: Manifest) -> list[dict[str, Any]]:
    """Return the manifest, whose digest is the version, each file, and the shards as one set."""
    place = one.directory
    listed = [(MANIFEST, (place / MANIFEST).stat().st_size, one.version)]
    listed += [(entry.path, entry.bytes, entry.sha256) for entry in (*one.files, *one.shards)]
    files = [
        {
            "@type": "cr:FileObject",
            "@id": f"{one.name}/{path}",
            "name": f"{one.name}/{path}",
            "contentUrl": f"{one.name}/{path}",
            "contentSize": f"{size} B",
            "encodingFormat": _format(path),
            "sha256": sha256,
        }
        for path, size, sha256 in listed
    ]
    if not one.shards:
        return files
    return [
        *files,
        {
            "@type": "cr:FileSet",
            "@id": _set_of(one),
            "name": _set_of(one),
            "description": f"The shards of {one.name}, {one.layout}.",
            "containedIn": [{"@id": f"{one.name}/{entry.path}"} for entry in one.shards],
            "encodingFormat": _format(one.shards[0].path),
            "includes": f"{one.name}/shards/*",
        },
    ]


def _format(path: str) -> str:
    """Return the media type by the ending; index.pack and what is encrypted have none."""
    return _FORMATS.get(Path(path).suffix, "application/octet-stream")


def _set_of(one: Manifest) -> str:
    return f"{one.name}/shards"


def _records(one: Manifest) -> list[dict[str, Any]]:
    """Return a record set for each group of synchronous channels; none where they can't be read."""
    groups: dict[str, list[tuple[str, dict[str, str]]]] = {}
    for key, facts in (channels_of(one) or {}).items():
        group, _, name = key.partition("/")
        groups.setdefault(group, []).append((name, facts))
    return [
        {
            "@type": "cr:RecordSet",
            "@id": f"{one.name}/{group}",
            "name": f"{one.name}/{group}",
            "description": _about(one, channels[0][1]),
            "field": [_field(one, group, name, facts) for name, facts in channels],
        }
        for group, channels in groups.items()
    ]


def _about(one: Manifest, facts: dict[str, str]) -> str:
    rate = f", {facts['rate_hz']} steps a second" if facts.get("rate_hz") else ""
    return f"Records are the segments or trajectories of {one.layout}{rate}."


def _field(one: Manifest, group: str, name: str, facts: dict[str, str]) -> dict[str, Any]:
    told = ", ".join(f"{key} {value}" for key, value in facts.items() if value)
    found: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{one.name}/{group}/{name}",
        "name": f"{one.name}/{group}/{name}",
        "description": told,
        "dataType": "sc:Float",
        "isArray": True,
        "arrayShape": _shape(facts),
        "unitCode": facts["ucum"],
        "source": {"fileSet": {"@id": _set_of(one)}, "extract": {"fileProperty": "content"}},
    }
    return {**found, "equivalentProperty": facts["semantic_id"]} if facts["semantic_id"] else found


def _shape(facts: dict[str, str]) -> str:
    """Return the shape of one record, its time axis first and of any length."""
    return ",".join(["-1", *(facts["shape"].split(" x ") if facts.get("shape") else [])])


def _citation(parts: list[Manifest]) -> str:
    cards = [load_card(one.directory) for one in parts]
    return "; ".join(
        dict.fromkeys(card.citation or f"{card.title}, {card.source}" for card in cards)
    )


def _day(manifest: Manifest) -> str:
    """Return when it was sealed here; the manifest has no date, so that its bytes follow from the data."""
    at = (manifest.directory / MANIFEST).stat().st_mtime
    return datetime.datetime.fromtimestamp(at, datetime.UTC).date().isoformat()


def _provenance(parts: list[Manifest]) -> dict[str, Any]:
    """Return the provenance of all contributions, each term once."""
    found: dict[str, list[Any]] = {}
    for one in parts:
        for term, value in provenance(one).items():
            found.setdefault(term, []).extend(value if isinstance(value, list) else [value])
    return {term: values[0] if len(values) == 1 else values for term, values in found.items()}


_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    **PREFIXES,
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
