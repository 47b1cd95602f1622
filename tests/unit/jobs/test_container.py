"""Jobs in a container: the image is sealed by digest, found again on the node, and only what belongs goes inside.

The runtime is a stand-in that notes its arguments and runs the inner command on the host.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from fakes.apptainer import install_apptainer, told

from forgia_hpc.errors import InputError, SealBrokenError
from forgia_hpc.jobs.container import container_of
from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.container import Container
from forgia_hpc.schema.job import CommandJob, Image, TrainJob
from forgia_hpc.schema.resources import Resources
from forgia_hpc.slurm.cluster import load_cluster

BOXED = """name: boxed
title: This machine, with containers
slurm: false
accelerator: cpu
verified_on: "2026-11-22"
sources: [a test]
ranks_per_node: 1
network: {compute_online: true, login_online: true}
scheduler: {account_required: false, gpu_syntax: none, mem_policy: forbidden}
software: {launch: processes, container: {runtime: apptainer, gpu_flag: --nv}}
"""


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "torch.sif"
    path.write_bytes(b"an image")
    return path


@pytest.fixture
def boxed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without Slurm that runs containers; return where the runtime notes its calls."""
    profile = tmp_path / "mine" / "slurm" / "clusters" / "boxed.yaml"
    profile.parent.mkdir(parents=True)
    profile.write_text(BOXED)
    monkeypatch.setenv("FORGIA_PATH", str(tmp_path / "mine"))
    record = install_apptainer(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return record


def run_of(said: str) -> RunDir:
    return RunDir(Path(json.loads(said.splitlines()[0])["path"]))


def test_a_commands_program_runs_inside_and_the_rank_does_not(
    forgia, boxed: Path, image: Path
) -> None:
    words = ("run", "command", "--json", "cluster=boxed", f"container.image={image}")
    code = "import os; print(os.environ['RANK'], os.getcwd())"
    done = forgia(*words, "--", sys.executable, "-c", code)
    run = run_of(done.stdout)
    (start,) = told(boxed)
    assert start["argv"] == [sys.executable, "-c", code]
    assert start["folder"] == str(run.output)
    assert str(run.path.parent) in start["binds"]
    assert start["flags"] == []  # no GPU was asked for
    assert (run.logs / "rank-0.log").read_text() == f"0 {run.output}\n"
    sealed = json.loads(run.manifest.read_text())
    assert sealed["environment"] == {"image": sealed["start"]["container"]["sha256"]}


def test_the_ranks_of_another_kind_run_inside_by_the_images_python(
    forgia, boxed: Path, image: Path
) -> None:
    words = ("run", "prepare", "--json", "cluster=boxed", "prepare.contributions=[demo_press]")
    inside = (f"container.image={image}", f"container.python={sys.executable}")
    done = forgia(*words, *inside)
    assert done.returncode == 0, done.stderr
    (start,) = told(boxed)
    run = run_of(done.stdout)
    assert start["argv"] == [sys.executable, "-m", "forgia_hpc.node.entry", str(run.path)]
    assert start["env"]["APPTAINERENV_PYTHONPATH"] == str(run.code)
    assert start["env"]["APPTAINERENV_PYTHONSAFEPATH"] == "1"


def test_another_image_under_the_same_name_is_refused_on_the_node(
    forgia, boxed: Path, image: Path
) -> None:
    words = ("run", "command", "--json", "cluster=boxed", f"container.image={image}")
    run = run_of(forgia(*words, "--", "false").stdout)
    image.write_bytes(b"another one")
    assert forgia("resume", run.name).returncode == 0
    done = forgia("wait", run.name)
    assert done.returncode == 5
    assert "content differs from the seal" in done.stdout
    assert len(told(boxed)) == 1


@pytest.mark.parametrize(
    ("cluster", "name", "said"),
    [
        ("local", "torch.sif", "is not established"),
        ("boxed", "absent.sif", "an image file is needed"),
        ("boxed", "docker://x", "without , and :"),
    ],
)
def test_what_can_not_run_is_refused_before_anything_is_sealed(
    forgia, boxed: Path, image: Path, cluster: str, name: str, said: str
) -> None:
    path = name if ":" in name else str(image.with_name(name))
    words = ("run", "command", f"cluster={cluster}", f"container.image='{path}'")
    done = forgia(*words, "--", "true")
    assert done.returncode == 2
    assert said in done.stderr
    assert not list(Path(os.environ["FORGIA_RUNS"]).glob("*"))


def test_gpus_bring_the_profiles_flag_and_data_and_runs_are_shown(
    boxed: Path, image: Path, tmp_path: Path
) -> None:
    from dataclasses import replace

    cluster = replace(load_cluster("boxed"), accelerator="cuda")
    (tmp_path / "runs").mkdir()
    roots = (tmp_path / "runs", tmp_path / "no-data-yet")
    wish = Image(image=str(image), binds=[str(tmp_path)])
    job = TrainJob(container=wish, resources=Resources(gpus_per_node=2))
    found = container_of(job, cluster, roots)
    assert found is not None
    assert (found.flags, found.program_only) == (("--nv",), False)
    assert found.binds == (str(tmp_path / "runs"), str(tmp_path))
    assert container_of(CommandJob(), cluster, roots) is None


def test_an_image_that_is_gone_breaks_the_seal(tmp_path: Path) -> None:
    gone = Container(image=str(tmp_path / "x.sif"), sha256="0", runtime="apptainer", python="p")
    with pytest.raises(SealBrokenError, match="No such file"):
        gone.check()


def test_a_folder_outside_of_all_binds_is_shown_itself() -> None:
    box = Container(image="/i", sha256="0", runtime="apptainer", python="p", binds=("/runs",))
    assert box.wrap(["x"], cwd=Path("/runs/a")) == [
        *("apptainer", "exec", "--bind", "/runs", "--pwd", "/runs/a", "/i", "x")
    ]
    assert box.wrap(["x"], cwd=Path("/else"))[2:6] == ["--bind", "/runs", "--bind", "/else"]


def test_a_path_that_the_runtime_would_take_apart_is_refused() -> None:
    with pytest.raises(InputError, match="container"):
        Image(image="/a.sif", binds=["/a:/b"])
