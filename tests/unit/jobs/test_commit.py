"""The git commit of a sealed source: noted where git knows it, and nothing of the repository is run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from forgia_hpc.jobs.commit import commit_of, sealed_commit, source_line
from forgia_hpc.jobs.difference import differences
from forgia_hpc.jobs.package import seal
from forgia_hpc.jobs.plan import Wish, make_plan
from forgia_hpc.rundir import RunDir
from forgia_hpc.schema.job import Kind


def git(folder: Path, *words: str) -> str:
    own = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", "-C", str(folder), *own, *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    (folder / "train").mkdir(parents=True)
    (folder / "train" / "run.py").write_text("print(1)\n")
    (folder / ".gitignore").write_text("*.pt\n")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    return folder


def test_the_commit_and_whether_it_was_changed(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    source = repository / "train"
    (source / "model.pt").write_text("ignored")
    (repository / "beside.txt").write_text("not of this directory")
    assert commit_of(source) == {"commit": commit, "changed": False}
    (source / "new.py").write_text("")
    assert source_line(commit_of(source)) == f"{commit[:12]}, changed"


def test_nothing_of_the_repository_is_run(repository: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(trap))
    git(repository, "config", "core.hooksPath", str(tmp_path))
    (tmp_path / "post-index-change").symlink_to(trap)
    assert "commit" in commit_of(repository)
    assert not (tmp_path / "sprung").exists()


def test_without_a_repository_a_commit_or_git_the_digests_stand_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert commit_of(tmp_path) == {}
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "--quiet")
    assert "no commit yet" in str(commit_of(tmp_path / "empty")["why"])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git is not on this machine" in str(commit_of(tmp_path)["why"])


def test_it_is_sealed_and_told_beside_code_that_differs(repository: Path) -> None:
    def sealed() -> RunDir:
        words = ["cluster=local", f"command.source={repository}"]
        return seal(make_plan(Wish(kind=Kind.command, overrides=words, argv=["true"]))).run

    first = sealed()
    git(repository, "commit", "--quiet", "--allow-empty", "-m", "the same files")
    second = sealed()
    assert differences(first, second) == []
    (repository / "train" / "run.py").write_text("print(2)\n")
    third = sealed()
    told = {one.key: (one.left, one.right) for one in differences(second, third)}
    commit = git(repository, "rev-parse", "HEAD")[:12]
    assert told["source (git)"] == (commit, f"{commit}, changed")
    assert sealed_commit(third)["changed"] is True
