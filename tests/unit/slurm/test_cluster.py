from __future__ import annotations

from pathlib import Path

import pytest

from forgia_hpc.errors import InputError
from forgia_hpc.slurm import cluster as clusters
from forgia_hpc.slurm.cluster import cluster_names, detect, load_cluster, read_cluster


@pytest.mark.parametrize("name", cluster_names())
def test_every_profile_loads_says_its_name_and_its_sources(name: str) -> None:
    profile = load_cluster(name)
    assert profile.name == name
    assert profile.verified_on
    assert profile.sources
    for qos in profile.qos:
        assert qos.as_of
        assert qos.source


def test_every_fault_of_a_profile_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(
        "name: x\npartition: []\nnode_types: [{cpus: many, mem_mb: 1, gpu: 4}]\nqos: [{max_nodes: 1}]\n"
        "software: {launch: rsh}\n"
    )
    with pytest.raises(InputError) as caught:
        read_cluster(path)
    fields = {problem.field for problem in caught.value.problems}
    assert fields == {
        "partition",
        "node_types[0].cpus",
        "node_types[0].gpu",
        "qos[0].name",
        "title",
        "software.launch",
    }


def test_an_unknown_cluster_names_those_we_know() -> None:
    with pytest.raises(InputError, match="one of dev, leonardo_booster, local"):
        load_cluster("leonardo")


def test_a_machine_is_known_by_host_name_or_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HPC_SYSTEM", raising=False)
    monkeypatch.setattr(clusters.socket, "getfqdn", lambda: "login01.leonardo.local")
    assert detect() == "leonardo_booster"
    monkeypatch.setattr(clusters.socket, "getfqdn", lambda: "elsewhere")
    assert detect() is None
    monkeypatch.setenv("HPC_SYSTEM", "leonardo")
    assert detect() == "leonardo_booster"


def test_the_dev_slurm_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORGIA_DEV_SLURM", raising=False)
    with pytest.raises(InputError, match=r"FORGIA_DEV_SLURM is not set.*slurm/dev/up"):
        load_cluster("dev").environment()
    monkeypatch.setenv("FORGIA_DEV_SLURM", "/x")
    assert load_cluster("dev").environment() == {"SLURM_CONF": "/x/slurm.conf"}
