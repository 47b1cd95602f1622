"""What sacct and squeue print, read back; texts as Slurm 22.05 printed them."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.slurm_commands import FakeSlurm

from forgia_hpc.errors import SlurmSilentError
from forgia_hpc.slurm.usage import accounted, clock_seconds, living, parse_sacct, parse_squeue

SACCT = """\
3|3|root|acc|REQUEUED|boost_usr_prod|None|1795346940|1795346940|1795346940|1795346945|5|5|40|billing=8,cpu=8,mem=4G,node=1||00:00.002||rq|with a bar
3.batch|3.batch||acc|CANCELLED|||1795346940|1795346940|1795346940|1795346945|5||40|cpu=8,mem=4G,node=1|3128K|00:00.002|0|batch
3|3|root|acc|CANCELLED by 0|boost_usr_prod|BeginTime|1795346945|1795346946|1795346946|1795346958|12|5|96|billing=8,cpu=8,mem=4G,node=1||00:00.003||rq|with a bar
3.batch|3.batch||acc|CANCELLED|||1795346946|1795346946|1795346946|1795346958|12||96|cpu=8,mem=4G,node=1|2M|00:00.003|0|batch
3.0|3.0||acc|CANCELLED|||1795346946|1795346946|1795346946|1795346958|12||96|cpu=8,mem=4G,node=1|1.5G|00:00.003|0|python
16|16|root|acc|CANCELLED by 0|boost_usr_prod|None|1795347404|Unknown|1795347404|1795347404|0|5|0||||18446744073709551614|held
17|16_2|root|acc|RUNNING|boost_usr_prod|None|1795347404|1795347405|1795347405|Unknown|7|UNLIMITED|0|billing=8,cpu=8,mem=4G,node=1||1-00:00:01|3600|arr
"""  # noqa: E501
SQUEUE = """\
10|root|PENDING|boost_usr_prod|JobArrayTaskLimit|1795347179|N/A|N/A|0:00|5:00|cpu=8,mem=4G,node=1,billing=8|pend|
12|root|RUNNING|boost_usr_prod|None|1795347179|1795347179|1795347179|1:00:03|1-00:00:00|cpu=8,mem=4G,node=1,billing=16,gres/gpu=2,gres/gpu:a100=2|with|bar|
"""


def test_every_attempt_is_a_row_and_its_steps_are_in_it() -> None:
    first, second, held, task = parse_sacct(SACCT)
    assert (first.state, first.elapsed_s, first.cpu_s, first.ended) == ("REQUEUED", 5, 40, True)
    assert first.max_rss_mb == pytest.approx(3128 / 1024)
    assert (second.state, second.name, second.reason) == ("CANCELLED", "rq|with a bar", "BeginTime")
    assert second.max_rss_mb == 1536
    assert (held.eligible, held.elapsed_s, held.shape.cpus) == (None, 0, 0)
    assert (task.task, task.ended, task.limit_s, task.end) == ("16_2", False, None, None)
    assert task.used_cpu_s == 86401


def test_an_energy_that_no_plugin_counted_is_none_and_never_zero() -> None:
    energies = [row.energy_j for row in parse_sacct(SACCT)]
    assert energies == [None, None, None, 3600.0]


def test_waiting_and_running_jobs_are_read() -> None:
    pending, running = parse_squeue(SQUEUE)
    assert (pending.elapsed_s, pending.limit_s, pending.shape.billing) == (0, 300, 8)
    assert (running.elapsed_s, running.limit_s, running.shape.gpus) == (3603, 86400, 2)
    assert (running.name, running.ended) == ("with|bar", False)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5:00", 300), ("1-02:03:04", 93784), ("00:01.500", 1.5), ("UNLIMITED", None), ("", None)],
)
def test_clocks(text: str, seconds: float | None) -> None:
    assert clock_seconds(text) == seconds


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    found = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(found.directory), prepend=":")
    return found


def test_no_accounting_is_not_silence(fake: FakeSlurm) -> None:
    fake.says("sacct", "", err="Slurm accounting storage is disabled\n", code=1)
    assert accounted({}) is None
    fake.says("sacct", "", err="sacct: error: Problem talking to the database\n", code=1)
    with pytest.raises(SlurmSilentError):
        accounted({})


def test_squeue_that_fails_is_silence(fake: FakeSlurm) -> None:
    fake.says("squeue", "", err="slurm_load_jobs error: Unable to contact\n", code=1)
    with pytest.raises(SlurmSilentError):
        living({}, "acc")


def test_requeued_attempts_are_asked_for_and_foreign_formats_are_not_inherited(
    fake: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SACCT_FORMAT", "JobID")
    fake.says("sacct", "")
    assert accounted({}, "--name=x") == []
    call = fake.calls("sacct")[0]
    assert call["argv"][:2] == ["-D", "-X"]
    assert "SACCT_FORMAT" not in call["env"]
    assert call["env"]["SLURM_TIME_FORMAT"] == "%s"
