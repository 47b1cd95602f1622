"""What the comparison with other loaders wrote can be read again, and says what the table needs."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks/data"
RESULTS = sorted((FOLDER / "results").glob("*-peers.json"))


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> object:
    """The module that reads results: benchmarks are scripts, not a package."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import peers_page

    yield peers_page
    del sys.modules["peers_page"]


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_results_are_whole(page, path):
    cases = page.load(path)
    assert {(case.window_bytes, case.run) for case in cases} >= {(4096, 1), (65536, 1)}
    for case in cases:
        assert {row.kind for row in case.rows} == {"ceiling", "ours", "peer"}
        for row in case.rows:
            assert row.compared >= case.batch, f"{row.way}: its values were not compared"
            assert row.spread[0] <= row.cpu <= row.spread[1]


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_table_and_plot_name_every_way(page, path):
    cases = page.load(path)
    lines, picture = page.table(cases), page.plot(cases)
    ElementTree.fromstring(picture)
    for row in cases[0].rows:
        assert f"| {row.way} |" in lines
        assert row.way in picture


def test_results_are_there():
    assert RESULTS


def test_another_format_is_refused(page, tmp_path):
    (tmp_path / "x-peers.json").write_text('{"format": "forgia.peers/9", "cases": []}')
    with pytest.raises(ValueError, match=r"forgia\.peers/9"):
        page.load(tmp_path / "x-peers.json")
