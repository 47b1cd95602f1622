"""Cluster profiles: read strictly, recognised by host and environment, with this person's readings on top."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from forgia_hpc.errors import InputError
from forgia_hpc.slurm import cluster as clusters
from forgia_hpc.slurm.cluster import cluster_names, detect, is_here, load_cluster, read_cluster
from forgia_hpc.slurm.overlay import limits_path

PLAIN = """
name: x
title: A machine
scheduler: {gpu_syntax: gres}
default_partition: gpu
partitions:
  - {name: gpu, node_type: n, max_time: "1-00:00:00", max_nodes: 4, qos: [normal]}
qos: [{name: normal, as_of: "2026-11", source: sacctmgr}]
node_types: [{name: n, cpus: 64, mem_mb: 1000, gpus: 4}]
"""


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine that no profile knows."""
    for name in ("HPC_SYSTEM", "NERSC_HOST", "LMOD_SYSTEM_NAME", "BSC_MACHINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(clusters.socket, "getfqdn", lambda: "elsewhere.example.org")
    return monkeypatch


def written(folder: Path, text: str) -> Path:
    path = folder / "x.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", cluster_names())
def test_every_profile_loads_says_its_name_and_its_sources(name: str) -> None:
    profile = load_cluster(name)
    assert profile.name == name
    assert profile.verified_on
    assert profile.sources
    for qos in profile.qos:
        assert qos.as_of
        assert qos.source


def test_the_machines_we_promise_are_there() -> None:
    promised = (
        "leonardo_booster leonardo_dcgp lumi_g marenostrum5_acc jupiter_booster juwels_booster meluxina_gpu "
        "karolina_gpu discoverer_plus jean_zay_h100 alps perlmutter_gpu frontier lisa it4lia local dev"
    )
    assert set(promised.split()) <= set(cluster_names())


def test_a_profile_yields_to_one_that_is_there() -> None:
    yielding = {name: load_cluster(name).detect.yields_to for name in cluster_names()}
    assert yielding["leonardo_dcgp"] == "leonardo_booster"
    assert {other for other in yielding.values() if other} <= set(cluster_names())


@pytest.mark.parametrize("name", ["lisa", "it4lia"])
def test_a_stub_is_disabled_and_says_why(name: str) -> None:
    stub = load_cluster(name)
    assert not stub.enabled
    assert len(stub.disabled_because.split()) > 5


def test_every_fault_of_a_profile_is_told_at_once(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "name: x\npartition: []\nnode_types: [{cpus: many, mem_mb: 1, gpu: 4}]\nqos: [{max_nodes: 1}]\n"
        "software: {launch: rsh}\n",
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


def test_a_plain_profile_loads(tmp_path: Path) -> None:
    assert read_cluster(written(tmp_path, PLAIN)).partition("gpu")


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("qos: [normal]", "qos: [fast]", "partitions[0].qos"),
        ("default_partition: gpu", "default_partition: cpu", "default_partition"),
        ("node_type: n,", "node_type: m,", "partitions[0].node_type"),
        ('"1-00:00:00"', "1 day", "partitions[0].max_time"),
        ("max_nodes: 4", "min_nodes: 8, max_nodes: 4", "partitions[0].min_nodes"),
        ("gpu_syntax: gres", "gpu_syntax: gpu", "scheduler.gpu_syntax"),
        ("gpu_syntax: gres", "mem_policy: some", "scheduler.mem_policy"),
        ("gpu_syntax: gres", "resubmit: again", "scheduler.resubmit"),
        ("title: A", "accelerator: tpu\ntitle: A", "accelerator"),
        ("title: A", "arch: riscv\ntitle: A", "arch"),
        ("title: A", "accounting: {formula: guess}\ntitle: A", "accounting.formula"),
        ("title: A", "accounting: {account_pattern: '('}\ntitle: A", "accounting.account_pattern"),
        ("title: A", "storage: [{var: $X, role: heap}]\ntitle: A", "storage[0].role"),
        ("title: A", "storage: [{var: $X, scope: all}]\ntitle: A", "storage[0].scope"),
        (
            "title: A",
            "software: {container: {runtime: docker}}\ntitle: A",
            "software.container.runtime",
        ),
        ("title: A", "verified_on: last week\ntitle: A", "verified_on"),
        ('as_of: "2026-11"', "as_of: '2026-13'", "qos[0].as_of"),
        ("name: normal,", "name: normal, scope: all,", "qos[0].scope"),
        (
            "title: A",
            "evidence: [{fields: [arch], source: s, as_of: '2026', confidence: total}]\ntitle: A",
            "evidence[0].confidence",
        ),
        ("title: A", "enabled: false\ntitle: A", "disabled_because"),
        ("cpus: 64", "cpus: 64, usable_cpus: 65", "node_types[0].usable_cpus"),
        ("cpus: 64", "cpus: 64, cpu_bind: ['0xf']", "node_types[0].cpu_bind"),
        ("- {name: gpu,", "- {name: gpu}\n  - {name: gpu,", "partitions"),
    ],
)
def test_a_contradiction_is_refused(tmp_path: Path, old: str, new: str, field: str) -> None:
    assert old in PLAIN
    with pytest.raises(InputError) as caught:
        read_cluster(written(tmp_path, PLAIN.replace(old, new, 1)))
    assert [problem.field for problem in caught.value.problems] == [field]


