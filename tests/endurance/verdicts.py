"""Random requests on a dev Slurm frozen in a known state: our verdict beside what Slurm then did."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from forgia_hpc.slurm.asked import Asked
from forgia_hpc.slurm.live import read_measure
from forgia_hpc.slurm.verdict import Verdict, judge

DEV = Path(__file__).resolve().parents[2] / "slurm" / "dev"
PARTITION, SERIAL = "boost_usr_prod", "lrd_all_serial"
ACCOUNT, OTHER = "forgia_rossi", "forgia_ferrari"
REQUESTS = 20
SETTLE_S = 2.5  # sched_interval is 2 s, and what can start does so at submission
LIMIT_S = 60
MODES = ("NO", "ANY", "ALL")

# what a limit is set to: (entity, option, values); -1 takes it away again
_QOS = ("qos", "normal")
_ASSOC = ("account", "where", f"account={ACCOUNT}")
_USER = ("user", "where", "user=root", f"account={ACCOUNT}")
LIMITS: tuple[tuple[tuple[str, ...], str, tuple[int, ...]], ...] = (
    (_QOS, "MaxJobsPerUser=", (1, 2, 5)),
    (_QOS, "MaxJobsPerAccount=", (1, 2, 5)),
    (_QOS, "GrpJobs=", (1, 2, 5)),
    (_QOS, "MaxSubmitJobsPerUser=", (1, 2, 5)),
    (_QOS, "GrpSubmitJobs=", (1, 3)),
    (_QOS, "MaxWall=", (10, 60)),
    (_QOS, "MaxTRESPerUser=cpu=", (8, 40, 100)),
    (_QOS, "MaxTRESPerUser=gres/gpu=", (1, 4)),
    (_QOS, "MaxTRESPerAccount=cpu=", (8, 70)),
    (_QOS, "MaxTRESPerJob=node=", (1, 2)),
    (_QOS, "MaxTRESPerJob=cpu=", (4, 40)),
    (_QOS, "MaxTRESPerJob=mem=", (20_000, 200_000)),
    (_QOS, "MinTRESPerJob=node=", (2,)),
    (_QOS, "GrpTRES=cpu=", (16, 64)),
    (_QOS, "GrpTRES=mem=", (40_000, 300_000)),
    (_QOS, "GrpTRES=gres/gpu=", (2, 6)),
    (_QOS, "GrpTRESMins=cpu=", (60_000, 200_000)),
    (_QOS, "MaxTRESMinsPerJob=cpu=", (100, 2_000)),
    (_ASSOC, "MaxJobs=", (1, 2)),
    (_ASSOC, "GrpJobs=", (1, 2)),
    (_ASSOC, "MaxSubmitJobs=", (1, 3)),
    (_ASSOC, "MaxWall=", (10, 60)),
    (_ASSOC, "GrpTRES=cpu=", (16, 64)),
    (_ASSOC, "MaxTRESPerJob=node=", (1, 2)),
    (_USER, "MaxJobs=", (1, 2)),
    (_USER, "GrpTRES=gres/gpu=", (2, 6)),
    (_USER, "MaxTRESPerJob=cpu=", (4, 40)),
    (("account", "where", "account=root"), "GrpTRES=cpu=", (16, 64)),
)


@dataclass(kw_only=True)
class Frozen:
    """A state of the bed, and how it is undone. jobs: what fills it; limits stay when it is freed."""

    what: str
    jobs: list[str] = field(default_factory=list)
    undo: list[tuple[str, ...]] = field(default_factory=list)
    unlimit: list[tuple[str, ...]] = field(default_factory=list)


class Verdicts:
    """Trials against a Slurm of our own, or one given."""

    def __init__(self, scratch: Path, bed: Path | None = None, requests: int = REQUESTS) -> None:
        """Take a directory for a Slurm of our own."""
        self._bed, self._own = bed or scratch / "slurm", bed is None
        self._requests = requests

    def __enter__(self) -> Verdicts:
        """Raise the Slurm."""
        if self._own:
            subprocess.run([DEV / "up", self._bed], check=True, stdout=subprocess.DEVNULL)
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "SBATCH", "SQ"))},
            "SLURM_CONF": str(self._bed / "slurm.conf"),
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take our own Slurm down."""
        if self._own:
            subprocess.run([DEV / "down", self._bed], check=True)

    def trial(
        self, chance: random.Random, state: str | None = None, mode: str | None = None
    ) -> dict[str, Any]:
        """Freeze the bed, judge and submit each request, then free it and see which of the waiting ever start."""
        mode = mode or chance.choice(MODES)
        self._enforce(mode)
        states = STATES if state is None else {state: STATES[state]}
        frozen = chance.choice(list(states.values()))(self, chance)
        seen = []
        try:
            for _ in range(self._requests):
                seen.append(self._ask(_request(chance), frozen))
            self._free(frozen)
            for one in seen:
                one["truth"] = self._truth(one)
        finally:
            self._free(frozen)
            self._unlimit(frozen)
            self._enforce("NO")
        return {
            "what": f"{frozen.what}, EnforcePartLimits={mode}",
            "classes": dict(Counter(one["truth"] for one in seen)),
            "same_word": sum(
                one["verdict"].reason == one["reason"] for one in seen if one["reason"]
            ),
            "with_word": sum(bool(one["reason"]) for one in seen),
            "faults": [self._fault(one) for one in seen if one["truth"] != one["fate"]],
        }

    def _fault(self, one: dict[str, Any]) -> str:
        verdict: Verdict = one["verdict"]
        return (
            f"{' '.join(one['argv'])}: said {one['fate']} ({verdict.because}), "
            f"Slurm: {one['truth']} ({one['state']} {one['reason']} {one['error']})"
        )

    def _ask(self, argv: list[str], frozen: Frozen) -> dict[str, Any]:
        """Judge one request, submit it, see what Slurm decides, take it away again."""
        asked, measure = read_measure(_asked(argv), {"SLURM_CONF": self._environment["SLURM_CONF"]})
        verdict = judge(asked, measure)
        state, reason, error = self._submit(argv)
        return {
            "argv": argv,
            "verdict": verdict,
            "fate": verdict.fate.value,
            "state": state,
            "reason": reason,
            "error": error,
        }

    def _submit(self, argv: list[str]) -> tuple[str, str, str]:
        """Return state, reason and what sbatch said, once the scheduler has decided; the job is gone then."""
        said = self._run("sbatch", "--parsable", "--output=/dev/null", *argv, "--wrap", "sleep 900")
        if said.returncode:
            return "REFUSED", "", " ".join(said.stderr.split()[-9:])
        job, deadline = said.stdout.strip(), time.monotonic() + SETTLE_S
        while True:
            rows = self._rows("-j", job)
            running = [row for row in rows if row[1] in ("RUNNING", "COMPLETED", "CONFIGURING")]
            if running or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        self._cancel([job])
        state, reason = (running or rows)[0][1:]
        return state, "" if running else reason, ""

    def _truth(self, one: dict[str, Any]) -> str:
        """Return the fate that Slurm gave: a waiting job that does not start on the free bed never does."""
        if one["state"] == "REFUSED":
            return "refused"
        if one["state"] != "PENDING":
            return "starts_now"
        state, _, _ = self._submit(one["argv"])
        return "never" if state in ("PENDING", "REFUSED") else "waits"

    # --- the bed

    def _run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def _do(self, *argv: str) -> None:
        said = self._run(*argv)
        if said.returncode:
            raise RuntimeError(f"{argv}: {said.stdout}{said.stderr}")

    def _rows(self, *words: str) -> list[list[str]]:
        out = self._run("squeue", "--noheader", "--format=%A|%T|%r", *words).stdout
        return [line.split("|") for line in out.splitlines()]

    def _cancel(self, jobs: Sequence[str]) -> None:
        """Cancel, and wait until the nodes are free of them."""
        if not jobs:
            return
        self._run("scancel", *jobs)
        deadline = time.monotonic() + LIMIT_S
        while {row[0] for row in self._rows()} & set(jobs):
            if time.monotonic() > deadline:
                raise RuntimeError(f"jobs {jobs} do not end")
            time.sleep(0.1)

    def _enforce(self, mode: str) -> None:
        conf = self._bed / "slurm.conf"
        lines = conf.read_text().splitlines()
        wanted = [
            f"EnforcePartLimits={mode}" if line.startswith("EnforcePartLimits=") else line
            for line in lines
        ]
        if wanted != lines:
            conf.write_text("\n".join(wanted) + "\n")
            self._do("scontrol", "reconfigure")
            time.sleep(1)

    def fill(self, frozen: Frozen, *options: str) -> None:
        """Start a job that stays; where a limit does not let it, it is taken away again."""
        argv = [f"--partition={PARTITION}", f"--account={ACCOUNT}", "--time=240", *options]
        said = self._run(
            "sbatch", "--parsable", "--output=/dev/null", *argv, "--wrap", "sleep 9000"
        )
        job, deadline = said.stdout.strip(), time.monotonic() + SETTLE_S
        while job:
            if any(row[1] == "RUNNING" for row in self._rows("-j", job)):
                frozen.jobs.append(job)
                return
            if time.monotonic() > deadline:
                self._cancel([job])
                return
            time.sleep(0.1)

    def limit(self, frozen: Frozen, entity: tuple[str, ...], option: str, value: int) -> None:
        """Set one limit of a QOS or an association."""
        words = ("sacctmgr", "-i", "modify", *entity, "set")
        self._do(*words, f"{option}{value}")
        frozen.unlimit.append((*words, f"{option}-1"))

    def change(self, frozen: Frozen, what: str, before: str, after: str) -> None:
        """Set the state of nodes or of a partition."""
        why = ("reason=frozen",) if what.startswith("nodename") else ()
        self._do("scontrol", "update", what, f"state={before}", *why)
        frozen.undo.append(("scontrol", "update", what, f"state={after}"))

    def _free(self, frozen: Frozen) -> None:
        """Let everything go that time could: jobs end, nodes come back, the partition opens. Limits stay."""
        self._cancel(frozen.jobs)
        for words in frozen.undo:
            said = self._run(*words)
            # a node set down registers again by itself (ReturnToService=2), and is up already
            if said.returncode and "Invalid node state" not in said.stderr:
                raise RuntimeError(f"{words}: {said.stderr}")
        frozen.jobs, frozen.undo = [], []
        time.sleep(0.5)

    def _unlimit(self, frozen: Frozen) -> None:
        for words in frozen.unlimit:
            self._do(*words)


