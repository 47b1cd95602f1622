"""`forgia cluster check` on this machine: the job, its MPI hello and its verdict."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.ranks


def test_check_runs_here(forgia) -> None:
    told = forgia("cluster", "check", "local", "--json")
    assert told.returncode == 0, told.stderr
    found = {one["what"]: one for one in json.loads(told.stdout)["findings"]}
    assert found["nodes"]["weight"] == "PASSED"
    assert found["MPI"]["found"].startswith("2 ranks on 1 node(s)")
    assert found["GPUs"]["weight"] == "NOT APPLICABLE"


def test_a_place_that_cannot_be_written_fails_the_check(forgia, tmp_path) -> None:
    (tmp_path / "data").write_text("a file where the root of data should be")
    told = forgia("cluster", "check", "local", "--json")
    found = {one["what"]: one for one in json.loads(told.stdout)["findings"]}
    assert told.returncode == 3
    assert found[f"writable {tmp_path / 'data'}"]["weight"] == "ERROR"