def test_a_profile_that_is_no_yaml_is_the_users_to_mend(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="readable YAML"):
        read_cluster(written(tmp_path, "name: [x\n"))


def test_an_unknown_cluster_names_those_we_know() -> None:
    with pytest.raises(InputError, match=r"one of alps, dev, .*leonardo_booster"):
        load_cluster("leonardo")


def test_a_machine_is_known_by_host_name_or_environment(nowhere: pytest.MonkeyPatch) -> None:
    assert detect() is None
    nowhere.setattr(clusters.socket, "getfqdn", lambda: "login01.leonardo.local")
    assert detect() == "leonardo_booster"
    nowhere.setattr(clusters.socket, "getfqdn", lambda: "elsewhere")
    assert detect() is None
    nowhere.setenv("HPC_SYSTEM", "leonardo")
    assert detect() == "leonardo_booster"


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("lrdn1455.leonardo.local", "leonardo_booster"),
        ("lrdc0004.leonardo.local", "leonardo_dcgp"),
        ("lrdc0004", "leonardo_dcgp"),
        ("login07.leonardo.local", "leonardo_booster"),
        ("uan02", "lumi_g"),
        ("jwlogin23.juwels", "juwels_booster"),
        ("jwlogin03.juwels", None),
        ("login01.frontier.olcf.ornl.gov", "frontier"),
        ("login1.other.example.org", None),
    ],
)
def test_two_profiles_of_one_machine_are_told_apart_by_the_node(
    nowhere: pytest.MonkeyPatch, host: str, name: str | None
) -> None:
    nowhere.setattr(clusters.socket, "getfqdn", lambda: host)
    assert detect() == name


def test_a_host_name_says_more_than_the_environment(nowhere: pytest.MonkeyPatch) -> None:
    """On a DCGP node HPC_SYSTEM fits both profiles of Leonardo, the name only one."""
    nowhere.setenv("HPC_SYSTEM", "leonardo")
    nowhere.setattr(clusters.socket, "getfqdn", lambda: "lrdc0004.leonardo.local")
    assert detect() == "leonardo_dcgp"


def test_a_shared_login_node_is_here_for_both_profiles(nowhere: pytest.MonkeyPatch) -> None:
    nowhere.setattr(clusters.socket, "getfqdn", lambda: "login01.leonardo.local")
    assert is_here(load_cluster("leonardo_booster"))
    assert is_here(load_cluster("leonardo_dcgp"))
    assert not is_here(load_cluster("lumi_g"))


def test_a_partition_name_never_decides(nowhere: pytest.MonkeyPatch) -> None:
    """boost_fua_prod exists on Leonardo and on Pitagora."""
    nowhere.setenv("SLURM_JOB_PARTITION", "boost_usr_prod")
    assert detect() is None


def test_the_dev_slurm_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORGIA_DEV_SLURM", raising=False)
    with pytest.raises(InputError, match=r"FORGIA_DEV_SLURM is not set.*slurm/dev/up"):
        load_cluster("dev").environment()
    monkeypatch.setenv("FORGIA_DEV_SLURM", "/x")
    assert load_cluster("dev").environment() == {"SLURM_CONF": "/x/slurm.conf"}


def test_a_reading_of_another_cluster_is_refused() -> None:
    path = limits_path("dev")
    path.parent.mkdir(parents=True)
    path.write_text("format: forgia.limits/1\ncluster: lumi_g\n")
    with pytest.raises(InputError, match=r"of lumi_g.*forgia cluster refresh dev"):
        load_cluster("dev")
    assert load_cluster("dev", shipped=True).name == "dev"


@pytest.mark.parametrize("words", [["--help"], ["status"]])
def test_help_and_status_read_no_profile(words: list[str]) -> None:
    code = f"""
import sys
seen = []
sys.addaudithook(lambda event, told: seen.append(str(told[0])) if event == "open" else None)
from forgia_hpc.cli.main import main
sys.argv = ["forgia", *{words}]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
assert not [path for path in seen if "slurm/clusters" in path], seen
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