def _idle(_bed: Verdicts, _chance: random.Random) -> Frozen:
    return Frozen(what="idle")


def _full(bed: Verdicts, _chance: random.Random) -> Frozen:
    frozen = Frozen(what="full")
    for _ in range(4):
        bed.fill(frozen, "--exclusive")
    return frozen


def _half_full(bed: Verdicts, chance: random.Random) -> Frozen:
    frozen = Frozen(what="partly used")
    for _ in range(chance.randint(1, 4)):
        nodes = chance.randint(1, 2)
        cpus, mem = chance.choice((4, 16, 28)), chance.choice((10, 100, 300))
        gpus = chance.randint(0, 3)
        bed.fill(
            frozen, f"-N{nodes}", f"-n{nodes}", f"-c{cpus}", f"--mem={mem}G", f"--gres=gpu:{gpus}"
        )
    return frozen


def _drained(bed: Verdicts, chance: random.Random) -> Frozen:
    frozen = Frozen(what="nodes drained or down")
    if chance.random() < 0.5:
        bed.fill(frozen, "-N1", "-n1", "-c16", "--mem=100G")
    for number in chance.sample(range(1, 5), chance.randint(1, 4)):
        bed.change(frozen, f"nodename=n{number}", chance.choice(("drain", "down")), "resume")
    return frozen


