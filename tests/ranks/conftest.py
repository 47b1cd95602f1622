"""What the ranks tier shares: long files first, and no process outlives the test that started it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

FAILED = pytest.StashKey[bool]()
# With several processes the long ones begin first: what begins last decides when the tier ends.
LONGEST = (
    "test_training",
    "test_campaign",
    "test_verification",
    "test_golden_training",
    "test_campaign_ends",
    "test_admission",
    "test_campaign_disks",
    "test_long_members",
    "test_plugins",
    "test_usage",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; a file's own tests keep their order."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONGEST)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Note for the fixture below whether a test has failed."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture(autouse=True)
def _nobody_outlives_a_test(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """End and reap what a test leaves: a child of a failed one was once told as the error of the next.

    A test that passes has waited for its children itself.
    """
    started: list[subprocess.Popen[Any]] = []
    begin = subprocess.Popen.__init__

    def noted(process: subprocess.Popen[Any], *words: Any, **options: Any) -> None:
        begin(process, *words, **options)
        started.append(process)

    monkeypatch.setattr(subprocess.Popen, "__init__", noted)
    yield
    left = [process for process in started if process.returncode is None]
    for process in left:
        end(process)
    if left and not request.node.stash.get(FAILED, False):
        pytest.fail(f"nobody waited for {[process.args for process in left]}")


def end(process: subprocess.Popen[Any]) -> None:
    """Kill a child with all that it started, and reap it."""
    family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.kill()
    for one in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait()
