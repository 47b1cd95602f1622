"""The batch step: checks the seal, starts the ranks, watches them, decides the ending.

One light process; no torch, no HDF5. Slurm sends its warning signal here (the script says `exec`), and here it
becomes a stop flag that the ranks see at their next step boundary.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from forgia_hpc.errors import ExitCode, ForgiaError, SealBrokenError, SupersededError
from forgia_hpc.node.admission import admit
from forgia_hpc.node.campaign import TURNS, Campaign
from forgia_hpc.node.campaign_told import is_unsound, verdict
from forgia_hpc.node.deadline import Deadline, learn, own_job
from forgia_hpc.node.door import check_door, note_outputs
from forgia_hpc.node.environment import cluster_of, launch_facts, rank_environment
from forgia_hpc.node.last_word import last_word
from forgia_hpc.node.launch import start
from forgia_hpc.node.lost import given_up, take_over
from forgia_hpc.node.notify import notify
from forgia_hpc.node.progress import Start, check_progress, mark_of, newest_step
from forgia_hpc.node.remains import disk_named
from forgia_hpc.node.resubmit import act
from forgia_hpc.node.seal import check_data, check_seal
from forgia_hpc.node.sequel import Way, conclude, resubmit_word, sentence
from forgia_hpc.node.stall import StallWatch, threshold_s
from forgia_hpc.node.watch import Ear, Watch
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.runtime.energy import Meter
from forgia_hpc.schema.job import Kind
from forgia_hpc.schema.resources import parse_walltime
from forgia_hpc.slurm.control import job_facts
from forgia_hpc.slurm.receipt import leave_at_end
from forgia_hpc.sweepdir import start_of

_ENDINGS = {int(ExitCode.OK): "completed", int(ExitCode.STOPPED): "stopped"}


def main(arguments: list[str] | None = None) -> int:
    """Run one attempt of the job and return its exit code."""
    parser = argparse.ArgumentParser(prog="forgia_hpc.node.batch")
    parser.add_argument("run", type=Path)
    parser.add_argument("--digest")
    asked = parser.parse_args(arguments)
    ear = Ear()
    os.umask(0o027)
    run = RunDir(asked.run)
    if not run.path.is_dir():
        sys.stderr.write(f"forgia: {run.path}: no such run directory; was it moved?\n")
        return ExitCode.SEAL_BROKEN
    if too_late(run, os.environ):
        return ExitCode.JOB_FAILED
    begun = begin(run)
    code, why, watch = int(ExitCode.DEFECT), "", None
    try:
        check_seal(run, asked.digest)
        check_progress(run)
        begun = replace(begun, mark=mark_of(run))
        check_door(run)
        admit(run)
        run.event("seal_checked", attempt=begun.attempt, data_bytes=check_data(run))
        code, why, watch = _live(begun, ear)
        if code == ExitCode.OK:
            note_outputs(run)
    except SupersededError as error:
        run.event("superseded", attempt=begun.attempt, why=str(error))
        return error.exit_code  # without a last word: the run is the later attempt's
    except SealBrokenError as error:
        code, why = ExitCode.SEAL_BROKEN, str(error)
    except ForgiaError as error:
        code, why = error.exit_code, str(error)
    except BaseException as error:
        trace = traceback.format_exc()
        run.event(
            "batch_ended", attempt=begun.attempt, exit_code=code, why=repr(error), trace=trace
        )
        raise
    return _end(begun, code, why, watch)


def too_late(run: RunDir, environment: Mapping[str, str]) -> bool:
    """Whether this job's submission was given up as lost: another job was sent for it, and two must not run."""
    name = environment.get("SLURM_JOB_NAME")
    if not any(event.facts.get("name") == name for event in run.events("submission_lost")):
        return False
    run.event("late_job_refused", name=name, job_id=environment.get("SLURM_JOB_ID"))
    sys.stderr.write(f"forgia: {name} was given up as lost, and another job was sent for it\n")
    return True


def begin(run: RunDir) -> Start:
    """Note that an attempt begins, and what is true now."""
    begun = Start(
        run=run,
        attempt=attempt_number(run),
        restarts=int(os.environ.get("SLURM_RESTART_COUNT") or 0),
        step=newest_step(run),
        # a local run within an allocation must not requeue that
        job=own_job(os.environ) if (run.path / "job.sbatch").exists() else None,
    )
    run.event(
        "batch_started",
        attempt=begun.attempt,
        node=os.uname().nodename,
        nodes=os.environ.get("SLURM_JOB_NODELIST"),
        pid=os.getpid(),
        job_id=os.environ.get("SLURM_JOB_ID"),
        step=begun.step,
        logs=_sizes(run),
    )
    take_over(run, begun.attempt)
    return begun


