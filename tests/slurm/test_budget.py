"""The budget against a real Slurm: settled equals sacct to the second, and nobody overruns together."""

from __future__ import annotations

import dataclasses
import datetime
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from slurm.trip import PARTITION, Trip

from forgia_hpc.jobs.balance import balance
from forgia_hpc.jobs.grant import Grant, write_grant
from forgia_hpc.jobs.payer import look
from forgia_hpc.slurm.cluster import load_cluster

pytestmark = pytest.mark.slurm
ACCOUNT = "forgia_bianchi"
TODAY = datetime.date.today()


@pytest.fixture
def trip(dev_slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trip:
    monkeypatch.setenv("FORGIA_DEV_SLURM", str(dev_slurm.directory))
    found = Trip(dev_slurm, tmp_path)
    found.runs.mkdir()
    found.environment |= {"FORGIA_LEDGER": str(tmp_path / "ledger"), "COLUMNS": "150"}
    return found


def granted(folder: Path, total: float) -> Grant:
    """Grant so much from today on; jobs of earlier tests in this Slurm are in it too."""
    days = datetime.timedelta(days=400)
    grant = Grant(
        account=ACCOUNT, cluster="dev", total=total, unit="core-h", start=TODAY, end=TODAY + days
    )
    (folder / ACCOUNT).mkdir(parents=True)
    write_grant(folder / ACCOUNT, grant)
    return grant


def spent(slurm) -> list[tuple[int, int, str]]:
    """Ask sacct ourselves: billing, seconds and state of every ended attempt of the account."""
    words = ["sacct", "-D", "-X", "-n", "-P", "-a", f"--accounts={ACCOUNT}", f"--starttime={TODAY}"]
    out = slurm.run([*words, "--format=State,ElapsedRaw,AllocTRES"]).stdout
    found = []
    for state, seconds, tres in (line.split("|") for line in out.splitlines()):
        if state.split()[0] not in ("RUNNING", "PENDING"):
            facts = dict(part.split("=") for part in tres.split(",") if part)
            found.append((int(facts.get("billing", 0)), int(seconds), state.split()[0]))
    return found


def in_queue(slurm) -> str:
    return slurm.run(["squeue", "-h", f"--account={ACCOUNT}"]).stdout.strip()


def history(slurm, chance: random.Random) -> str:
    """Submit jobs of many shapes; cancel, requeue, time out and let fail some; return one that runs on."""

    def batch(script: str, *words: str) -> str:
        base = ["sbatch", "--parsable", f"--account={ACCOUNT}", f"--partition={PARTITION}"]
        shape = [
            f"--nodes={chance.randint(1, 2)}", "--ntasks-per-node=1",
            f"--cpus-per-task={chance.randint(1, 8)}", f"--mem={chance.choice((2, 9, 120, 240))}G",
        ]  # fmt: skip
        if chance.random() < 0.5:
            shape.append(f"--gres=gpu:a100:{chance.randint(1, 2)}")
        out = [*base, *shape, "--time=5", "--output=/dev/null", *words, "--wrap", script]
        return slurm.run(out).stdout.strip()

    for _ in range(4):
        batch(f"sleep {chance.randint(0, 3)}; exit {chance.randint(0, 1)}")
    batch("sleep $((SLURM_ARRAY_TASK_ID % 3))", "--array=0-4%2")
    cancelled, again = batch("sleep 60"), batch("sleep 60", "--requeue")
    late = batch("sleep 60")
    never = batch("sleep 60", "--hold")
    first = batch("sleep 2")
    batch("sleep 1", f"--dependency=afterany:{first}")
    time.sleep(chance.uniform(2, 4))
    slurm.run(["scancel", cancelled, never])
    slurm.run(
        ["scontrol", "update", f"JobId={late}", "EndTime=now"]
    )  # a time-out without a minute's wait
    slurm.run(["scontrol", "requeue", again])
    slurm.run(["scontrol", "update", f"JobId={again}", "StartTime=now+2"])
    time.sleep(5)
    slurm.run(["scancel", again])
    return batch("sleep 60")


def test_settled_is_what_sacct_says_to_the_second(trip: Trip, tmp_path: Path) -> None:
    grant, cluster = granted(tmp_path / "ledger", 1000.0), load_cluster("dev")
    running = history(trip.slurm, random.Random(5))
    trip.until(running, "RUNNING")
    time.sleep(1.5)
    now = balance(grant, cluster, look(grant, cluster), datetime.datetime.now()).everybody
    assert now.in_flight > 0
    assert now.committed > now.in_flight
    trip.slurm.run(["scancel", running])
    deadline = time.monotonic() + 60
    while in_queue(trip.slurm):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    ends = {"COMPLETED", "FAILED", "CANCELLED", "REQUEUED", "TIMEOUT"}
    rows = spent(trip.slurm)
    while not ends <= {state for _, _, state in rows}:
        assert time.monotonic() < deadline  # slurmdbd learns of an end some seconds later
        time.sleep(0.5)
        rows = spent(trip.slurm)
    assert len(rows) >= 15
    found = balance(grant, cluster, look(grant, cluster), datetime.datetime.now())
    assert found.everybody.settled * 3600 == pytest.approx(sum(b * s for b, s, _ in rows), abs=1e-6)
    assert found.everybody.in_flight == found.everybody.committed == 0
    assert found.everybody.month == pytest.approx(found.everybody.settled)


def job(*words: str) -> list[str]:
    program = ["--", sys.executable, "-c", "import time; time.sleep(30)"]
    shape = ["resources.cpus_per_rank=8", "resources.mem_gb=8", "resources.walltime=00:30:00"]
    account = f"resources.account={ACCOUNT}"
    return ["submit", "command", "cluster=dev", account, *shape, "--json", *words, *program]


def start(trip: Trip, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [trip.python, "-P", "-m", "forgia_hpc.cli.main", *words],
        env=trip.environment,
        cwd=trip.runs.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_submitters_at_once_do_not_overrun_together(trip: Trip, tmp_path: Path) -> None:
    before = sum(b * s for b, s, _ in spent(trip.slurm)) / 3600
    granted(tmp_path / "ledger", before + 9.0)  # two jobs of 4 core-h, not three
    started = [start(trip, *job("--yes")) for _ in range(4)]
    said = [process.communicate(timeout=120) for process in started]
    codes = sorted(process.returncode for process in started)
    try:
        assert codes == [0, 0, 2, 2], said
        refused = [json.loads(out) for out, _ in said if '"problems"' in out]
        assert all("core-h of" in one["problems"][0]["limit"] for one in refused)
        assert len(list(trip.runs.iterdir())) == 2  # a refused one leaves no run
        told = json.loads(trip("budget", "show", ACCOUNT, "--json").stdout)["accounts"][0]
        assert told["in_flight"] + told["committed"] == pytest.approx(8.0, abs=0.1)
        assert 0.9 <= told["left"] <= 1.1
    finally:
        trip.slurm.run(["scancel", f"--account={ACCOUNT}"])


def test_a_killed_submitter_holds_nothing_and_a_cancelled_job_is_settled(
    trip: Trip, tmp_path: Path
) -> None:
    granted(tmp_path / "ledger", 1000.0)
    process, holds = start(trip, *job()), tmp_path / "ledger" / ACCOUNT / "holds"
    while not list(holds.glob("00000001.json")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    trip("budget")
    closed = json.loads((holds / "00000001.closed.json").read_text())
    assert closed["why"].startswith("it was never sent") or closed["why"] == "settled"
    _, number = trip.submit("command", *job()[3:])
    trip.until(number, "RUNNING")
    time.sleep(1)
    trip.slurm.run(["scancel", number])
    trip.until(number, "CANCELLED")
    deadline = time.monotonic() + 60
    while not (
        holds / "00000002.closed.json"
    ).exists():  # slurmdbd learns of the end some seconds later
        assert time.monotonic() < deadline, "the hold of an ended job stays open"
        trip("budget", "show", ACCOUNT)
    closed = json.loads((holds / "00000002.closed.json").read_text())
    line = trip.slurm.run(["sacct", "-X", "-n", "-P", "-j", number, "--format=ElapsedRaw"]).stdout
    assert closed["why"] == "settled"
    assert closed["amount"] == pytest.approx(8 * int(line) / 3600)


def test_the_months_share_holds_later_attempts_too(trip: Trip, tmp_path: Path) -> None:
    granted(tmp_path / "ledger", 1e6)
    quick = ["resources.walltime=00:30:00", "resources.cpus_per_rank=8", "resources.mem_gb=8"]
    words = ["command", f"resources.account={ACCOUNT}", *quick]
    run, _ = trip.submit(*words, "--", sys.executable, "-c", "import time; time.sleep(3); exit(3)")
    trip("wait", run.name, code=3)
    deadline = time.monotonic() + 60
    while sum(b * s for b, s, _ in spent(trip.slurm)) < 16:  # slurmdbd learns of it seconds later
        assert time.monotonic() < deadline
        time.sleep(0.5)
    long = datetime.timedelta(days=40_000)  # a month of it is 0.005 core-h at most
    grant = Grant(
        account=ACCOUNT, cluster="dev", total=9.0, unit="core-h", start=TODAY, end=TODAY + long
    )
    before = sum(b * s for b, s, _ in spent(trip.slurm)) / 3600
    write_grant(tmp_path / "ledger" / ACCOUNT, dataclasses.replace(grant, total=before + 9.0))

    for again in (
        ["resume", run.name],
        ["submit", words[0], "cluster=dev", *words[1:], "--", "true"],
    ):
        assert "of this month's share" in trip(*again, code=2).stderr
    said = json.loads(trip("resume", run.name, "--yes", "--json").stdout)
    trip("wait", run.name, code=3)
    trip("resume", run.name)  # agreed to once
    trip("cancel", run.name)
    assert said["runs"][run.name]["job_id"]
    told = json.loads(
        trip("submit", words[0], "cluster=dev", *words[1:], "--yes", "--json", "--", "true").stdout
    )
    assert "month's share is spent" in told["warnings"][-1]["limit"]
    trip.slurm.run(["scancel", f"--account={ACCOUNT}"])
