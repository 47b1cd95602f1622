"""The text of every profile in every launch mode, and what no profile and no job may do to a script.

FORGIA_GOLDEN=write pytest tests/unit/slurm/test_request.py     writes the golden files again
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from forgia_hpc.config.check import complete
from forgia_hpc.errors import InputError
from forgia_hpc.node.modes import ARGV, rank_variables
from forgia_hpc.rundir import RunDir
from forgia_hpc.schema.job import Launch
from forgia_hpc.schema.resources import Resources
from forgia_hpc.slurm.cluster import cluster_names, load_cluster
from forgia_hpc.slurm.executor import render
from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.slurm.request import BatchStep, sbatch_request, setup_lines, tasks

GOLDEN = Path(__file__).parent / "golden"
RUN = Path("/runs/20261122-120000-train-abcdef")
IMAGE = {
    "image": "/images/torch.sif",
    "sha256": "e" * 64,
    "runtime": "apptainer",
    "python": "python3",
    "flags": ["--nv"],
    "binds": ["/runs", "/data"],
}
ENABLED = [
    name for name in cluster_names() if (found := load_cluster(name)).slurm and found.enabled
]
PYTHON = (sys.executable,)  # the tests replace sys.executable
PAIRS = [(name, launch) for name in ENABLED for launch in ARGV]


@pytest.fixture(autouse=True)
def _fixed_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGIA_DEV_SLURM", "/dev-slurm")
    monkeypatch.delenv("FORGIA_ALLOCATION", raising=False)
    monkeypatch.setattr("sys.executable", "/venv/bin/python")


def asked(profile: Cluster, **words: object) -> Resources:
    return complete(
        Resources(**{"account": "AIFAC_L01", "nodes": 2, "walltime": "00:30:00", **words}), profile
    )  # type: ignore[arg-type]


def script(profile: Cluster, launch: Launch, run: Path = RUN, **words: object) -> str:
    step = BatchStep(python="/venv/bin/python", digest="d" * 64, launch=launch)
    return render(sbatch_request(asked(profile, **words), profile, step, run=run))


def line(profile: Cluster, launch: Launch, **more: object) -> list[str]:
    """Return the command that starts the ranks, from the facts as the seal keeps them."""
    sealed = json.loads(json.dumps(dataclasses.asdict(profile), default=lambda word: word.value))
    job = {
        "launch": launch.value,
        "slurm": True,
        "accelerator": profile.accelerator,
        "resources": dataclasses.asdict(asked(profile)),
        "srun_args": sealed["scheduler"]["srun_args"],
        "cluster": sealed,
        **more,
    }
    return ARGV[launch](RunDir(RUN), job)


def agrees(path: Path, text: str) -> None:
    if os.environ.get("FORGIA_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize(("name", "launch"), PAIRS)
def test_the_script_is_the_golden_one(name: str, launch: Launch) -> None:
    agrees(GOLDEN / f"{name}.{launch.value}.sbatch", script(load_cluster(name), launch))


@pytest.mark.parametrize("name", ENABLED)
def test_the_lines_that_start_the_ranks_are_the_golden_ones(name: str) -> None:
    profile = load_cluster(name)
    lines = {launch.value: line(profile, launch) for launch in ARGV}
    lines["srun in a container"] = line(profile, Launch.srun, container=IMAGE)
    agrees(GOLDEN / f"{name}.argv.json", json.dumps(lines, indent=1) + "\n")


def test_no_golden_file_without_its_profile() -> None:
    known = {f"{name}.{launch.value}.sbatch" for name, launch in PAIRS}
    known |= {f"{name}.argv.json" for name in ENABLED}
    assert {path.name for path in GOLDEN.iterdir()} == known


@pytest.mark.parametrize(("name", "launch"), PAIRS)
def test_bash_and_sbatch_can_read_it(name: str, launch: Launch) -> None:
    text = script(load_cluster(name), launch)
    done = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [each for each in text.splitlines() if each]
    first = next(i for i, each in enumerate(lines) if not each.startswith("#"))
    assert not [each for each in lines[first:] if each.startswith("#")][2:]  # submitit's two titles
    assert not [each for each in lines if re.match(r"#\s*SBATCH", each)][len(lines[:first]) :]
    options = [each.split("=")[0] for each in lines if each.startswith("#SBATCH")]
    assert len(options) == len(set(options))
    assert not [each for each in lines[:first] if "$" in each]


def test_what_a_path_holds_is_never_run(tmp_path: Path) -> None:
    profile = load_cluster("dev")
    run = tmp_path / "a b'c\"d;touch x$(touch y)`touch z`$HOME%j&"
    text = script(profile, Launch.srun, run)
    shown = 'import os, sys; print(os.environ["PYTHONPATH"]); print(sys.argv[3])'
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\nexec {os.path.realpath('/proc/self/exe')} -c '{shown}' \"$@\"\n")
    fake.chmod(0o755)
    text = text.replace("exec /venv/bin/python", f"exec {fake}")
    done = subprocess.run(
        ["bash"], input=text, text=True, capture_output=True, cwd=tmp_path, check=True
    )
    assert done.stdout == f"{run / 'code'}\n{run}\n"
    assert {path.name for path in tmp_path.iterdir()} == {"python"}


def test_a_signal_that_comes_before_python_ends_nothing(tmp_path: Path) -> None:
    """Slurm then called the job FAILED with ExitCode 0:10. Whoever Python starts must hear it again."""
    text = script(load_cluster("dev"), Launch.srun, tmp_path)
    child = "import signal; print(signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL)"
    shown = (
        "import os, signal, subprocess, sys; from forgia_hpc.node.watch import Ear; ear = Ear(); "
        "os.kill(os.getpid(), signal.SIGUSR1); print(ear.heard, flush=True); "
        f"subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    )
    text = re.sub(r"export PYTHONPATH=.*\n", "", text)
    started = f"kill -USR1 $$\nexec {shlex.join([*PYTHON, '-c', shown])}\n#"
    text = text.replace("exec /venv/bin/python", started)
    done = subprocess.run(
        ["bash"], input=text, text=True, capture_output=True, cwd=Path.cwd(), check=False
    )
    assert (done.returncode, done.stdout) == (0, "SIGUSR1\nTrue\n"), done.stderr


@pytest.mark.parametrize("bad", ["a\n#SBATCH --exclusive", "a\rb", "a\0b"])
def test_a_value_that_ends_its_line_is_refused(bad: str) -> None:
    with pytest.raises(InputError, match="no line breaks"):
        script(load_cluster("dev"), Launch.srun, Path("/runs") / bad)


# --- what differs by site is data -----------------------------------------------------------------


def changed(name: str = "dev", **blocks: dict[str, object]) -> Cluster:
    profile = load_cluster(name)
    for block, values in blocks.items():
        profile = dataclasses.replace(
            profile, **{block: dataclasses.replace(getattr(profile, block), **values)}
        )
    return profile


@pytest.mark.parametrize(
    ("syntax", "launch", "wanted"),
    [
        ("gres", Launch.srun, "--gres=gpu:a100:4"),
        ("gpus", Launch.srun, "--gpus=a100:8"),
        ("gpus_per_node", Launch.srun, "--gpus-per-node=a100:4"),
        ("gpus_per_task", Launch.srun, "--gpus-per-task=a100:1"),
        ("gpus_per_task", Launch.torchrun, "--gpus-per-task=a100:4"),
        ("none", Launch.srun, None),
    ],
)
def test_each_way_to_ask_for_gpus(syntax: str, launch: Launch, wanted: str | None) -> None:
    profile = changed("leonardo_booster", scheduler={"gpu_syntax": syntax, "gpu_type": "a100"})
    found = [each[8:] for each in script(profile, launch).splitlines() if "gpu" in each.lower()]
    assert [each for each in found if each.startswith("--g")] == ([wanted] if wanted else [])


def test_gpus_that_tasks_cannot_share_evenly_are_asked_for_by_the_node() -> None:
    profile = changed("leonardo_booster", scheduler={"gpu_syntax": "gpus_per_task"})
    text = script(profile, Launch.srun, ranks_per_node=8, gpus_per_node=4)
    assert "--gpus-per-node=" in text
    assert "--gpus-per-task" not in text


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [("required", ["--mem=482G"]), ("whole_node", ["--mem=0"]), ("forbidden", []), ("site", [])],
)
def test_memory_as_the_site_wants_it(policy: str, wanted: list[str]) -> None:
    text = script(changed("leonardo_booster", scheduler={"mem_policy": policy}), Launch.srun)
    assert [each[8:] for each in text.splitlines() if "--mem" in each] == wanted


def test_account_constraint_wckey_and_exclusive_come_from_the_profile() -> None:
    profile = changed(
        accounting={"account_suffix": "@h100"},
        scheduler={"constraint": "gpu&hbm80g", "wckey": "ai", "extra": {"hint": "nomultithread"}},
    )
    partitions = (dataclasses.replace(profile.partitions[0], exclusive=True),)
    text = script(dataclasses.replace(profile, partitions=partitions), Launch.srun)
    for wanted in (
        "#SBATCH --account=AIFAC_L01@h100",
        "#SBATCH --constraint='gpu&hbm80g'",
        "#SBATCH --wckey=ai",
        "#SBATCH --hint=nomultithread",
        "#SBATCH --exclusive",
    ):
        assert wanted in text.splitlines()
    assert "--account=AIFAC_L01@h100\n" in script(profile, Launch.srun, account="AIFAC_L01@h100")


def test_caches_go_where_the_profile_says_and_the_site_expands_its_own_variables() -> None:
    profile = changed(
        roots={"caches": "$WORK/a b/${USER}"}, env={"defaults": {"X": "1;$(touch x)"}}
    )
    text = script(profile, Launch.srun)
    assert "source /etc/profile" in text
    exports = "".join(each + "\n" for each in text.splitlines() if each.startswith("export"))
    show = 'echo "$HF_HOME|$PIP_CACHE_DIR|$XDG_CACHE_HOME|$X"'
    done = subprocess.run(
        ["bash", "-c", exports + show],
        env={"WORK": "/w $(x)", "USER": "me"},
        capture_output=True,
        text=True,
        check=True,
    )
    root = "/w $(x)/a b/me"
    assert done.stdout == f"{root}/huggingface|{root}/pip|{root}|1;$(touch x)\n"
    done = subprocess.run(
        ["bash", "-c", exports], env={}, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "WORK" in done.stderr


def test_modules_are_loaded_or_the_job_ends_and_a_conflicting_one_is_refused() -> None:
    profile = changed(
        software={"init": ("module purge",), "modules": ("cuda/12.1",), "module_conflicts": ("ai",)}
    )
    lines = setup_lines({}, profile)
    assert lines[:3] == ("source /etc/profile", "module purge", "module load cuda/12.1 || exit 2")
    ends = {"ai/4.3": 2, "ai": 2, "aix": 0, "x/ai": 0, "gcc/1:ai/2:cuda/3": 2}
    for loaded, code in ends.items():
        words = ["bash", "-c", lines[3]]
        env = {"LOADEDMODULES": loaded}
        done = subprocess.run(words, env=env, capture_output=True, check=False)
        assert done.returncode == code, loaded


def test_one_task_of_torchrun_has_the_cores_of_its_ranks() -> None:
    assert tasks(Resources(ranks_per_node=4, cpus_per_rank=8), Launch.torchrun) == (1, 32)
    found = line(load_cluster("leonardo_booster"), Launch.torchrun)
    assert {"--ntasks-per-node=1", "--ntasks=2", "--cpus-per-task=32"} <= set(found)


def test_masks_and_gpu_binding_hold_for_ranks_on_whole_nodes_only() -> None:
    profile = changed(
        "leonardo_booster", scheduler={"srun_args": ("--gpu-bind=closest", "--distribution=block")}
    )
    node = dataclasses.replace(profile.node_types[0], cpu_bind=("0x1", "0x2", "0x4", "0x8"))
    profile = dataclasses.replace(profile, node_types=(node, *profile.node_types[1:]))
    assert not [word for word in line(profile, Launch.srun) if "mask" in word]  # nodes are shared
    alone = tuple(dataclasses.replace(each, exclusive=True) for each in profile.partitions)
    profile = dataclasses.replace(profile, partitions=alone)
    assert "--cpu-bind=mask_cpu:0x1,0x2,0x4,0x8" in line(profile, Launch.srun)
    under_torchrun = line(profile, Launch.torchrun)
    assert "--distribution=block" in under_torchrun
    assert not [word for word in under_torchrun if "bind" in word]


def test_the_fabrics_own_name_of_a_node_reaches_the_ranks() -> None:
    job = {"cluster": {"env": {"master_addr_suffix": "i"}}}
    assert rank_variables(Launch.srun, job) == {"FORGIA_MASTER_ADDR_SUFFIX": "i"}
    assert rank_variables(Launch.torchrun, {"cluster": {"env": {"master_addr_suffix": ""}}}) == {
        "FORGIA_OWN_LOG": "1"
    }