def _sizes(run: RunDir) -> dict[str, int]:
    """Return how far the logs in which Slurm speaks have grown: every attempt appends to the same."""
    paths = [run.logs / name for name in ("batch.err", "launcher.log")]
    return {path.name: path.stat().st_size for path in paths if path.exists()}


def attempt_number(run: RunDir) -> int:
    """Return how often this job was started before: by our own record, which outlives Slurm's counter."""
    return len(run.events("batch_started"))


def _live(begun: Start, ear: Ear) -> tuple[ExitCode, str, Watch]:
    """Start the ranks, wait for them; return exit code, reason, and what the watch saw."""
    run, attempt = begun.run, begun.attempt
    facts = {**start_of(run), **launch_facts(run)}
    watch = Watch(run, attempt, _deadline(begun, facts), _stalls(run, attempt), ear)
    with Meter(run, attempt):
        if read_json(run.job)["kind"] == Kind.simulate.value:
            return _simulated(begun, facts, watch)
        return _ranked(begun, facts, watch)


def _simulated(begun: Start, facts: dict[str, Any], watch: Watch) -> tuple[ExitCode, str, Watch]:
    """Run the campaign, then its conclusion; where that finds members unsound, both again."""
    run, attempt = begun.run, begun.attempt
    word = ExitCode.JOB_FAILED, "", watch
    for turn in range(TURNS):
        own = {"FORGIA_TURN": f"{attempt}.{turn}", "FORGIA_CAMPAIGN": str(run.path)}
        environment = {**rank_environment(facts, attempt), **own}
        with disk_named():
            campaign = Campaign(run, facts, environment, (attempt, turn))
        try:
            code = watch.wait(campaign)
        finally:
            campaign.terminate()
        if code:
            return ExitCode(code), campaign.last_words() or "stopped when asked to", watch
        word = _ranked(begun, facts, watch, own)
        if word[0] is ExitCode.OK:
            return *verdict(run), watch
        if word[0] is ExitCode.STOPPED or not is_unsound(run, attempt, turn):
            return word
    return word


def _ranked(
    begun: Start, facts: dict[str, Any], watch: Watch, own: Mapping[str, str] | None = None
) -> tuple[ExitCode, str, Watch]:
    """Start all ranks and wait for them."""
    run, attempt = begun.run, begun.attempt
    ranks = start(run, facts, {**rank_environment(facts, attempt), **(own or {})})
    try:
        code = watch.wait(ranks)
    finally:
        ranks.terminate()
    if watch.stall:
        stacks = "logs/rank-<n>.stack has the stacks"
        return ExitCode.JOB_FAILED, f"stalled: {watch.stall}; {stacks}", watch
    word, why = last_word(run, attempt, code, ranks)
    if word == ExitCode.JOB_FAILED and given_up(begun):
        raise SupersededError(f"Slurm has given this node up ({why})")
    return word, why, watch


def _stalls(run: RunDir, attempt: int) -> StallWatch | None:
    """Watch the kinds of job whose ranks stamp where they are."""
    train = yaml.safe_load(run.config.read_text(encoding="utf-8")).get("train")
    if train is None:
        return None
    asked = train.get("stall_s")
    return StallWatch(run, attempt, lambda: threshold_s(asked, learn(run).step_s))


def _deadline(begun: Start, facts: dict[str, Any]) -> Deadline | None:
    if begun.job is None or not facts["slurm"]:
        return None
    seconds = parse_walltime(facts["resources"]["walltime"]) or 0
    return Deadline(
        begun.run, begun.attempt, partial(job_facts, begun.job, {}), seconds, now=time.time()
    )


def _end(begun: Start, code: int, why: str, watch: Watch | None) -> int:
    """Say the last word, then go on where that is right: what comes after a requeue may be killed."""
    word: dict[str, str] = {}
    way, stall = Way.nothing, watch.stall if watch else None
    if code == ExitCode.STOPPED or (stall and stall.blames_node):
        # an allocation is its shell's: requeued, it would run that shell's command again
        own = "FORGIA_ALLOCATION" not in os.environ
        allowed = resubmit_word(cluster_of(begun.run)["scheduler"]) if own else "none"
        cause, sequel = conclude(begun, allowed, watch.told if watch else None)
        code, way = sequel.code, sequel.way
        why = f"{why} {sentence(begun.run, cause, sequel)}"
        word = {"cause": cause.value, "goes_on": way.value}
    begun.run.event("batch_ended", attempt=begun.attempt, exit_code=int(code), why=why, **word)
    if why:
        sys.stderr.write(f"forgia: {why}\n")
    if way is Way.nothing:  # it ends here: nobody else comes to say so
        leave_at_end(begun.run)
        notify(begun.run, _ENDINGS.get(code, "failed"), why)
    act(begun, way, without=stall.nodes if stall else ())
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
