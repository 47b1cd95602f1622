"""forgia logs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from forgia_hpc.cli.output import note, say
from forgia_hpc.cli.words import run_argument, runs_root
from forgia_hpc.errors import InputError, Problem

if TYPE_CHECKING:
    from forgia_hpc.cli.watch import Pulse
    from forgia_hpc.rundir import RunDir

POLL_S = 0.5


@dataclass
class LogFile:
    """One growing file, read by whole lines."""

    path: Path
    label: str
    offset: int = 0

    def lines(self, last: int | None = None) -> list[str]:
        """Return the whole lines since the last call, only the `last` ones if given."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as opened:
            opened.seek(self.offset)
            data = opened.read()
        end = data.rfind(b"\n") + 1
        self.offset += end
        lines = data[:end].decode(errors="replace").splitlines()
        return lines if last is None else lines[-last:]


@click.command(
    epilog="\b\nExamples:\n  forgia logs RUN\n  forgia logs -f --rank 1 RUN\n  forgia logs --batch RUN\n"
    "  forgia logs SWEEP --point 12"
)
@run_argument
@click.option("-f", "--follow", is_flag=True, help="Go on until the run ends.")
@click.option("--rank", type=int, help="Only this rank's log.")
@click.option("--batch", is_flag=True, help="Only the batch step's and the launcher's words.")
@click.option("--point", type=int, help="Of a sweep: this point's logs.")
@click.option("-n", "count", default=40, show_default=True, help="Last lines of each file.")
def logs(
    run: str, follow: bool, rank: int | None, batch: bool, point: int | None, count: int
) -> None:
    """What a run has written: the batch step, the launcher, each rank."""
    from forgia_hpc.jobs.find import find_run
    from forgia_hpc.jobs.track import status_of

    found = find_run(run, runs_root())
    found = found if point is None else _point(found, point)
    files = {file.path: file for file in _files(found.logs, rank, batch=batch)}
    if rank is not None and not files and not follow:
        known = ", ".join(sorted(p.stem for p in found.logs.glob("rank-*.log"))) or "none yet"
        raise InputError(
            Problem(
                field="--rank", got=rank, limit=f"logs there are: {known}", where=str(found.logs)
            )
        )
    several = rank is None
    for file in files.values():
        _print(file, file.lines(count), several=several)
    if not follow and not any(file.offset for file in files.values()):
        figures = f"report {found.name}" if point is None else f"results {run}"
        note(f"nothing is written in {found.logs}; figures: forgia {figures}")
    quiet = rank is not None or batch or not found.config.is_file()
    pulse = None if quiet or not follow else _pulse(found)
    while follow:
        ended = status_of([found])[0]
        for file in _files(found.logs, rank, batch=batch):
            known_file = files.setdefault(file.path, file)
            _print(known_file, known_file.lines(), several=several)
        if pulse:
            pulse.beat(ended)
        if ended.rests:
            note(f"{found.name} {ended.state.value}{': ' + ended.why if ended.why else ''}")
            return
        time.sleep(POLL_S if ended.cluster == "local" else 2)


def _pulse(run: RunDir) -> Pulse:
    from forgia_hpc.cli.watch import Pulse

    return Pulse.begin(run)


def _point(run: RunDir, index: int) -> RunDir:
    """Return the run directory of a point that has started."""
    from forgia_hpc.jobs.submission import sealed_record
    from forgia_hpc.sweepdir import SweepDir

    if sealed_record(run)["kind"] != "sweep":
        raise InputError(Problem(field="--point", got=index, limit=f"{run.name} is no sweep"))
    found = SweepDir(run.path).point(index)
    if not found.job.is_file():
        fix = f"forgia status {run.name} --points"
        raise InputError(Problem(field="--point", got=index, limit="it has not started", fix=fix))
    return found


def _files(folder: Path, rank: int | None, *, batch: bool) -> list[LogFile]:
    if rank is not None:
        return [LogFile(path, f"rank {rank}") for path in folder.glob(f"rank-{rank}.log")]
    own = [
        LogFile(folder / name, name.split(".")[0])
        for name in ("batch.out", "batch.err", "launcher.log")
    ]
    ranks = sorted(folder.glob("rank-*.log"), key=lambda path: int(path.stem.split("-")[1]))
    return own if batch else own + [LogFile(path, path.stem.replace("-", " ")) for path in ranks]


def _print(file: LogFile, lines: list[str], *, several: bool) -> None:
    for line in lines:
        say(f"{click.style(file.label, fg='cyan')} | {line}" if several else line)
