"""What the ranks of an attempt are started with: the sealed profile's facts, and their environment."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Any

import yaml

from forgia_hpc.node.deadline import needs_s
from forgia_hpc.rundir import RunDir


def cluster_of(run: RunDir) -> dict[str, Any]:
    """Return the sealed profile."""
    content: dict[str, Any] = yaml.safe_load(
        (run.inputs / "cluster.yaml").read_text(encoding="utf-8")
    )
    return content


def launch_facts(run: RunDir) -> dict[str, Any]:
    """Return what starting the ranks needs beside the sealed start."""
    cluster = cluster_of(run)
    return {
        "path": str(run.path),
        "software": cluster["software"],
        "variables": _variables(cluster),
        "srun_args": cluster["scheduler"]["srun_args"],
        "cluster": cluster,
        "save_s": needs_s(run),
    }


def _variables(cluster: dict[str, Any]) -> dict[str, str]:
    """Return the site's variables of the ranks, as the sealed profile has them."""
    offline = {} if cluster["network"]["compute_online"] else cluster["env"]["offline"]
    both = {**cluster["env"]["defaults"], **offline}
    return {name: os.path.expandvars(value) for name, value in both.items()}


def rank_environment(facts: dict[str, Any], attempt: int) -> dict[str, str]:
    """Return the environment of the ranks: ours, and what the sealed profile adds."""
    own = {
        "FORGIA_ATTEMPT": str(attempt),
        "FORGIA_LAUNCH": f"{attempt}-{secrets.token_hex(4)}",
        "PYTHONSAFEPATH": "1",
        "PYTHONPATH": str(Path(facts["path"]) / "code"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",
        # ninja lives beside the interpreter: without it DeepSpeed's first rank fails, and the
        # lock that it leaves hangs the next start
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }
    if facts["accelerator"] == "cpu":
        own |= {"DS_ACCELERATOR": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    if facts["launch"] == "mpirun" and os.geteuid() == 0:
        own |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    if "OMP_NUM_THREADS" not in facts["variables"]:
        own["OMP_NUM_THREADS"] = str(facts["resources"]["cpus_per_rank"])
    return {**os.environ, **facts["variables"], **own}
