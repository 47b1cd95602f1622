"""What `forgia cluster check` makes of what the ranks saw."""

from __future__ import annotations

from dataclasses import replace

import pytest

from forgia_hpc.node.health_judge import Asked, Clock, Report, judge

ASKED = Asked(
    slurm=True,
    accelerator="cuda",
    nodes=2,
    ranks_per_node=2,
    cpus_per_rank=8,
    gpus_per_node=2,
    gpu_model="NVIDIA A100",
    container="apptainer",
    places=["/scratch"],
)
HELLO = "hello right: 2 ranks on 2 node(s), Open MPI v4.1.4"


def reports() -> list[Report]:
    found = []
    for rank in range(4):
        first, begin = rank % 2 == 0, rank % 2 * 8
        found.append(
            Report(
                rank=rank,
                first=first,
                node=f"n{rank // 2}",
                cpus=list(range(begin, begin + 8)),
                machine_cpus=32,
                gpus=["NVIDIA A100"] * 2 if first else None,
                container="apptainer version 1.3" if first else "",
                places={"/scratch": ""} if first else {},
            )
        )
    return found


def weights(
    asked=ASKED, seen=None, clocks=None, unseen=(), hello: str | None = HELLO
) -> dict[str, str]:
    clocks = [Clock(node="n1", skew_s=0.01, within_s=0.02)] if clocks is None else clocks
    findings = judge(asked, reports() if seen is None else seen, clocks, unseen, hello)
    return {one.what: one.weight for one in findings}


def changed(rank: int, **values: object) -> list[Report]:
    found = reports()
    found[rank] = replace(found[rank], **values)  # type: ignore[arg-type]
    return found


def test_a_healthy_cluster_passes_in_everything() -> None:
    assert weights() == {
        "nodes": "PASSED",
        "GPUs": "PASSED",
        "CPU binding": "PASSED",
        "writable /scratch": "PASSED",
        "MPI": "PASSED",
        "clocks": "PASSED",
        "container": "PASSED",
    }


@pytest.mark.parametrize(
    ("what", "weight", "changes"),
    [
        ("nodes", "ERROR", {"seen": reports()[:2]}),
        ("GPUs", "ERROR", {"seen": changed(2, gpus=None)}),
        ("GPUs", "ERROR", {"seen": changed(2, gpus=["NVIDIA A100"])}),
        ("GPUs", "WARN", {"seen": changed(2, gpus=["NVIDIA H100"] * 2)}),
        ("GPUs", "NOT APPLICABLE", {"asked": replace(ASKED, accelerator="cpu")}),
        ("CPU binding", "ERROR", {"seen": changed(1, cpus=[8])}),
        ("CPU binding", "ERROR", {"seen": changed(1, cpus=list(range(8)))}),
        ("CPU binding", "WARN", {"seen": changed(1, cpus=list(range(32)))}),
        ("CPU binding", "WARN", {"seen": changed(1, machine_cpus=2, cpus=[0, 1])}),
        ("CPU binding", "NOT APPLICABLE", {"asked": replace(ASKED, slurm=False)}),
        (
            "writable /scratch",
            "ERROR",
            {"seen": changed(2, places={"/scratch": "Read-only file system"})},
        ),
        ("writable /scratch", "ERROR", {"unseen": ["/scratch"]}),
        ("MPI", "WARN", {"hello": None}),
        ("MPI", "ERROR", {"hello": "mpirun ended with 1: no slots"}),
        ("MPI", "ERROR", {"hello": "hello wrong: 1 ranks"}),
        ("clocks", "ERROR", {"clocks": [Clock(node="n1", skew_s=-3.0, within_s=0.1)]}),
        ("clocks", "ERROR", {"clocks": [Clock(node="n1", skew_s=None, within_s=0.0)]}),
        ("clocks", "ERROR", {"clocks": []}),
        ("clocks", "WARN", {"clocks": [Clock(node="n1", skew_s=3.0, within_s=4.0)]}),
        ("container", "WARN", {"seen": changed(2, container="")}),
        ("container", "NOT APPLICABLE", {"asked": replace(ASKED, container="")}),
    ],
)
def test_each_fault_is_told_and_no_other(what: str, weight: str, changes: dict) -> None:
    found = weights(**changes)
    assert found[what] == weight
    if "seen" not in changes or len(changes["seen"]) == 4:
        others = {one for name, one in found.items() if name != what}
        assert others <= {"PASSED", "NOT APPLICABLE"}
