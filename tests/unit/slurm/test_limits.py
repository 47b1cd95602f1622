"""What scontrol, sacctmgr and sinfo say of limits: texts recorded on Slurm 22.05.8, and odd ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.slurm_commands import FakeSlurm

from forgia_hpc.errors import InputError, SlurmSilentError
from forgia_hpc.slurm.limits_read import limits_of, read_limits
from forgia_hpc.slurm.limits_text import (
    count,
    parse_associations,
    parse_config,
    parse_nodes,
    parse_partitions,
    parse_qos,
    seconds,
    tres,
)

RECORDED = Path(__file__).parent / "recorded"


def recorded(name: str) -> str:
    return (RECORDED / f"{name}.txt").read_text()


def test_the_config_tells_version_and_enforcement() -> None:
    found = limits_of(parse_config(recorded("scontrol_show_config")), {})
    assert found.version == "22.05.8"
    assert found.enforce_part_limits == "NO"
    assert found.enforce == ("associations", "limits", "qos", "safe")
    assert found.max_array_size == 1001
    assert found.job_requeue
    assert found.min_job_age_s == 300


def test_partitions_as_recorded() -> None:
    found = parse_partitions(recorded("scontrol_show_partition"))
    booster, serial = found["boost_usr_prod"], found["lrd_all_serial"]
    assert (booster.max_time_s, booster.default_time_s, booster.max_nodes) == (86400, 1800, 64)
    assert booster.max_mem_per_node_mb is None
    assert booster.qos is None
    assert booster.billing_weights["GRES/gpu"] == "8.0"
    assert serial.default
    assert serial.qos == "lrd_all_serial"
    assert (serial.max_cpus_per_node, serial.max_mem_per_node_mb) == (4, 30800)
    assert not booster.default


def test_a_partition_of_another_site() -> None:
    text = (
        "PartitionName=g AllowAccounts=a,b AllowQos=normal,long DenyQos=x Default=NO QoS=g MaxNodes=UNLIMITED "
        "MaxTime=UNLIMITED DefaultTime=NONE MinNodes=2 OverSubscribe=EXCLUSIVE State=DRAIN "
        "MaxCPUsPerSocket=UNLIMITED MaxMemPerNode=UNLIMITED ResumeTimeout=GLOBAL Nodes=(null) TotalNodes=0\n\n"
    )
    found = parse_partitions(text)["g"]
    assert found.exclusive
    assert found.state == "DRAIN"
    assert (found.max_time_s, found.default_time_s, found.max_nodes, found.min_nodes) == (
        None,
        None,
        None,
        2,
    )
    assert found.allow_qos == ("normal", "long")
    assert found.allow_accounts == ("a", "b")
    assert found.deny_qos == ("x",)
    assert found.nodes == ""


def test_qos_as_recorded() -> None:
    found = parse_qos(recorded("sacctmgr_show_qos"))
    assert found["boost_qos_dbg"].max_tres_per_user == {"cpu": 256, "gres/gpu": 32}
    assert found["boost_qos_dbg"].max_wall_s == 1800
    assert found["boost_qos_dbg"].max_jobs_per_user == 2
    assert found["boost_qos_bprod"].min_tres_per_job == {"node": 65}
    assert found["boost_qos_lprod"].flags == ("PartitionTimeLimit",)
    assert found["normal"].preempts == ("qos_lowprio",)
    assert found["qos_lowprio"].preempt_mode == "requeue"
    assert found["normal"].max_wall_s is None


def test_associations_as_recorded() -> None:
    first, *_ = parse_associations(recorded("sacctmgr_show_assoc"))
    assert first.account == "forgia_rossi"
    assert first.default_qos == "normal"
    assert "boost_qos_lprod" in first.qos
    assert first.max_submit is None


def test_nodes_as_recorded_each_once_with_a_bar_in_the_reason() -> None:
    found = {node.name: node for node in parse_nodes(recorded("sinfo"))}
    assert set(found) == {"n1", "n2", "n3", "n4"}
    assert found["n2"].state == "drained"
    assert found["n2"].reason == "disk | is full"
    assert found["n1"].partitions == ("boost_usr_prod", "lrd_all_serial")
    assert (found["n1"].cpus, found["n1"].mem_mb, found["n1"].gpus) == (32, 494000, 4)


def test_node_states_of_other_sites() -> None:
    text = "a|p|64+|512000+|gpu:h100:4(S:0-1),nvme:1|mixed-|none\nb|p|64|1|(null)|down*|Not responding\n"
    one, two = parse_nodes(text)
    assert (one.state, one.marks, one.gpus, one.cpus) == ("mixed", "-", 4, 64)
    assert (two.state, two.marks, two.gpus) == ("down", "*", 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1-00:00:00", 86400),
        ("4:00:00", 14400),
        ("30:00", 1800),
        ("300", 300),
        ("UNLIMITED", None),
        ("infinite", None),
        ("", None),
        ("NONE", None),
    ],
)
def test_times(text: str, expected: int | None) -> None:
    assert seconds(text) == expected


def test_resources_with_units() -> None:
    assert tres("cpu=256,mem=2T,gres/gpu=32") == {
        "cpu": 256,
        "mem": 2 * 1024 * 1024,
        "gres/gpu": 32,
    }
    assert tres("mem=500M,node=1K") == {"mem": 500, "node": 1024}
    assert tres("") == {}
    assert count("-1") is None


@pytest.mark.parametrize("odd", ["soon", "1:2:3:4", "-5"])
def test_text_that_cannot_be_read_is_no_limit_and_no_zero(odd: str) -> None:
    with pytest.raises(SlurmSilentError, match="can't be read"):
        seconds(odd)


def test_a_sacctmgr_of_another_shape_is_refused() -> None:
    with pytest.raises(SlurmSilentError, match="columns"):
        parse_qos("normal|40\n")


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    found = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return found


def test_without_slurmdbd_the_partitions_are_read_and_it_is_said(fake: FakeSlurm) -> None:
    fake.says("scontrol", recorded("scontrol_show_partition") + recorded("scontrol_show_config"))
    fake.says("sinfo", recorded("sinfo"))
    fake.says(
        "sacctmgr", "", err="You are not running a supported accounting_storage plugin", code=1
    )
    found = read_limits({})
    assert set(found.partitions) == {"boost_usr_prod", "lrd_all_serial"}
    assert found.version == "22.05.8"
    assert found.qos == {}
    assert "not running a supported accounting_storage" in found.left_out[0]


def test_a_silent_slurmctld_says_nothing_about_limits(fake: FakeSlurm) -> None:
    fake.says("scontrol", "", err="Unable to contact slurm controller (connect failure)", code=1)
    with pytest.raises(SlurmSilentError, match="did not answer"):
        read_limits({})


def test_a_slurmctld_that_hangs_is_given_up(fake: FakeSlurm) -> None:
    fake.says("scontrol", "", sleep_s=20)
    with pytest.raises(SlurmSilentError, match="no answer in"):
        read_limits({}, timeout_s=0.2)


def test_no_slurm_on_this_machine_is_the_users_to_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="login node"):
        read_limits({})
