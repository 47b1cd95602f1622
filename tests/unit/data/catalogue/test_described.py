"""What other catalogues read of a dataset: Croissant, DCAT-AP, the AI Act's summary."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

import mlcroissant
import pyshacl
import pytest
import rdflib
from fakes.simulated import sealed_fields
from fakes.telemetry import card, sealed

from forgia_hpc.data.catalogue.ai_act import summary
from forgia_hpc.data.catalogue.croissant import croissant
from forgia_hpc.data.catalogue.dcat import record
from forgia_hpc.data.catalogue.freeze import freeze
from forgia_hpc.data.crypto.encrypting import encrypt
from forgia_hpc.data.crypto.key_file import make_key
from forgia_hpc.data.exports import export
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.writer import seal_consortium
from forgia_hpc.errors import InputError

# rdflib 7 warns of a class that its own JSON-LD parser uses
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
CC = "https://example.org/data"
DCAT, DCT = "http://www.w3.org/ns/dcat#", "http://purl.org/dc/terms/"
SPDX, FOAF = "http://spdx.org/rdf/terms#", "http://xmlns.com/foaf/0.1/"
SHAPES = Path(__file__).with_name("dcat_ap")
# sh:minCount 1 in releases/3.0.0/shacl/dcat-ap-SHACL.ttl of SEMICeu/DCAT-AP, of the classes that we write
REQUIRED = {
    DCAT + "Dataset": (DCT + "title", DCT + "description"),
    DCAT + "Distribution": (DCAT + "accessURL",),
    SPDX + "Checksum": (SPDX + "algorithm", SPDX + "checksumValue"),
    FOAF + "Agent": (FOAF + "name",),
}

# sh:class of the same: without these a validator that has not the vocabularies refuses the record
CLASSES = {
    DCT + "language": DCT + "LinguisticSystem",
    DCT + "license": DCT + "LicenseDocument",
    DCT + "accessRights": DCT + "RightsStatement",
    DCT + "temporal": DCT + "PeriodOfTime",
    DCAT + "mediaType": DCT + "MediaType",
    DCAT + "distribution": DCAT + "Distribution",
    SPDX + "algorithm": SPDX + "ChecksumAlgorithm",
    FOAF + "page": FOAF + "Document",
}


def quiet(*_):
    """Nobody looks."""


@pytest.fixture
def valley(tmp_path):
    """A consortium of both layouts, with several terms."""
    members = [
        sealed(
            tmp_path,
            "mill",
            policy={"expires": "2030-12-31", "places": ["IT"], "duties": ["attribute"]},
        ),
        sealed(tmp_path, "forge", 1, licence="CC-BY-4.0", source=CC, policy={"release": "open"}),
        sealed_fields(tmp_path),
    ]
    names = [place.name for place in members]
    seal_consortium("valley", members, card("valley", members=names), tmp_path / "valley")
    return tmp_path / "valley"


def test_croissant_is_what_mlcroissant_takes(valley, tmp_path, caplog):
    (path,) = export(valley, "croissant", tmp_path / "out", quiet)
    with caplog.at_level(logging.WARNING):
        found = mlcroissant.Dataset(jsonld=str(path))
    issues = found.metadata.ctx.issues
    assert (issues.errors, issues.warnings) == (set(), set())
    assert not caplog.records
    assert str(found.metadata.version).startswith("0.0.0+")
    names = {one.id for one in found.metadata.record_sets}
    assert names >= {"mill/process", "forge/process", "quench/fields"}


def test_croissant_holds_digests_units_terms_and_origin(valley):
    found = croissant(valley, quiet)
    assert found["conformsTo"] == "http://mlcommons.org/croissant/1.1"
    files = {one["@id"]: one for one in found["distribution"]}
    for name, one in files.items():
        if one["@type"] == "cr:FileObject":
            data = (valley.parent / one["contentUrl"]).read_bytes()
            assert (hashlib.sha256(data).hexdigest(), f"{len(data)} B") == (
                one["sha256"],
                one["contentSize"],
            )
            assert name == one["contentUrl"]
    assert files["mill/shards"]["@type"] == "cr:FileSet"
    (process,) = [one for one in found["recordSet"] if one["@id"] == "mill/process"]
    assert process["field"][0]["unitCode"] == "Cel"
    assert process["field"][0]["equivalentProperty"].endswith("temperature")
    (offer,) = [one for one in found["usageInfo"] if ":mill:" in one["@id"]]
    assert offer["@type"] == ["CreativeWork", "odrl:Offer"]
    assert "Until: 2030-12-31" in offer["description"]
    constraints = [
        (one["odrl:leftOperand"]["@id"], one["odrl:operator"]["@id"])
        for one in offer["odrl:permission"][0]["odrl:constraint"]
    ]
    assert constraints == [
        ("cx-policy:DataUsageEndDate", "odrl:eq"),
        ("odrl:spatial", "odrl:isAnyOf"),
    ]
    assert offer["odrl:obligation"][0]["odrl:action"] == {"@id": "odrl:attribute"}
    agents = [one["prov:label"] for one in found["prov:wasAttributedTo"]]
    assert agents.count("acme") == 2


def test_a_frozen_version_has_its_number_and_what_is_encrypted_tells_no_channels(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "anna.json"))
    anna = make_key(tmp_path / "anna.json", "anna")
    place = sealed(tmp_path)
    freeze(place, "mill-1", tmp_path)
    assert croissant(tmp_path / "mill-1", quiet)["version"] == "1.0.0"
    encrypt(place, [anna], tmp_path / "closed")
    monkeypatch.setenv("FORGIA_KEY", str(tmp_path / "bert.json"))
    make_key(tmp_path / "bert.json", "bert")
    found = croissant(tmp_path / "closed/mill", quiet)
    assert found["recordSet"] == []
    assert {one["encodingFormat"] for one in found["distribution"] if "shards" in one["@id"]} == {
        "application/octet-stream"
    }


def test_dcat_ap_has_what_the_profile_requires(valley):
    graph = rdflib.Graph().parse(data=json.dumps(record(valley)), format="json-ld")
    for kind, properties in REQUIRED.items():
        nodes = set(graph.subjects(rdflib.RDF.type, rdflib.URIRef(kind)))
        assert nodes, kind
        for node in nodes:
            for one in properties:
                assert graph.value(node, rdflib.URIRef(one)) is not None, (node, one)
    for one, kind in CLASSES.items():
        nodes = list(graph.objects(None, rdflib.URIRef(one)))
        assert nodes, one
        for node in nodes:
            assert rdflib.URIRef(kind) in set(graph.objects(node, rdflib.RDF.type)), (one, node)
    whole = rdflib.URIRef(f"urn:forgia:dataset:valley:{load_manifest(valley).version}")
    assert len(set(graph.objects(whole, rdflib.URIRef(DCT + "hasPart")))) == 3
    forge = load_manifest(valley.parent / "forge")
    licences = set(
        graph.objects(
            rdflib.URIRef(f"urn:forgia:dataset:forge:{forge.version}:train"),
            rdflib.URIRef(DCT + "license"),
        )
    )
    assert licences == {rdflib.URIRef("https://spdx.org/licenses/CC-BY-4.0")}


def shacl(graph):
    """What SHACL says of a record by the official shapes: (class, property) of each violation."""
    shapes = rdflib.Graph()
    for path in sorted(SHAPES.glob("*.ttl")):
        shapes.parse(path)
    sound, report, _ = pyshacl.validate(graph, shacl_graph=shapes, inference="none")
    found = set(report.objects(None, rdflib.SH.resultPath))
    assert sound is not bool(list(report.subjects(rdflib.RDF.type, rdflib.SH.ValidationResult)))
    return {str(one) for one in found}


def test_dcat_ap_is_what_the_official_shapes_take(valley):
    graph = rdflib.Graph().parse(data=json.dumps(record(valley)), format="json-ld")
    assert shacl(graph) == set()
    titles = rdflib.URIRef(DCT + "title")
    whole = rdflib.URIRef(f"urn:forgia:dataset:valley:{load_manifest(valley).version}")
    graph.remove((whole, titles, None))  # so that a check that checks nothing is seen
    assert shacl(graph) == {DCT + "title"}
    graph.add((whole, titles, rdflib.Literal("Valley")))
    size = rdflib.URIRef(DCAT + "byteSize")
    (split, _, _) = next(graph.triples((None, size, None)))
    graph.set((split, size, rdflib.Literal("large")))
    assert shacl(graph) == {DCAT + "byteSize"}
    licence = rdflib.URIRef(DCT + "license")
    graph.set((split, size, rdflib.Literal(1, datatype=rdflib.XSD.nonNegativeInteger)))
    graph.set((split, licence, rdflib.URIRef("https://example.org/of-no-class")))
    assert shacl(graph) == {DCT + "license"}


def usage_of(*places, windows=7):
    """What usage.json of a run on these says."""
    manifests = [load_manifest(place) for place in places]
    shard = {"windows": windows, "series": 1, "tokens": 12.5, "policy": "x"}
    return {
        "format": "forgia.usage/1",
        "dataset": {"identifier": "valley@0", "version": "0"},
        "grant": "g" * 64,
        "step": 1200,
        "contributions": {
            one.name: {
                "version": one.version,
                "contributor": "acme",
                "shards": {"shards/train-000.h5": shard},
            }
            for one in manifests
        },
        "before": [{"unknown": "downloads/base"}],
    }


def test_the_summary_has_the_three_sections_and_lists_each_source_once(valley):
    text = summary(valley)
    heads = [line for line in text.splitlines() if line.startswith("## ")]
    assert heads == [
        "## 1. General information",
        "## 2. List of data sources",
        "## 3. Data processing",
    ]
    parts = {kind: text.split(f"### {kind}")[1].split("###")[0] for kind in ("2.1", "2.2", "2.6")}
    for name, kind in (("forge", "2.1"), ("mill", "2.2"), ("quench", "2.6")):
        assert [number for number, part in parts.items() if f"({name}@" in part] == [kind]
    assert "until: 2030-12-31" in text
    assert "windows seen" not in text


def test_of_a_run_the_summary_tells_what_it_has_seen_and_nothing_else(valley):
    text = summary(valley, usage_of(valley.parent / "mill", valley.parent / "quench"))
    assert "14 windows, 25 tokens" in text
    assert "forge@" not in text
    assert "What downloads/base has seen is not told" in text
    assert "1,200 steps" in text


def test_a_run_on_another_version_is_refused(valley, tmp_path):
    other = sealed(tmp_path / "other", "mill", 5)
    with pytest.raises(InputError, match="does not lie here"):
        summary(valley, usage_of(other))


def test_only_the_summary_takes_a_run(valley, tmp_path):
    with pytest.raises(InputError, match="--run"):
        export(valley, "dcat", tmp_path / "out", quiet, usage_of(valley.parent / "mill"))
