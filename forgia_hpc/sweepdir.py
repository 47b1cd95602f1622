"""The directory of a sweep: one seal, many points; both wings read it here.

A point is one line of `points.jsonl`. Its own directory, a run directory whose code and inputs are the
sweep's, is made when it starts. A *chunk* is one submission: the points that became one Slurm array.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from forgia_hpc.compact import applied, numbers_of, spans
from forgia_hpc.digest import digest_of
from forgia_hpc.errors import InputError, Problem, SealBrokenError
from forgia_hpc.rundir import RunDir, make_once, read_json
from forgia_hpc.schema.resources import parse_walltime


@dataclass(frozen=True, kw_only=True)
class Point:
    """One point as it was sealed.

    values: what its config holds in place of the first point's, nested as the config is.
    group: which of the sweep's resources; inputs: which of its input folders.
    """

    index: int
    overrides: tuple[str, ...]
    values: dict[str, Any]
    digest: str
    group: int = 0
    inputs: int = 0

    def line(self) -> str:
        """Return the point as a line of points.jsonl."""
        return json.dumps({**self.__dict__, "overrides": list(self.overrides)}, sort_keys=True)


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """One submission of a sweep: its number, and its points in the order of the array's indices."""

    number: int
    points: tuple[int, ...]
    group: int

    @property
    def file(self) -> str:
        """Its name in chunks/."""
        return f"{self.number:05d}.json"


@dataclass(frozen=True, kw_only=True)
class Order:
    """Which points are to be sent, by submissions after the number `after`."""

    points: tuple[int, ...]
    after: int


@dataclass(frozen=True)
class SweepDir(RunDir):
    """Paths and small files of a sweep, beside those of every run."""

    @property
    def points_file(self) -> Path:
        """One line a point: overrides, what differs from the first, the digest of its config."""
        return self.path / "points.jsonl"

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """Every point, in order.

        Raises:
            SealBrokenError: the file is gone or is not what was sealed.
        """
        try:
            lines = self.points_file.read_text(encoding="utf-8").splitlines()
            found = [json.loads(line) for line in lines]
            return tuple(Point(**{**one, "overrides": tuple(one["overrides"])}) for one in found)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise SealBrokenError(f"{self.points_file}: not as it was sealed ({error})") from error

    @cached_property
    def groups(self) -> list[dict[str, Any]]:
        """The distinct resources of the points."""
        return list(read_json(self.manifest)["start"]["groups"])

    def seconds(self, group: int) -> int:
        """Return the walltime of the points with these resources."""
        return parse_walltime(self.groups[group]["walltime"]) or 0

    def script(self, group: int) -> Path:
        """Return the batch script of the points with these resources."""
        return self.path / f"job-{group}.sbatch"

    def point(self, index: int) -> RunDir:
        """Return the handle of a point's own directory, which may not exist yet.

        Raises:
            InputError: the sweep has no such point.
        """
        if not 0 <= index < len(self.points):
            limit = f"{self.name} has the points 0 to {len(self.points) - 1}"
            raise InputError(Problem(field="--point", got=index, limit=limit))
        return RunDir(self.path / "points" / f"{index:05d}")

    @cached_property
    def _base(self) -> dict[str, Any]:
        return dict(yaml.safe_load(self.config.read_text(encoding="utf-8")))

    def config_of(self, index: int) -> dict[str, Any]:
        """Return the complete config of a point."""
        return applied(self._base, self.points[index].values)

    def chunks(self) -> list[Chunk]:
        """Return every submission that was begun, oldest first."""
        return [
            Chunk(number=one["number"], group=one["group"], points=numbers_of(one["points"]))
            for one in map(read_json, sorted((self.path / "chunks").glob("[0-9]*.json")))
        ]

    def chunk(self, number: int) -> Chunk:
        """Return one submission by its number."""
        return next(chunk for chunk in self.chunks() if chunk.number == number)

    def orders(self) -> list[Order]:
        """Return every order, the newest last; that one alone counts."""
        found = map(read_json, sorted((self.path / "orders").glob("[0-9]*.json")))
        return [Order(points=numbers_of(one["points"]), after=one["after"]) for one in found]

    def waiting(self) -> tuple[int, ...]:
        """Return the points of the newest order that no submission holds, in its order."""
        listed = self.orders()
        if not listed:
            return ()
        gone = self._numbers("submission_refused", "submission_lost") - self._numbers("submitted")
        chunks = [one for one in self.chunks() if one.number > listed[-1].after]
        sent = {point for one in chunks if one.number not in gone for point in one.points}
        return tuple(point for point in listed[-1].points if point not in sent)

    def _numbers(self, *words: str) -> set[int]:
        """Return the submissions that these events tell of, by the numbers in their jobs' names."""
        names = [str(event.facts.get("name")) for word in words for event in self.events(word)]
        ends = [name.rpartition(".")[2] for name in names]
        return {int(end) if end.isdigit() else 1 for end in ends}

    def hold(self, chunk: Chunk) -> None:
        """Write down which points a claimed submission sends, before it is sent."""
        content = {"number": chunk.number, "group": chunk.group, "points": spans(chunk.points)}
        (self.path / "chunks").mkdir(exist_ok=True)
        if not make_once(self.path / "chunks" / chunk.file, content):
            raise FileExistsError(str(self.path / "chunks" / chunk.file))


def check_point(sweep: SweepDir, index: int) -> None:
    """Check that a point's config is the one that was sealed in the sweep.

    Raises:
        SealBrokenError: it is another.
    """
    config = sweep.point(index).config
    try:
        found = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise SealBrokenError(f"{config}: cannot be read ({error})") from error
    if digest_of(found) != sweep.points[index].digest:
        raise SealBrokenError(f"{config}: content differs from the seal of {sweep.path}")


def sweep_of(run: RunDir) -> SweepDir | None:
    """Return the sweep that a run is a point of, or None."""
    return SweepDir(run.path.parent.parent) if "point" in read_json(run.job) else None


def start_of(run: RunDir) -> dict[str, Any]:
    """Return what the batch step needs to start the ranks, as it was sealed; of a point, with its resources."""
    start: dict[str, Any] = read_json(run.manifest)["start"]
    sweep = sweep_of(run)
    if sweep is None:
        return start
    index = read_json(run.job)["point"]
    return {**start, "resources": start["groups"][sweep.points[index].group]}


def asked_as(run: RunDir) -> str:
    """Return the name by which a person asks for a run: of a point, its sweep's."""
    return str(read_json(run.job).get("sweep") or run.name)


def logs_of(run: RunDir, rank: int) -> str:
    """Return the words that show a rank's log."""
    point = read_json(run.job).get("point")
    which = "" if point is None else f" --point {point}"
    return f"forgia logs {asked_as(run)}{which} --rank {rank}"


def completed(run: RunDir) -> dict[str, Any] | None:
    """Return the result of a point that ended well, or None: the only proof that it is done."""
    try:
        result = json.loads(run.result.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(result, dict) and result.get("ending") == "completed"
    return result if whole else None
