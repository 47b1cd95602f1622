"""The user's own program: started from its sealed copy, followed, and its exit code told."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

from forgia_hpc.digest import sha256_text
from forgia_hpc.errors import JobFailedError, StoppedError, SupersededError
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.runtime.container import sealed_container
from forgia_hpc.runtime.rendezvous import publish, wait_for
from forgia_hpc.schema.job import Command, CommandJob

if TYPE_CHECKING:
    from forgia_hpc.runtime.stop import StopFlag
    from forgia_hpc.runtime.world import World

POLL_S = 0.2
LONGEST_PAUSE_S = 3.0  # between two looks at the other ranks: one of a thousand may take hours


def command(job: CommandJob, run: RunDir, world: World, stop: StopFlag) -> dict[str, Any]:
    """Run `job.command.argv` as this rank and return its exit code and seconds.

    The program sees RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT, as torch's
    `env://` wants them, and FORGIA_OUTPUT for what it leaves.

    Raises:
        JobFailedError: it could not be started, or ended with another code than 0.
        StoppedError: it ended after we passed on the wish to stop; a resumable program whatever its exit code.
    """
    sealed = run.code / "source"
    folder = sealed if sealed.is_dir() else run.output
    own = {
        "RANK": str(world.rank),
        "WORLD_SIZE": str(world.size),
        "LOCAL_RANK": str(world.local_rank),
        "LOCAL_WORLD_SIZE": str(world.place.local_size),
        "FORGIA_OUTPUT": str(run.output),
        # the seal of our own code is ours; the user's program imports from its own directory as ever
        "PYTHONPATH": str(sealed) if sealed.is_dir() else "",
        **_meeting(run, world),
        **job.command.env,
    }
    environment = {**os.environ, **own}
    if hook := os.environ.get(
        "FORGIA_AUDIT_HOOK"
    ):  # an offline check looks into Python programs too
        environment["PYTHONPATH"] = os.pathsep.join([hook, environment["PYTHONPATH"]])
    environment.pop("PYTHONSAFEPATH", None)
    argv = job.command.argv
    container = sealed_container(read_json(run.manifest)["start"])
    if container:
        argv = container.wrap(argv, cwd=folder)
        environment = container.passed(environment, own)
    started = time.monotonic()
    try:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise JobFailedError(f"{argv[0]} did not start: {error.strerror}") from error
    asked = _wait(process, stop, job.command)
    code = process.returncode
    stopped = asked and (code != 0 or job.command.resumable)
    if code and not stopped:
        raise JobFailedError(f"{job.command.argv[0]} ended with {_spoken(code)}")
    # the first rank that leaves takes the others along, and their programs may still be saving
    _wait_for_others(run, world, stop)
    if world.any(stopped):
        how = f"ended with {code} after it was asked to stop" if stopped else "had ended"
        raise StoppedError(f"{job.command.argv[0]} {how}")
    return {"exit_code": code, "seconds": round(time.monotonic() - started, 3)}


def _meeting(run: RunDir, world: World) -> dict[str, str]:
    """Return where the programs of all ranks may meet; torchrun has said so already."""
    if world.size == 1 or "MASTER_ADDR" in os.environ:
        return {}
    if world.is_root:
        meeting, bound = publish(run, world.place, "programs-")
        bound.close()
    else:
        meeting = wait_for(run, world.place, "programs-")
    return {"MASTER_ADDR": meeting.address, "MASTER_PORT": str(meeting.port)}


def _wait(process: subprocess.Popen[bytes], stop: StopFlag, how: Command) -> bool:
    """Wait for the end; pass on a wish to stop. Return whether one was passed on."""
    asked_at: float | None = None
    try:
        while process.poll() is None:
            if stop.requested and asked_at is None:
                asked_at = time.monotonic()
                _signal(process, signal.Signals[how.stop_signal])
            if asked_at is not None and time.monotonic() - asked_at > how.save_s:
                _signal(process, signal.SIGKILL)
            time.sleep(POLL_S)
    except SupersededError:  # what it saves now, it would save beside the later attempt
        _signal(process, signal.SIGKILL)
        raise
    # scancel's SIGTERM reaches the program as well as us: it may have ended before we looked
    return asked_at is not None or stop.requested


def _wait_for_others(run: RunDir, world: World, stop: StopFlag) -> None:
    """Wait until every rank's program has ended, however long: a collective would give up after minutes.

    Raises:
        SupersededError: a later attempt of this run has begun.
    """
    if world.size == 1:
        return
    ended = run.path / "rendezvous" / f"ended-{sha256_text(world.place.launch)[:12]}"
    ended.mkdir(parents=True, exist_ok=True)
    (ended / str(world.rank)).touch()
    pause = POLL_S
    while sum(1 for _ in ended.iterdir()) < world.size:
        _ = stop.requested  # it looks whether this attempt is still wanted
        time.sleep(pause)
        pause = min(1.5 * pause, LONGEST_PAUSE_S)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return  # it ended between the poll and here


def _spoken(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
