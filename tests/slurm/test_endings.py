"""Every ending on a real Slurm, told apart by evidence: eleven jobs side by side on one bed of four nodes.

The bed enforces limits without `safe`, because only then does a used-up budget end a running job.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from slurm.conftest import raised
from slurm.training import kill, losses, ready, steps_told, training
from slurm.trip import PARTITION, Trip, living_of

from forgia_hpc.metrics import read_metrics
from forgia_hpc.rundir import RunDir

pytestmark = pytest.mark.slurm

STEPS = 600
TRAIN = training(STEPS)
# Hears no SIGTERM, and stops the rank above it, which then sees no stop flag: it cannot save, whoever asks.
# (Slurm's SIGCONT wakes the rank KillWait before the end; its program is deaf for longer than that.)
DEAF = (
    "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "os.kill(os.getppid(), signal.SIGSTOP); print('deaf', flush=True); time.sleep(600)"
)
GREEDY = "x = bytearray(1 << 30) + bytearray(1 << 29); import time; time.sleep(60)"
SECOND_TIME = "import os, time; time.sleep(0 if os.environ['FORGIA_ATTEMPT'] == '1' else 600)"


@dataclass
class Bed:
    """The jobs by the name of their ending."""

    trip: Trip
    runs: dict[str, tuple[RunDir, str]] = field(default_factory=dict)
    told: dict[str, dict] = field(default_factory=dict)

    def submit(self, name: str, node: str, *words: str) -> None:
        """Submit while the door is held, and tie the job to a node."""
        run, job = self.trip.submit(*words)
        self.runs[name] = (run, job)
        self.change(name, f"ReqNodeList={node}")

    def program(self, name: str, node: str, code: str, *words: str) -> None:
        small = {"resources.cpus_per_rank": "1", "resources.mem_gb": "2"}
        small |= dict(word.split("=", 1) for word in words)
        asked = [f"{key}={value}" for key, value in small.items()]
        self.submit(name, node, "command", *asked, "--", sys.executable, "-c", code)

    def change(self, name: str, *words: str) -> None:
        self.trip.slurm.run(["scontrol", "update", f"JobId={self.runs[name][1]}", *words])

    def until(self, name: str, true: Callable[[RunDir], object], seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not true(self.runs[name][0]):
            assert time.monotonic() < deadline, f"{name}: {self.trip.shown(self.runs[name][1])}"
            time.sleep(0.2)

    def log(self, run: RunDir) -> str:
        path = run.logs / "rank-0.log"
        return path.read_text() if path.exists() else ""


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Bed:
    root = tmp_path_factory.mktemp("endings")
    with raised("--unsafe") as slurm:
        trip = ready(slurm, root)
        found = Bed(trip)
        submit_all(found)
        disturb_all(found)
        names = [run.name for run, _ in found.runs.values()]
        trip("wait", "--timeout", "200", *names, code=3)
        said = json.loads(trip("status", *names, "--json").stdout)["runs"]
        by_run = {each["run"]: each for each in said}
        found.told = {name: by_run[run.name] for name, (run, _) in found.runs.items()}
        yield found


def submit_all(bed: Bed) -> None:
    """Hold the door meanwhile, so that each is tied to its node and its QOS before it starts."""
    bed.trip.hold_the_door()
    bed.submit("preempted", "n1", *TRAIN)
    bed.change("preempted", "QOS=qos_lowprio")
    bed.submit("warned", "n2", *TRAIN)
    bed.change("warned", "QOS=qos_lowcancel")
    bed.program("requeued", "n3", SECOND_TIME)
    bed.program("node_failed", "n3", DEAF)
    bed.change("node_failed", "Requeue=0")
    bed.program("timeout", "n4", DEAF)
    budget = ("resources.account=forgia_bianchi", "resources.cpus_per_rank=4")
    bed.program("over_budget", "n4", DEAF, "resources.walltime=00:10:00", *budget)
    bed.program("cancelled", "n4", DEAF)
    bed.program("out_of_memory", "n4", GREEDY, "resources.mem_gb=1")
    bed.program("launcher", "n4", DEAF)
    bed.program("batch", "n4", DEAF)
    bed.submit("whole", "n4", *TRAIN)
    # set last: `forgia submit` refuses a job that its budget will not last for
    limit = ["sacctmgr", "-i", "modify", "account", "forgia_bianchi", "set", "GrpTRESMins=cpu=1"]
    bed.trip.slurm.run(limit)
    bed.trip.open_the_door()


def disturb_all(bed: Bed) -> None:
    for name in ("timeout", "over_budget", "node_failed", "cancelled", "launcher", "batch"):
        bed.until(name, lambda run: "deaf" in bed.log(run))
    bed.until("requeued", lambda run: list(run.logs.glob("rank-0.log")))
    bed.change("timeout", "TimeLimit=1")  # its batch step asks again in ten minutes only
    slurm = bed.trip.slurm
    slurm.run(["scontrol", "update", "NodeName=n3", "State=DOWN", "Reason=test"])
    bed.until("requeued", lambda run: not living_of(run))
    slurm.run(["scontrol", "update", "NodeName=n3", "State=RESUME"], check=False)
    slurm.run(["scancel", bed.runs["cancelled"][1]])
    kill(bed.trip, bed.runs["launcher"][0], "srun")
    kill(bed.trip, bed.runs["batch"][0], "forgia_hpc.node.batch")
    for name, node in (("preempted", "n1"), ("warned", "n2")):
        bed.until(name, lambda run: len(read_metrics(run.metrics)) > 20)
        more = ["--exclusive", f"--nodelist={node}", "--ntasks=1", "--time=1"]
        slurm.run(
            ["sbatch", "--partition", PARTITION, "--output=/dev/null", *more, "--wrap=sleep 1"]
        )


def test_a_timeout_is_one_that_lasted(bed: Bed) -> None:
    told = bed.told["timeout"]
    assert told["state"] == "timeout"
    assert "the walltime came before the ranks had saved" in told["why"]
    assert "forgia resume" in told["why"]


def test_a_used_up_budget_is_no_timeout(bed: Bed) -> None:
    told = bed.told["over_budget"]
    assert told["state"] == "over_budget"
    assert "into a limit of 600 s" in told["why"]
    assert told["evidence"][0].startswith("Slurm: TIMEOUT 0:0")


def test_a_cancelled_job_is_cancelled_and_never_requeued(bed: Bed) -> None:
    assert bed.told["cancelled"]["state"] == "cancelled"
    assert len(bed.runs["cancelled"][0].events("batch_started")) == 1


def test_a_job_that_outgrew_its_memory(bed: Bed) -> None:
    told = bed.told["out_of_memory"]
    assert told["state"] == "out_of_memory"
    assert "resources.mem_gb" in told["why"]
    assert "memory limit" in " ".join(told["evidence"])


def test_a_failed_node(bed: Bed) -> None:
    told = bed.told["node_failed"]
    assert told["state"] == "node_failed"
    assert "n3" in told["why"]


def test_a_job_on_a_failed_node_starts_again(bed: Bed) -> None:
    run, _ = bed.runs["requeued"]
    assert bed.told["requeued"]["state"] == "completed"
    assert [event.facts["attempt"] for event in run.events("batch_started")] == [0, 1]


def test_a_killed_launcher_and_a_killed_batch_step(bed: Bed) -> None:
    launcher, batch = bed.told["launcher"], bed.told["batch"]
    assert (launcher["state"], batch["state"]) == ("failed", "failed")
    assert "killed by SIGKILL" in launcher["why"]
    assert "without a last word" in batch["why"]


@pytest.mark.parametrize("name", ["preempted", "warned"])
def test_a_preempted_training_goes_on_as_if_undisturbed(bed: Bed, name: str) -> None:
    (run, _), (whole, _) = bed.runs[name], bed.runs["whole"]
    assert bed.told[name]["state"] == "completed"
    assert len(run.events("batch_started")) == 2
    ended = run.events("batch_ended")[0].facts
    assert (ended["exit_code"], ended["cause"]) == (6, "preemption")
    assert ended["goes_on"] == {"preempted": "slurm", "warned": "requeue"}[name]
    lines = steps_told(run)
    assert len(lines) - len(set(lines)) <= 1, "more than a step was lost"
    assert losses(run) == losses(whole)


def test_nobody_is_left_behind(bed: Bed) -> None:
    deadline = time.monotonic() + 30  # KillWait, twice
    while left := {name: found for name, (run, _) in bed.runs.items() if (found := living_of(run))}:
        assert time.monotonic() < deadline, left
        time.sleep(0.5)
