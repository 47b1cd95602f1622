import json
import re

import pytest
from fakes.browser import Page
from fakes.finished_run import computing_run, failed_run, finished_run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forgia_hpc.report.facts import read_run
from forgia_hpc.report.page import render, write_report
from forgia_hpc.report.theme import STYLE
from forgia_hpc.rundir import RunDir

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>\ud800'


@pytest.fixture
def run(tmp_path):
    return finished_run(tmp_path)


def test_the_page_of_a_finished_run_says_what_came_out(run):
    path = write_report(run)
    text = path.read_text(encoding="utf-8")

    assert path == run.path / "report.html"
    assert len(text.encode()) < 1_500_000
    assert "telemetry_1m was trained on consortium@5be1f0c2a977 for 600 steps" in text
    assert "27\u00a0% lower than the seasonal naive" in text
    for title in ("Skill", "How it learned", "Scores", "Forecasts", "Anomaly scores", "Origin"):
        assert f">{title}</h2>" in text
    assert "do-not-show" not in text


def test_the_page_is_well_formed_accessible_and_needs_no_network(run):
    page = Page(write_report(run).read_text(encoding="utf-8"))

    assert page.named("html")[0]["lang"] == "en"
    assert len(page.named("h1")) == 1
    assert len(page.ids) == len(set(page.ids))
    assert all(target.startswith("#") and target[1:] in page.ids for target in page.targets)
    assert page.links == []
    assert {"script", "link", "iframe", "object"}.isdisjoint(name for name, _ in page.tags)
    assert all(found.get("scope") in ("col", "row") for found in page.named("th"))
    assert all(found["role"] == "img" and found["aria-label"] for found in page.named("svg"))


def test_the_same_run_gives_the_same_page(run):
    assert write_report(run).read_bytes() == write_report(run).read_bytes()


def test_a_name_that_looks_like_markup_stays_text(run):
    path = run.output / "evaluation.json"
    content = json.loads(path.read_text())
    content["model"]["name"] = content["notes"][0] = EVIL
    for entry in (content["examples"][0], content["anomaly"][0], content["scores"][0]):
        entry["asset"] = entry["channel"] = entry["contribution"] = entry["unit"] = EVIL
    content["skill"][0]["contribution"] = content["skill"][0]["split"] = EVIL
    path.write_text(json.dumps(content))
    run.event("note", **{EVIL: EVIL})
    (run.path / "receipt.json").write_text(json.dumps({EVIL: EVIL}))

    text = write_report(run).read_text(encoding="utf-8")

    page = Page(text)
    assert "script" not in {name for name, _ in page.tags}
    assert "img" not in {name for name, _ in page.tags}
    assert not any(key.startswith("on") for _, found in page.tags for key in found)
    assert "&lt;script&gt;" in text


def test_a_failed_run_says_where_and_why(tmp_path):
    text = write_report(failed_run(tmp_path)).read_text(encoding="utf-8")

    assert "failed at step 57 of 600: rank 3 on lrdn0412 failed: OutOfMemoryError" in text
    assert (
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB &lt;b&gt;&amp;"
        in text
    )
    assert "step 56" not in text  # a progress bar's overwritten states
    assert "Skill</h2>" not in text
    Page(text)


def test_a_computing_run_claims_no_ending(tmp_path):
    run = computing_run(tmp_path)

    assert "step 120 of 600, and no ending is recorded" in render(read_run(run))
    assert "step 120 of 600, still running" in render(read_run(run), "running")


def test_an_empty_directory_gets_a_page(tmp_path):
    text = write_report(RunDir(tmp_path)).read_text(encoding="utf-8")

    assert "left no event, no metrics and no result here" in text
    Page(text)


def test_broken_files_are_named_and_the_page_is_written(run):
    broken = ["result.json", "job.json", "manifest.json", "output/evaluation.json", "config.yaml"]
    for name in broken:
        (run.path / name).write_bytes(b"{ \xff [")
    (run.path / "metrics.jsonl").write_text('{"loss": 1}\n')
    (run.path / "events" / "0-x-0.json").write_text("[]")

    text = write_report(run).read_text(encoding="utf-8")

    for name in [*broken, "metrics.jsonl", "events/0-x-0.json"]:
        assert f"{name} could not be read" in text


@pytest.fixture
def small(run):
    """A run whose page takes milliseconds, for many of them."""
    path = run.output / "evaluation.json"
    content = json.loads(path.read_text())
    for name in ("scores", "skill", "examples", "anomaly"):
        content[name] = content[name][:2]
    for one in content["examples"]:
        one["context"] = one["context"][-8:]
    for one in content["anomaly"]:
        one["scores"] = one["scores"][:8]
    path.write_text(json.dumps(content))
    run.metrics.write_text("".join(run.metrics.read_text().splitlines(keepends=True)[:4]))
    return run


LEAVES = st.none() | st.booleans() | st.integers(-3, 10**320) | st.floats() | st.text(max_size=5)


def nested(inner):
    return st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)


JSON = LEAVES | nested(LEAVES | nested(LEAVES))


def spoil(content, data):
    """Replace one place of a JSON document by anything."""
    while True:
        keys = list(content) if isinstance(content, dict) else list(range(len(content)))
        key = data.draw(st.sampled_from(keys[:6]))
        inner = content[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.integers(0, 3)) == 0:
            content[key] = data.draw(JSON)
            return
        content = inner


@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_whatever_the_files_hold_there_is_a_page(small, data):
    names = [
        "output/evaluation.json",
        "result.json",
        "manifest.json",
        "job.json",
        "inputs/grant.json",
    ]
    path = small.path / data.draw(st.sampled_from(names))
    before = path.read_text(encoding="utf-8")
    content = json.loads(before)
    for _ in range(3):
        spoil(content, data)
    path.write_text(json.dumps(content), encoding="utf-8")
    try:
        Page(render(read_run(small)))
    finally:
        path.write_text(before, encoding="utf-8")


def luminance(colour):
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_texts_have_the_contrast_of_wcag_aa_in_light_dark_and_print():
    blocks = re.findall(r":root\{(.*?)\}", STYLE, flags=re.DOTALL)
    themes = [dict(re.findall(r"--([\w-]+):#(\w+)", block)) for block in blocks]

    assert len(themes) == 3
    for theme in themes:
        colours = {
            name: luminance("#" + (value if len(value) == 6 else "".join(c + c for c in value)))
            for name, value in theme.items()
        }
        for name in ("ink", "soft", "accent"):
            dark, light = sorted((colours[name], colours["paper"]))
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, theme)
