"""`.ci/test` looks for a tier's tests in the tier's own folder: none may lie elsewhere, unseen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
RUNS = re.findall(r"-m (\w+) tests/(\w+)", (TESTS.parent / ".ci/test").read_text())
FOLDERS = {mark: {folder for one, folder in RUNS if one == mark} for mark, _ in RUNS}


def test_every_folder_of_a_tier_is_run(pytestconfig: pytest.Config) -> None:
    marks = {line.partition(":")[0] for line in pytestconfig.getini("markers")}
    folders = {path.relative_to(TESTS).parts[0] for path in TESTS.rglob("test_*.py")}
    assert marks & folders == FOLDERS.keys()


def test_the_tests_of_a_tier_lie_in_its_folder() -> None:
    strays = []
    for path in TESTS.rglob("test_*.py"):
        marks = FOLDERS.keys() & re.findall(r"\bmark\.(\w+)\b", path.read_text())
        place = path.relative_to(TESTS)
        strays += [f"{place}: {mark}" for mark in marks if place.parts[0] not in FOLDERS[mark]]
    assert strays == []
