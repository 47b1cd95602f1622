"""What a user types and keeps in files: broken on purpose."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from forgia_hpc.config.compose import compose_job
from forgia_hpc.config.defaults import user_defaults
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.jobs.plan import Wish, make_plan
from forgia_hpc.schema.job import Kind
from forgia_hpc.schema.resources import Resources


@pytest.fixture
def settings() -> Path:
    path = Path(os.environ["XDG_CONFIG_HOME"]) / "forgia" / "config.yaml"
    path.parent.mkdir(parents=True)
    return path


def problems_of(*overrides: str) -> list[Problem]:
    with pytest.raises(InputError) as caught:
        make_plan(Wish(kind=Kind.train, overrides=overrides))
    return list(caught.value.problems)


@pytest.mark.parametrize("text", [b"cluster: [unclosed", b"cluster", b"- a\n- b", b"\x80\xff"])
def test_a_broken_settings_file_is_named_in_one_line(settings: Path, text: bytes) -> None:
    settings.write_bytes(text)
    with pytest.raises(InputError) as caught:
        user_defaults()
    (line,) = str(caught.value).splitlines()
    assert str(settings) in line


def test_every_wrong_setting_is_told_at_once(settings: Path) -> None:
    settings.write_text("runs: 3\naccount: [1]\ncolour: red\n")
    with pytest.raises(InputError) as caught:
        user_defaults()
    assert {problem.field for problem in caught.value.problems} == {"runs", "account", "colour"}


def test_an_account_is_a_value_never_syntax(settings: Path) -> None:
    settings.write_text("account: it's,x=1\n")
    with pytest.raises(InputError, match="one word") as caught:
        compose_job(Kind.train, [])
    (problem,) = caught.value.problems
    assert (problem.field, problem.got) == ("resources.account", "it's,x=1")


def test_a_person_without_a_home_has_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("os.getuid", lambda: 2**31 - 7)  # no such user
    assert user_defaults() == {}


def test_plus_does_not_walk_past_the_schema() -> None:
    fields = {problem.field for problem in problems_of("+colour=red", "+train.stepz=3")}
    assert fields == {"colour", "train.stepz"}


@pytest.mark.parametrize(
    "words", ["=3", "train.steps", "train.steps=[1,2", "resources.account=a b;"]
)
def test_an_override_outside_the_grammar_is_one_line(words: str) -> None:
    (problem,) = problems_of(words)
    assert "\n" not in str(problem)


def test_an_unknown_cluster_is_told_with_the_rest() -> None:
    fields = {problem.field for problem in problems_of("cluster=mars", "train.stepz=3", "model=xx")}
    assert fields == {"cluster", "train.stepz", "model"}


def test_a_line_break_does_not_end_the_directives_of_the_script() -> None:
    with pytest.raises(InputError) as caught:
        Resources(account="a\nrm -rf x", qos="a b", partition="p;q")
    fields = [problem.field for problem in caught.value.problems]
    assert sorted(fields) == ["resources.account", "resources.partition", "resources.qos"]


def test_a_file_is_no_source_directory(forgia) -> None:
    done = forgia("submit", "command", "command.source=/etc/hostname", "--dry-run", "--", "true")
    assert done.returncode == 2
    assert "an existing directory is needed" in done.stderr


@pytest.mark.parametrize("family", ["nosuch", "mine:", ":X", "nowhere_at_all:X"])
def test_a_model_that_nobody_has_is_told_before_the_queue(family: str) -> None:
    fields = [problem.field for problem in problems_of(f"model.family='{family}'")]
    assert "model.family" in fields


def test_a_model_of_ones_own_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text("class X: ...")
    monkeypatch.setenv("FORGIA_PATH", str(tmp_path))
    fields = [problem.field for problem in problems_of("model.family='mine:X'", "data.dataset=no")]
    assert "model.family" not in fields