def _door(bed: Verdicts, chance: random.Random) -> Frozen:
    state = chance.choice(("DOWN", "DRAIN", "INACTIVE"))
    frozen = Frozen(what=f"partition {state}")
    bed.change(frozen, f"partitionname={PARTITION}", state, "UP")
    return frozen


def _limited(bed: Verdicts, chance: random.Random) -> Frozen:
    frozen = Frozen(what="limits used up")
    for _ in range(chance.randint(1, 2)):
        bed.fill(frozen, "-N1", "-n1", "-c8", "--mem=20G", "--gres=gpu:1")
    for entity, option, values in chance.sample(LIMITS, chance.randint(1, 3)):
        bed.limit(frozen, entity, option, chance.choice(values))
    if chance.random() < 0.4:
        frozen.what = "limits used up, DenyOnLimit"
        words = ("sacctmgr", "-i", "modify", *_QOS, "set")
        bed._do(*words, "Flags+=DenyOnLimit")
        frozen.unlimit.append((*words, "Flags-=DenyOnLimit"))
    time.sleep(0.5)
    return frozen


STATES: dict[str, Callable[[Verdicts, random.Random], Frozen]] = {
    "idle": _idle,
    "full": _full,
    "half_full": _half_full,
    "drained": _drained,
    "door": _door,
    "limited": _limited,
    "limited_too": _limited,  # twice as often: it has the most to get wrong
}


