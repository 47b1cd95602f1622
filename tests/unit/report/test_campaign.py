"""The page of a campaign, and the same on the terminal."""

import base64
import io
import json
import re
import struct
import zlib

import pytest
from fakes.browser import Page
from fakes.campaign_run import campaign_run
from rich.console import Console

from forgia_hpc.report.campaign_figures import (
    causes,
    checks,
    cost_facts,
    counts,
    course,
    made_of,
)
from forgia_hpc.report.design import ticks_of
from forgia_hpc.report.facts import read_run
from forgia_hpc.report.page import write_report
from forgia_hpc.report.svg import Scale
from forgia_hpc.report.terminal import show_run

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


@pytest.fixture
def run(tmp_path):
    return campaign_run(tmp_path)


def page_of(run):
    return write_report(run).read_text(encoding="utf-8")


def pictures(text):
    found = re.findall(r"--film:url\(data:image/png;base64,([^)]+)\)", text)
    return [base64.b64decode(one) for one in found]


def test_the_page_says_what_became_of_the_members(run):
    text = page_of(run)
    assert "37 of 40 simulations by heat_quench are in quench@4fc00f459e31" in text
    assert "2 were rejected and 1 given up as poison (the first: " in text
    for title in ("Campaign", "Design", "Fields", "Residuals and checks", "Left out", "Course"):
        assert f">{title}</h2>" in text
    assert "energy_balance 2.0, below 1e-12" in text
    assert "2 times ValueError: no root" in text
    assert "0.125" in text  # the refinement error
    assert len(text.encode()) < 1_500_000


def test_the_page_is_well_formed_and_needs_no_network(run):
    text = page_of(run)
    page = Page(text)
    assert page.links == []
    assert {"script", "img", "link", "iframe"}.isdisjoint(name for name, _ in page.tags)
    assert len(page.ids) == len(set(page.ids))
    assert all(found["role"] == "img" and found["aria-label"] for found in page.named("svg"))
    assert set(re.findall(r"url\((\w+):", text)) == {"data"}
    assert text == page_of(run)


def test_a_field_that_refinement_left_alone_has_no_error_bar(run):
    path = run.output / "campaign" / "campaign.json"
    told = json.loads(path.read_text())
    told["errors"]["ferrite"] = {"max": 0.0, "rms": 0.0}
    path.write_text(json.dumps(told))
    console = Console(file=io.StringIO(), width=140)
    show_run(run, console)
    [line] = [one for one in console.file.getvalue().splitlines() if "ferrite" in one]
    assert "no error bar: the refined members gave the same on both meshes" in line
    row = re.search(r"<tr><th[^>]*>ferrite</th>(.*?)</tr>", page_of(run))
    assert row is not None
    assert re.findall(r">([^<]*)</td>", row[1]) == ["–", "–"]


def test_figures_are_those_of_the_journal_and_the_receipt(run):
    facts = read_run(run)
    told = {name: value for name, value, _ in counts(facts.campaign)}
    assert told == {
        "Planned": "40", "Admitted": "37", "Rejected": "2", "Poison": "1", "Refined": "1",
    }  # fmt: skip
    cost = dict(cost_facts(facts, facts.campaign))
    assert cost["The whole run, by its receipt"] == "2.00 core-h"
    assert cost["An admitted member, all included"].startswith("195 core-s")
    assert cost["A member, solving alone"].startswith("0.920 core-s")  # two ranks of 0.46 s
    assert cost["The longest member"] == "1.04 core-s"
    assert cost["A refined member"].startswith("0.820 core-s, ")
    balance, finite = checks(facts.campaign)
    assert (balance.failed, balance.seen, finite.failed) == (2, 40, 0)
    assert max(balance.values) == 2.0
    assert causes(facts.campaign) == [("ValueError", "the member's own", 2, 1, "1 poison")]


def test_throughput_is_told_by_group_and_adds_up(run):
    went = course(read_run(run).campaign)
    assert set(went.groups) == {0, 1}
    width = went.seconds / len(went.total)
    assert sum(rate for _, rate in went.total) * width == pytest.approx(40)
    assert went.idle == 0


def test_time_between_two_attempts_is_left_out(run):
    facts = read_run(run)
    moved = {
        group: [(at + 7200 * (at > some[5][0]), seconds) for at, seconds in some]
        for group, some in facts.campaign.solved.items()
    }
    facts.campaign.solved.update(moved)
    went = course(facts.campaign)
    assert went.idle == pytest.approx(7200, abs=2)
    assert went.seconds < 60


