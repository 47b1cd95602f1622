"""One point of a sweep: its own run directory, made when it starts, then the batch step as of any job."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from forgia_hpc.errors import ExitCode, ForgiaError
from forgia_hpc.node import batch
from forgia_hpc.node.entry import follow_parent
from forgia_hpc.rundir import RunDir, read_json, write_json, write_text
from forgia_hpc.schema.load import config_text
from forgia_hpc.sweepdir import SweepDir, completed


def main(arguments: list[str] | None = None) -> int:
    """Run one attempt of one point and return its exit code."""
    parser = argparse.ArgumentParser(prog="forgia_hpc.node.point")
    parser.add_argument("sweep", type=Path)
    parser.add_argument("--digest")
    parser.add_argument("--chunk", type=int, help="take the point of this array task")
    parser.add_argument("--point", type=int, help="take this one, as a step of an allocation")
    asked = parser.parse_args(arguments)
    os.umask(0o027)
    if asked.point is not None:
        follow_parent()
        os.environ.pop("FORGIA_FOLLOW_PARENT", None)  # it was ours to follow, not our ranks'
    sweep = SweepDir(asked.sweep)
    try:
        index = asked.point if asked.point is not None else _of_task(sweep, asked.chunk)
        run = make_point(sweep, index, task=asked.point is None)
    except ForgiaError as error:
        sys.stderr.write(f"forgia: {error}\n")
        return int(error.exit_code)
    if completed(run):  # a task that Slurm starts once more, after its work was done
        return int(ExitCode.OK)
    _speak_into(run)
    code = batch.main([str(run.path), *(["--digest", asked.digest] if asked.digest else [])])
    if asked.point is None:
        _feed(sweep)
    return code


def _of_task(sweep: SweepDir, chunk: int) -> int:
    """Return the point of this task: the array's indices count the points of its chunk."""
    return sweep.chunk(chunk).points[int(os.environ["SLURM_ARRAY_TASK_ID"])]


def make_point(sweep: SweepDir, index: int, *, task: bool) -> RunDir:
    """Make the point's directory, or find it as an earlier attempt made it.

    Code, inputs and manifest are links to the sweep's. `task`: the point is a Slurm job of its own, which
    may be requeued; the link to its script says so.
    """
    run = sweep.point(index)
    if run.job.is_file():
        return run
    point, folder = sweep.points[index], Path("../..")
    for part in (run.logs, run.checkpoints, run.output, run.path / "stop", run.path / "events"):
        part.mkdir(parents=True, exist_ok=True)
    links = {
        "code": "code",
        "inputs": f"inputs/{point.inputs}",
        "manifest.json": "manifest.json",
        **({"job.sbatch": sweep.script(point.group).name} if task else {}),
    }
    for name, target in links.items():
        if not (run.path / name).is_symlink():
            (run.path / name).symlink_to(folder / target)
    config = sweep.config_of(index)
    write_text(run.config, config_text(config))
    write_json(run.job, _record(sweep, run, index))
    return run


def _record(sweep: SweepDir, run: RunDir, index: int) -> dict[str, object]:
    """Return the point's job.json: the sweep's, with what is the point's own."""
    of = read_json(sweep.job)
    return {
        **{key: value for key, value in of.items() if key not in ("of", "points")},
        "name": f"{sweep.name}/{index}",
        "path": str(run.path),
        "kind": of["of"],
        "sweep": sweep.name,
        "point": index,
        "overrides": list(sweep.points[index].overrides),
        "resources": sweep.groups[sweep.points[index].group],
    }


def _speak_into(run: RunDir) -> None:
    """Let this process and its children speak into the point's own logs; until here they were the sweep's."""
    for number, name in ((1, "batch.out"), (2, "batch.err")):
        with (run.logs / name).open("ab") as log:
            os.dup2(log.fileno(), number)


def _feed(sweep: SweepDir) -> None:
    """As the last act: submit more of the sweep, where points wait for room. Quick where none do."""
    if not sweep.waiting():
        return
    argv = [sys.executable, "-m", "forgia_hpc.jobs.feed", str(sweep.path)]
    subprocess.run(argv, check=False, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