def _request(chance: random.Random) -> list[str]:
    """Return sbatch's options for a request: each of them sane most of the time."""

    def pick(sane: Sequence[Any], odd: Sequence[Any], share: float = 0.15) -> Any:
        return chance.choice(odd if chance.random() < share else sane)

    partition = pick((PARTITION,), (SERIAL, SERIAL, SERIAL, "nope"))
    nodes = pick((1, 1, 1, 2, 3, 4), (5, 8, 65, 70, 257))
    qos = pick(
        (None, None, "normal", "boost_qos_dbg"), ("boost_qos_bprod", "boost_qos_lprod", SERIAL, "x")
    )
    account = pick((ACCOUNT,), (OTHER, OTHER, OTHER, "nobody"))
    points = pick((1,), (3, 1002), 0.05)
    argv = [
        f"--partition={partition}",
        f"--account={account}",
        f"--nodes={nodes}",
        f"--ntasks={nodes}",
        f"--cpus-per-task={pick((1, 2, 4, 8, 16, 32), (5, 33))}",
        f"--mem={pick((1, 10, 30, 90, 120), (31, 240, 482, 483))}G",
        f"--time={pick((5, 29, 30, 60), (31, 240, 241, 1440, 1441, 5760, 5761))}",
    ]
    gpus = pick((0, 0, 1, 2), (4, 5))
    argv += [f"--gres=gpu:{gpus}"] if gpus else []
    argv += [f"--qos={qos}"] if qos else []
    argv += [f"--array=1-{points}"] if points > 1 else []
    return [*argv, "--exclusive"] if chance.random() < 0.05 else argv


def _asked(argv: Sequence[str]) -> Asked:
    """Return the same request as the judge takes it."""
    told = dict(word.lstrip("-").partition("=")[::2] for word in argv)
    return Asked(
        partition=told["partition"],
        account=told["account"],
        qos=told.get("qos"),
        nodes=int(told["nodes"]),
        cpus=int(told["cpus-per-task"]),
        mem_mb=int(told["mem"].rstrip("G")) * 1024,
        gpus=int(told.get("gres", "gpu:0").rpartition(":")[2]),
        seconds=int(told["time"]) * 60,
        exclusive="exclusive" in told,
        points=int(told.get("array", "1-1").rpartition("-")[2]),
    )
