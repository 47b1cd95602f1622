"""A few steps of a job where there is no network, and what it touched that nothing declares.

The job is sealed and started as ever, in a network namespace of its own that holds nothing but a loopback. Each
rank, and each Python program that it starts, notes files and hosts with the stack that led there; strace(1), where
there is one, sees the rest: C code and other programs.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from forgia_hpc import process
from forgia_hpc.errors import ExitCode, InputError, Problem
from forgia_hpc.jobs.package import Plan, Sealed, seal
from forgia_hpc.jobs.plan import Wish, make_plan
from forgia_hpc.jobs.straced import STRACE, read_trace
from forgia_hpc.jobs.touched import Touch, merge, read_notes
from forgia_hpc.rundir import RunDir, write_json
from forgia_hpc.schema.job import EvaluateJob, Job, Kind, PrepareJob, TrainJob
from forgia_hpc.slurm.executor import allowed
from forgia_hpc.slurm.request import CACHES

APART = ("unshare", "--user", "--map-root-user", "--net", "--")
# The system's own: libraries, devices, the resolver's settings.
SYSTEM = ("/usr/", "/lib", "/bin/", "/sbin/", "/etc/", "/proc/", "/sys/", "/dev/", "/opt/rocm")
_HOOK = """import importlib.util, sys
_spec = importlib.util.spec_from_file_location("_forgia_audit", {audit!r})
_audit = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_audit)
_audit.watch()
"""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a job touched that nothing declares, and how it ended."""

    touched: tuple[Touch, ...]
    ended: str  # completed | stopped | failed, and why
    exit_code: int
    traced: bool  # whether strace saw what Python does not
    seconds: float

    @property
    def clean(self) -> bool:
        """Whether nothing but the declared was touched."""
        return not self.touched


def shortened(kind: Kind, overrides: Sequence[str]) -> list[str]:
    """Return the words of the same job, small enough for this machine: one rank, two steps."""
    own = [word for word in overrides if not word.startswith(("cluster=", "launch=", "resources."))]
    here = ["cluster=local", "launch=processes", "resources.ranks_per_node=1"]
    if kind is Kind.train:
        here += ["train.steps=2", "train.global_batch=2", "train.micro_batch=null"]
    if kind in (Kind.train, Kind.evaluate):
        here += ["evaluate.max_windows=1"]
    return [*own, *here]


def require_apart() -> None:
    """Raise an InputError where this kernel lets us make no empty network namespace."""
    try:
        answer = process.run([*APART, "true"], timeout_s=10)
        said = answer.stderr.strip() if answer.returncode else ""
    except process.ProgramMissingError as error:
        said = str(error)
    if said:
        raise InputError(
            Problem(
                field="--offline",
                got=said,
                limit="an empty network namespace is needed, and this machine gives its users none",
                where="unshare(1); sysctl user.max_user_namespaces",
                fix="try it on a workstation, or in a container of your own",
            )
        )


def check_offline(
    kind: Kind, overrides: Sequence[str], argv: Sequence[str], seconds: float
) -> Verdict:
    """Run the shortened job apart from all networks for at most `seconds`, and say what it touched.

    Raises:
        InputError: the job does not fit, or no namespace can be made.
    """
    require_apart()
    if kind is Kind.simulate:
        limit, fix = (
            "it would make the dataset",
            "forgia submit simulate … --dry-run checks the rest",
        )
        raise InputError(Problem(field="--offline", got=kind.value, limit=limit, fix=fix))
    plan = make_plan(Wish(kind=kind, verb="check", overrides=shortened(kind, overrides), argv=argv))
    with tempfile.TemporaryDirectory(prefix="forgia-offline-") as folder:
        place = Path(folder)
        own = dataclasses.replace(plan, run=RunDir(place / plan.run.name))
        return _observed(own, seal(own), place, seconds)