def test_fields_are_pictures_of_sealed_and_of_rejected_members(run):
    text = page_of(run)
    found = pictures(text)
    assert len(found) == 4 * 3 + 2  # rejected ones have left the temperature alone
    width, height = struct.unpack(">II", found[0][16:24])
    body = found[0][found[0].index(b"IDAT") + 4 :]
    lines = zlib.decompressobj().decompress(body)
    assert len(lines) == height * (width + 1)
    assert 0 not in set(lines[1 : width + 1])  # every cell has a number
    assert "Member 3, rejected" in text
    assert "output/campaign/rejected/0000000000000003 could not be read" in text  # its velocity


@pytest.mark.parametrize("shape", [(12,), (6, 5, 4)])
def test_fields_of_one_and_three_axes_are_shown(tmp_path, shape):
    text = page_of(campaign_run(tmp_path, shape=shape))
    sizes = {struct.unpack(">II", one[16:24]) for one in pictures(text)}
    assert len(sizes) == 1
    Page(text)


def test_a_dataset_that_is_gone_or_broken_costs_only_the_pictures(run, tmp_path):
    manifest = tmp_path / "data" / "quench" / "manifest.json"
    manifest.write_text(manifest.read_text()[:-40])
    text = page_of(run)
    assert "could not be read" in text
    assert ">Fields</h2>" not in text
    manifest.unlink()
    assert "37 of 40 simulations" in page_of(run)


def test_a_campaign_at_work_says_how_far_it_is(tmp_path):
    run = campaign_run(tmp_path, concluded=False)
    text = page_of(run)
    assert "17 of 40 members admitted, 2 were rejected, 1 given up as poison" in text
    assert "Not settled" in text
    assert ">Fields</h2>" not in text
    Page(text)


def test_a_broken_list_or_journal_is_named_and_the_page_is_written(run):
    (run.inputs / "members.json").write_text("{")
    assert "inputs/members.json or the journal could not be read" in page_of(run)
    other = run.inputs / "members.json"
    other.write_text(json.dumps({"members": {"id": 3}}))
    assert "could not be read" in page_of(run)


def test_names_that_look_like_markup_stay_text(run):
    path = run.inputs / "members.json"
    content = json.loads(path.read_text())
    content["inputs"][0]["ucum"] = content["inputs"][1]["ucum"] = EVIL
    content["dataset"] = content["design"]["constraints"][0] = EVIL
    path.write_text(json.dumps(content))
    page = Page(page_of(run))
    assert {"script", "img"}.isdisjoint(name for name, _ in page.tags)
    assert not any(key.startswith("on") for _, found in page.tags for key in found)


def test_ten_thousand_members_make_no_larger_page(tmp_path):
    few = len(page_of(campaign_run(tmp_path / "few", 400)))
    many = campaign_run(
        tmp_path / "many", 10_000, rejected=tuple(range(0, 900, 3)), poison=(8, 1000)
    )
    text = page_of(many)
    assert len(text) < few + 250_000
    assert "272 more are there" in text


def test_the_terminal_says_the_same(run):
    console = Console(file=io.StringIO(), width=140, force_terminal=False)
    show_run(run, console)
    text = console.file.getvalue()
    for words in ("37 of 40 simulations", "core-s", "energy balance", "rms 0.125", "2 times, the"):
        assert words in text, words
    assert "rejected: energy_balance 2.0" in text


def test_a_refined_member_that_was_rejected_is_told_apart(tmp_path):
    """The page once said "Rejected 0, Refined 1 of 1" of it."""
    run = campaign_run(tmp_path, rejected=(3, 40), poison=())
    path = run.output / "campaign" / "campaign.json"
    account = {**json.loads(path.read_text()), "warning": "no error bars: 0 of 1 was admitted"}
    path.write_text(json.dumps(account))
    facts = read_run(run)
    told = {name: (value, note) for name, value, note in counts(facts.campaign)}
    assert told["Rejected"][0] == "1"
    assert told["Refined"] == ("0", "of 1, twice as fine, 1 rejected")
    assert dict(made_of(facts, facts.campaign))["Warning"].startswith("no error bars")
    text = page_of(run)
    assert "refined, rejected" in text
    assert "no error bars: 0 of 1 was admitted" in text
    out = io.StringIO()
    show_run(run, Console(file=out, width=140))
    assert "refined, rejected: energy_balance" in out.getvalue()
    assert "no error bars" in out.getvalue()


@pytest.mark.parametrize(("low", "high"), [(3587.0, 4389.0), (300.0, 5000.0), (1e-3, 1e3)])
def test_a_narrow_axis_of_powers_of_ten_has_marks_too(low, high):
    """Between 2,000 and 5,000 there is no round power: four members drawn close together have a page as well."""
    found = ticks_of(Scale(low, high, 0.0, 100.0, log=True))
    assert found
    assert all(0 <= at <= 100 for at, _ in found)
