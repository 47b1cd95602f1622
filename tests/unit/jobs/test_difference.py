"""diff and rerun: what two seals have not in common, and a seal taken over as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from forgia_hpc.errors import SealBrokenError
from forgia_hpc.jobs.difference import code_diff, differences
from forgia_hpc.jobs.package import seal
from forgia_hpc.jobs.plan import Wish, make_plan
from forgia_hpc.jobs.rerun import seal_again, wish_again
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.schema.job import Kind


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "train.py").write_text("rate = 1\nsteps = 2\n")
    return folder


def sealed(source: Path, *overrides: str, argv: tuple[str, ...] = ("true",)) -> RunDir:
    words = [f"command.source={source}", *overrides]
    return seal(make_plan(Wish(kind=Kind.command, overrides=words, argv=argv))).run


def test_two_seals_of_the_same_job_have_no_difference(source: Path) -> None:
    assert differences(sealed(source), sealed(source)) == []


def test_every_kind_of_difference_is_named(source: Path) -> None:
    left = sealed(source)
    (source / "train.py").write_text("rate = 1\nsteps = 3\n")
    (source / "new.py").write_text("")
    right = sealed(source, "seed=7", "resources.ranks_per_node=2")
    found = {(one.section, one.key): (one.left, one.right) for one in differences(left, right)}
    assert found["config", "seed"] == (0, 7)
    assert found["config", "resources.ranks_per_node"] == (1, 2)
    assert found["code", "source/new.py"][0] is None
    assert ("code", "source/train.py") in found
    assert not any(section == "environment" for section, _ in found)
    lines = list(code_diff(left, right, "source/train.py"))
    assert "-steps = 2" in lines
    assert "+steps = 3" in lines


def test_another_package_version_is_told(source: Path) -> None:
    left, right = sealed(source), sealed(source)
    manifest = read_json(right.manifest)
    manifest["environment"]["packages"]["numpy"]["version"] = "0.0.1"
    right.manifest.write_text(json.dumps(manifest))
    (one,) = differences(left, right)
    assert (one.section, one.key) == ("environment", "numpy")
    assert str(one.right).startswith("0.0.1 ")


def test_a_seal_that_cannot_be_read_is_a_broken_seal(source: Path) -> None:
    left, right = sealed(source), sealed(source)
    right.manifest.write_text("{}")
    with pytest.raises(SealBrokenError, match=right.name):
        differences(left, right)


def test_a_seal_taken_over_has_the_digest_of_the_old_one_and_a_name_of_its_own(
    source: Path,
) -> None:
    old = sealed(source, "seed=3")
    (source / "train.py").write_text("edited since\n")
    again = seal_again(old)
    assert again.run.name != old.name
    assert again.digest == read_json(old.manifest)["digest"]
    assert differences(old, again.run) == []
    assert read_json(again.run.job)["path"] == str(again.run.path)
    assert again.run.events("sealed")[0].facts["again_from"] == old.name


def test_the_script_taken_over_names_the_new_run(source: Path, monkeypatch) -> None:
    monkeypatch.setenv("FORGIA_DEV_SLURM", "/nowhere")
    old = sealed(source, "cluster=dev")
    again = seal_again(old)
    text = (again.run.path / "job.sbatch").read_text()
    assert old.name not in text
    assert again.run.name in text
    assert text == again.text


@pytest.mark.parametrize("place", ["code/source/train.py", "config.yaml", "inputs/cluster.yaml"])
def test_an_edited_run_is_not_run_again(source: Path, place: str) -> None:
    old = sealed(source)
    with (old.path / place).open("a") as opened:
        opened.write("# edited\n")
    with pytest.raises(SealBrokenError, match=place):
        seal_again(old)
    assert [path.name for path in old.path.parent.iterdir()] == [old.name]


def test_with_other_values_the_old_command_line_is_said_again(source: Path) -> None:
    old = sealed(source, "seed=3", argv=("python", "train.py", "--lr=1"))
    wish = wish_again(old, ["seed=4"])
    assert wish.kind is Kind.command
    assert list(wish.argv) == ["python", "train.py", "--lr=1"]
    assert make_plan(wish).job.seed == 4