def _observed(plan: Plan, sealed: Sealed, place: Path, seconds: float) -> Verdict:
    run, started = sealed.run, time.time()
    setting, declared = _setting(plan, place, started)
    traced = _can_trace()
    trace = place / "trace"
    trace.mkdir()
    words = [*STRACE, "-o", str(trace / "calls"), "--"] if traced else []
    argv = [sys.executable, "-m", "forgia_hpc.node.apart", str(run.path), "--digest", sealed.digest]
    code = _run([*APART, *words, *argv], run, _environment(run, place, setting), seconds)
    ended = run.events("batch_ended")
    why = str(ended[-1].facts["why"]) if ended else "the batch step left no word; see the log below"
    notes = read_notes(place / "notes")
    seen = read_trace(trace / "calls", declared, plan.run.path, started) if traced else []
    return Verdict(
        touched=tuple(merge(notes, seen)),
        ended="completed" if code == ExitCode.OK else why,
        exit_code=code,
        traced=traced,
        seconds=round(time.time() - started, 1),
    )


def _setting(plan: Plan, place: Path, started: float) -> tuple[Path, tuple[str, ...]]:
    """Write what is declared, and where the ranks note what is not."""
    own = {sys.prefix, sys.base_prefix, *sysconfig.get_paths().values()}
    folders = [str(place), *own, *_inputs(plan)]
    declared = (*SYSTEM, *(f"{os.path.realpath(one)}{os.sep}" for one in folders))
    for name in ("notes", "hook", "caches"):
        (place / name).mkdir()
    audit = plan.run.code / "forgia_hpc" / "runtime" / "audit.py"
    hook = _HOOK.format(audit=str(audit))
    (place / "hook" / "sitecustomize.py").write_text(hook, encoding="utf-8")
    exact = [os.path.realpath(one) for one in folders]
    setting = place / "audit.json"
    write_json(
        setting,
        {
            "declared": [*declared, *exact],
            "hosts": [os.uname().nodename],
            "since": started - 1,
            "temporary": os.path.realpath(tempfile.gettempdir()) + os.sep,
            "out": str(place / "notes"),
        },
    )
    return setting, declared


def _inputs(plan: Plan) -> list[str]:
    """Return the folders that the sealed job says it reads."""
    grant = plan.data.get("grant", {})
    found = [str(one["directory"]) for one in grant.get("contributions", [])]
    job: Job = plan.job
    if isinstance(job, EvaluateJob):
        found.append(job.evaluate.run)
    if isinstance(job, TrainJob) and job.train.start_from:
        found.append(job.train.start_from)
    if isinstance(job, PrepareJob):
        found += [job.prepare.raw, str(plan.data["prepare"]["into"])]
    return [one for one in found if one]


def _environment(run: RunDir, place: Path, setting: Path) -> dict[str, str]:
    caches = {name: str(place / "caches" / where) for name, where in CACHES.items()}
    return {
        **allowed(os.environ, {}),
        **caches,
        "PYTHONSAFEPATH": "1",
        "PYTHONPATH": str(run.code),
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
        "FORGIA_AUDIT": str(setting),
        "FORGIA_AUDIT_HOOK": str(setting.parent / "hook"),
    }


def _run(argv: list[str], run: RunDir, environment: dict[str, str], seconds: float) -> int:
    """Run the batch step; after `seconds` ask it to stop, as a walltime would."""
    with (run.logs / "batch.out").open("ab") as out, (run.logs / "batch.err").open("ab") as err:
        child = subprocess.Popen(
            argv, stdout=out, stderr=err, stdin=subprocess.DEVNULL, cwd=run.path, env=environment
        )
        try:
            return child.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            _ask_to_stop(run)
            return child.wait()
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()


def _ask_to_stop(run: RunDir) -> None:
    started = run.events("batch_started")
    if started:
        os.kill(int(started[-1].facts["pid"]), 15)


def _can_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    return process.run([*STRACE, "-o", os.devnull, "--", "true"], timeout_s=10).returncode == 0
