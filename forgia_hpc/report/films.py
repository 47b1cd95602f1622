"""Fields of some members as films: planes through the middle at a few times, read from the sealed dataset.

What is read is bounded, whatever the size of the dataset: few members, few times, and of large grids one plane.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.fields import storage
from forgia_hpc.data.fields.layout import Array, Field, Grid
from forgia_hpc.data.fields.opened import OpenFields
from forgia_hpc.data.fields.reader import open_fields
from forgia_hpc.data.manifest import MANIFEST
from forgia_hpc.errors import ForgiaError
from forgia_hpc.report.campaign import Campaign, MemberFacts
from forgia_hpc.report.film_strips import Film
from forgia_hpc.report.pictures import SHADES

MEMBERS, REFUSED = 4, 2  # shown: admitted, rejected
FIELDS, FRAMES = 3, 12
TRIED = 6  # fields that are looked at: one that is a single number all over shows nothing
MOST_PX = 72  # along the longer side of a plane
GAP_PX = 2  # between planes of one frame
ALL_PLANES = (
    4 << 20
)  # bytes of a frame; of a larger one only the first plane is read, 12 x 12 films at most
LONGEST = 4.0  # sides of a plane are drawn at most so unequal

Plane = NDArray[np.float64]


def read_films(campaign: Campaign, folder: Path, notes: list[str]) -> list[Film]:
    """Return films of a few admitted and rejected members; none where no dataset is sealed.

    `folder` is the campaign's: rejected members lie there. What can't be read is added to `notes`.
    """
    into = Path(campaign.into)
    if not campaign.account or not (into / MANIFEST).is_file():
        return []
    try:
        with open_fields(into) as dataset:
            return _films(campaign, dataset.sources[0], folder / "rejected", notes)
    except (ForgiaError, OSError, KeyError, ValueError, IndexError) as error:
        notes.append(f"no pictures: the dataset {into} could not be read: {error}")
        return []


def _films(campaign: Campaign, source: OpenFields, rejected: Path, notes: list[str]) -> list[Film]:
    rows = {name.decode(): at for at, name in enumerate(source.index.trajectories["member"])}
    there = [one for one in campaign.ended("admitted") if one.id in rows]
    refused = [
        one for one in campaign.ended("rejected") if (rejected / one.id / "output.h5").exists()
    ]
    found: list[Film] = []
    for at in source.schema.chosen()[:TRIED]:
        if len({one.field for one in found}) == FIELDS:
            break
        shots = [_Shot(one, *_admitted(source, at, rows[one.id])) for one in spread(there, MEMBERS)]
        shots += [
            _Shot(one, *shot, admitted=False)
            for one in refused[:REFUSED]
            if (shot := _rejected(rejected / one.id, source, at, notes))
        ]
        found += _developed(shots, source, at)
    return found


def spread(things: Sequence[MemberFacts], most: int) -> Sequence[MemberFacts]:
    """Return at most `most` of them, evenly spaced, the first and the last among them."""
    if len(things) <= most:
        return things
    return [things[round(at * (len(things) - 1) / (most - 1))] for at in range(most)]


@dataclass(frozen=True)
class _Shot:
    member: MemberFacts
    times: list[float]
    frames: list[Plane]
    admitted: bool = True


def _admitted(source: OpenFields, at: int, row: int) -> tuple[list[float], list[Plane]]:
    one, index = source.schema.fields[at], source.index
    times, place = index.times_of(row), index.trajectories[row]
    steps = int(index.shards["steps"][place["shard"]])
    numbers = int(np.prod(one.shape(source.schema.grid, 1)))
    kept = _kept(len(times))
    begin, length = _window(one, source.schema.grid)
    starts = (int(place["row"]) * steps + kept) * numbers + begin
    pieces = source.stored(at, int(place["shard"]), starts, length)
    shape = (
        length // int(np.prod(_rest(one, source.schema.grid))),
        *_rest(one, source.schema.grid),
    )
    frames = [storage.decode(np.asarray(piece), one).reshape(shape) for piece in pieces]
    return [float(times[step]) for step in kept], [
        _plane(f, one, source.schema.grid) for f in frames
    ]


def _rejected(
    folder: Path, source: OpenFields, at: int, notes: list[str]
) -> tuple[list[float], list[Plane]] | None:
    """Return the frames of a member that was not admitted, as it has left them."""
    one, grid = source.schema.fields[at], source.schema.grid
    try:
        with h5py.File(folder / "output.h5", "r") as file:
            times, array = file["times"][0], file[f"fields/{one.name}"]
            begin, length = _window(one, grid)
            rest = int(np.prod(_rest(one, grid)))
            cut = slice(begin // rest, (begin + length) // rest)
            kept = _kept(len(times))
            frames = [storage.decode(np.asarray(array[0, step, cut]), one) for step in kept]
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        notes.append(f"output/campaign/rejected/{folder.name} could not be read: {error}")
        return None
    return [float(times[step]) for step in kept], [_plane(f, one, grid) for f in frames]


def _kept(steps: int) -> NDArray[np.int64]:
    """Return which steps are shown: the first, the last, and some between."""
    return np.unique(np.linspace(0, steps - 1, min(steps, FRAMES)).round().astype(np.int64))


def _rest(one: Field, grid: Grid) -> tuple[int, ...]:
    """Return the shape of a frame without its first axis."""
    return one.shape(grid, 1)[1 if one.time_varying else 0 :][1:]


def _window(one: Field, grid: Grid) -> tuple[int, int]:
    """Return the numbers of a frame that are read: all, or the plane amid the first axis of a large one."""
    rest, first = int(np.prod(_rest(one, grid))), one.cells(grid)[0]
    if len(grid.axes) < 3 or rest * first * storage.DTYPES[one.storage].itemsize <= ALL_PLANES:
        return 0, rest * first
    return first // 2 * rest, rest


def _plane(frame: Array, one: Field, grid: Grid) -> Plane:
    """Return one frame as a picture (from the top down): its planes side by side, or its line as one row."""
    if one.order:  # of a vector its length, of a tensor its norm
        frame = np.sqrt(np.sum(frame**2, axis=tuple(range(-one.order, 0))))
    if frame.ndim < 3:
        return _resized(np.atleast_2d(frame), _spans(grid, frame.ndim))
    z, y, x = (axis.coordinates for axis in grid.axes[-3:])
    middle = [size // 2 for size in frame.shape]
    planes = [_resized(frame[middle[0]], (np.ptp(y), np.ptp(x)))]
    if len(frame) > 1:
        planes.append(_resized(frame[:, middle[1]], (np.ptp(z), np.ptp(x))))
        planes.append(_resized(frame[:, :, middle[2]], (np.ptp(z), np.ptp(y))))
    return _side_by_side(planes)


def _spans(grid: Grid, dims: int) -> tuple[float, float]:
    if dims < 2:
        return 1.0, 8.0
    first, second = (float(np.ptp(axis.coordinates)) for axis in grid.axes[-2:])
    return first, second


def _resized(plane: Plane, spans: tuple[float, float]) -> Plane:
    """Return a plane as its sides are, no longer than MOST_PX, the first axis growing upwards."""
    high, wide = (max(float(one), 1e-30) for one in spans)
    ratio = min(max(wide / high, 1 / LONGEST), LONGEST) if plane.shape[0] > 1 else 8.0
    longer = min(MOST_PX, max(plane.shape) * max(1, MOST_PX // max(plane.shape)))
    rows, columns = (longer / ratio, longer) if ratio >= 1 else (longer, longer * ratio)
    down = _nearest(plane.shape[0], max(1, round(rows)))[::-1]
    return plane[np.ix_(down, _nearest(plane.shape[1], max(1, round(columns))))]


def _nearest(cells: int, pixels: int) -> NDArray[np.int64]:
    return ((np.arange(pixels) + 0.5) * cells / pixels).astype(np.int64)


def _side_by_side(planes: Sequence[Plane]) -> Plane:
    height = max(len(plane) for plane in planes)
    parts: list[Plane] = []
    for plane in planes:
        whole = np.full((height, plane.shape[1]), np.nan)
        whole[height - len(plane) :] = plane
        parts += [whole, np.full((height, GAP_PX), np.nan)]
    return np.concatenate(parts[:-1], axis=1)


def _developed(shots: Sequence[_Shot], source: OpenFields, at: int) -> list[Film]:
    """Return the films of one field, all on one scale: that of the admitted members."""
    schema = source.schema
    scale = [frame for shot in shots if shot.admitted for frame in shot.frames]
    low = min((float(np.nanmin(f)) for f in scale if np.isfinite(f).any()), default=math.nan)
    high = max((float(np.nanmax(f)) for f in scale if np.isfinite(f).any()), default=math.nan)
    if not (math.isfinite(low) and high > low):
        return []
    one = schema.fields[at]
    return [
        Film(
            member=shot.member.number,
            field=one.name,
            ucum=one.ucum,
            times=shot.times,
            time_ucum=schema.time_ucum,
            low=low,
            high=high,
            frames=[_shaded(frame, low, high) for frame in shot.frames],
            planes=_which(schema.grid, one),
            admitted=shot.admitted,
        )
        for shot in shots
    ]


def _shaded(frame: Plane, low: float, high: float) -> list[bytes]:
    share = (frame - low) / (high - low) if high > low else np.full(frame.shape, 0.5)
    known = np.isfinite(frame)
    found = np.zeros(frame.shape, np.uint8)
    found[known] = 1 + np.round(np.clip(share[known], 0, 1) * (SHADES - 1)).astype(np.uint8)
    return [line.tobytes() for line in found]


def _which(grid: Grid, one: Field) -> str:
    names = grid.names
    if len(names) < 3:
        return (
            f"{names[0]} upwards, {names[1]} to the right"
            if len(names) == 2
            else f"along {names[0]}"
        )
    begin, length = _window(one, grid)
    middle = f"the middle of {names[0]}"
    if begin or length < int(np.prod(one.shape(grid, 1))):
        return middle
    return f"{middle}, of {names[1]}, of {names[2]}"
