"""The batch step: checks the seal, starts the ranks, watches them, decides the ending.

One light process; no torch, no HDF5. Slurm sends its warning signal here (the script says `exec`), and here it
becomes a stop flag that the ranks see at their next step boundary.
"""

from __future__ import annotations

import argparse
import os
import re
import secrets
import signal
import sys
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

import yaml

from forgia_hpc.errors import ExitCode, ForgiaError, InputError, SealBrokenError
from forgia_hpc.node.launch import Ranks, start
from forgia_hpc.node.seal import check_data, check_seal, cut_shards
from forgia_hpc.rundir import RunDir, read_json, write_text

POLL_S = 0.2
_SIGBUS = re.compile("SIGBUS|Bus error")


def main(arguments: list[str] | None = None) -> int:
    """Run one attempt of the job and return its exit code."""
    parser = argparse.ArgumentParser(prog="forgia_hpc.node.batch")
    parser.add_argument("run", type=Path)
    parser.add_argument("--digest")
    asked = parser.parse_args(arguments)
    os.umask(0o027)
    run = RunDir(asked.run)
    if not run.path.is_dir():
        sys.stderr.write(f"forgia: {run.path}: no such run directory; was it moved?\n")
        return ExitCode.SEAL_BROKEN
    attempt = attempt_number(run)
    run.event(
        "batch_started",
        attempt=attempt,
        node=os.uname().nodename,
        pid=os.getpid(),
        job_id=os.environ.get("SLURM_JOB_ID"),
    )
    try:
        check_seal(run, asked.digest)
        checked = check_data(run)
        run.event("seal_checked", attempt=attempt, data_bytes=checked)
        code, why = Watch(run, attempt).attempt()
    except SealBrokenError as error:
        code, why = ExitCode.SEAL_BROKEN, str(error)
    except ForgiaError as error:
        code, why = error.exit_code, str(error)
    except BaseException as error:
        run.event(
            "batch_ended",
            attempt=attempt,
            exit_code=int(ExitCode.DEFECT),
            why=repr(error),
            trace=traceback.format_exc(),
        )
        raise
    run.event("batch_ended", attempt=attempt, exit_code=int(code), why=why)
    if why:
        sys.stderr.write(f"forgia: {why}\n")
    return int(code)


def attempt_number(run: RunDir) -> int:
    """Return how often this job was started before: by our own record, which outlives Slurm's counter."""
    return len(run.events("batch_started"))


class Watch:
    """One attempt: the ranks, and the signals that ask for a stop."""

    def __init__(self, run: RunDir, attempt: int) -> None:
        """Install the signal handlers; they only note, the loop acts."""
        self._run = run
        self._attempt = attempt
        self._asked: str | None = None
        self._told = False
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._asked = self._asked or signal.Signals(number).name

    def attempt(self) -> tuple[int, str]:
        """Start the ranks, wait for them, and return exit code and reason."""
        facts = {**read_json(self._run.manifest)["start"], **_launch_facts(self._run)}
        ranks = start(self._run, facts, rank_environment(facts, self._attempt))
        try:
            code = self._wait(ranks)
        finally:
            ranks.terminate()
        return self._ending(code, ranks)

    def _wait(self, ranks: Ranks) -> int:
        while (code := ranks.poll()) is None:
            if self._asked and not self._told:
                self._told = True
                flag = self._run.path / "stop" / str(self._attempt)
                flag.parent.mkdir(exist_ok=True)
                write_text(flag, self._asked + "\n")
                self._run.event("stop_asked", attempt=self._attempt, signal=self._asked)
            time.sleep(POLL_S)
        return code

    def _ending(self, code: int, ranks: Ranks) -> tuple[int, str]:
        """Decide: our own record first, then the launcher's words."""
        if code == 0:
            return self._completed()
        failed = self._facts_of("rank_failed")
        # srun's code is the highest of all ranks: a failed rank's 3 hides behind the 6 of those it took along
        if self._facts_of("rank_stopped") and not failed and code == ExitCode.STOPPED:
            why = f"stopped at a step boundary ({self._asked or 'asked by a rank'})"
            return ExitCode.STOPPED, f"{why}; it can go on: forgia resume {self._run.name}"
        death = ranks.first_death()
        # the rank that died first may have left no word, and those that it took along did
        first = next((one for one in failed if death and one["rank"] == death.rank), None)
        if death and first is None and death.how != f"Exited with exit code {ExitCode.STOPPED}":
            where = f"rank {death.rank} on {death.node}"
            # a shard that is cut while it is mapped ends its reader without a word
            if _SIGBUS.search(death.how) and (cut := cut_shards(self._run)):
                return (
                    ExitCode.SEAL_BROKEN,
                    f"{where}: {death.how}; cut while read: {'; '.join(cut)}",
                )
            return ExitCode.JOB_FAILED, f"{where}: {death.how}; see logs/rank-{death.rank}.log"
        if failed:
            return _code_of(first or failed[0]), _sentence(first or failed[0])
        why = f"the ranks ended with code {code} and left no word"
        return ExitCode.JOB_FAILED, f"{why}; logs/launcher.log ends: {ranks.last_words()}"

    def _facts_of(self, what: str) -> list[dict[str, Any]]:
        """Return the facts of this attempt's events of one word."""
        events = self._run.events(what)
        return [each.facts for each in events if each.facts.get("attempt") == self._attempt]

    def _completed(self) -> tuple[int, str]:
        try:
            result = read_json(self._run.result)
        except InputError as error:
            return ExitCode.JOB_FAILED, f"all ranks ended with 0 but left no valid result ({error})"
        if result.get("attempt") != self._attempt:
            return (
                ExitCode.JOB_FAILED,
                "all ranks ended with 0 but result.json is of another attempt",
            )
        return ExitCode.OK, ""


def _sentence(facts: dict[str, Any]) -> str:
    who = f"rank {facts['rank']} on {facts['node']}"
    return f"{who} failed: {facts['error']}; see logs/rank-{facts['rank']}.log"


def _code_of(facts: dict[str, Any]) -> int:
    code = int(facts.get("exit_code", ExitCode.JOB_FAILED))
    known = (ExitCode.INPUT, ExitCode.SEAL_BROKEN)
    return code if code in known else ExitCode.JOB_FAILED


def _launch_facts(run: RunDir) -> dict[str, Any]:
    cluster = yaml.safe_load((run.inputs / "cluster.yaml").read_text(encoding="utf-8"))
    return {
        "path": str(run.path),
        "software": cluster["software"],
        "variables": _variables(cluster),
        "srun_args": cluster["scheduler"]["srun_args"],
    }


def _variables(cluster: dict[str, Any]) -> dict[str, str]:
    """Return the site's variables of the ranks, as the sealed profile has them."""
    offline = {} if cluster["network"]["compute_online"] else cluster["env"]["offline"]
    return {**cluster["env"]["defaults"], **offline}


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


if __name__ == "__main__":
    sys.exit(main())
