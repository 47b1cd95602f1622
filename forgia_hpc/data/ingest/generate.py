"""Raw files of the demo: what a plant's historian would export, rough edges and labelled anomalies included.

Deterministic by seed. The files go through the same ingest as anybody's.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.ingest.machines import MACHINES, Array
from forgia_hpc.data.ingest.wanted import GeneratorSpec

ANOMALIES = ("drift", "stuck", "spikes")
_HELD_OUT_SHARE = (
    0.15  # anomalies of machines that are trained on lie in the last share of their time
)


@dataclass(frozen=True)
class Style:
    """How a plant writes its files."""

    header: tuple[str, ...]  # time first, then the channels
    decimals: tuple[int, ...]
    format: str
    start: datetime.datetime
    step_s: int
    machines_held_out: int
    delimiter: str = ","
    encoding: str = "utf-8"
    one_file: bool = False  # all machines in one file, with a column for the machine
    jitter_s: int = 0
    repeated: int = 0  # rows written twice, a machine
    missing: int = 0  # short gaps, a machine
    outage: int = 0  # steps of the one long gap of a machine


STYLES = {
    "press": Style(
        ("time", "tonnage", "ram_position", "motor_current", "oil_temperature", "vibration"),
        (1, 1, 2, 2, 3),
        "%Y-%m-%dT%H:%M:%S",
        datetime.datetime(2025, 3, 3, 5, 0),
        10,
        machines_held_out=1,
        missing=4,
    ),
    "furnace": Style(
        ("Zeit", "Zone 1 [°C]", "Zone 2 [°C]", "Zone 3 [°C]", "Gas [m³/h]", "O2 [%]"),
        (1, 1, 1, 1, 2),
        "%d.%m.%Y %H:%M",
        datetime.datetime(2025, 1, 1, 0, 0),
        900,
        machines_held_out=1,
        delimiter=";",
        encoding="latin-1",
        repeated=3,
    ),
    "compressor": Style(
        ("time", "pressure", "flow", "current", "outlet_temperature", "vibration"),
        (3, 1, 1, 2, 3),
        "%Y-%m-%d %H:%M:%S",
        datetime.datetime(2025, 6, 2, 0, 0),
        60,
        machines_held_out=2,
        one_file=True,
        jitter_s=3,
        missing=6,
        outage=700,
    ),
}


def generate(spec: GeneratorSpec, folder: Path) -> None:
    """Write the raw files of a kind of machine and their labels.csv into `folder`."""
    style = STYLES[spec.machine]
    labels, parts = ["asset,code,start,end"], []
    for number in range(1, spec.machines + 1):
        name = f"{spec.machine}_{number:02d}"
        rng = np.random.default_rng([spec.seed, number])
        values = MACHINES[spec.machine](rng, spec.steps)
        held_out = number > spec.machines - style.machines_held_out
        for code, first, last in _add_anomalies(rng, values, held_out):
            start, end = (_stamp(style, step, 0) for step in (first, last))
            labels.append(f"{name},{code},{start},{end}")
        # an outage would swallow anomalies of a machine that has them all over its time
        outage = 0 if held_out else style.outage
        parts.append((name, _lines(rng, style, values, outage)))
    _write(style, folder, parts)
    (folder / "labels.csv").write_text("\n".join(labels) + "\n", encoding="utf-8")


def _write(style: Style, folder: Path, parts: list[tuple[str, list[str]]]) -> None:
    header = style.delimiter.join(style.header)
    if style.one_file:
        lines = [f"{name}{style.delimiter}{line}" for name, mine in parts for line in mine]
        parts = [("machines", lines)]
        header = f"machine{style.delimiter}{header}"
    for name, mine in parts:
        text = "\n".join([header, *mine]) + "\n"
        (folder / f"{name}.csv").write_text(text, encoding=style.encoding)


def _add_anomalies(
    rng: np.random.Generator, values: Array, held_out: bool
) -> list[tuple[str, int, int]]:
    """Change stretches of single channels in place; return code, first and last step."""
    channels, steps = values.shape
    codes = ANOMALIES * 2 if held_out else (ANOMALIES[int(rng.integers(len(ANOMALIES)))],)
    begin = 0 if held_out else int(steps * (1 - _HELD_OUT_SHARE))
    slot = (steps - begin) // len(codes)
    done = []
    for number, code in enumerate(codes):
        length = int(rng.integers(64, min(240, slot // 2)))
        first = begin + number * slot + int(rng.integers(slot // 4, slot - length))
        stretch = values[int(rng.integers(channels)), first : first + length]
        _spoil(rng, code, stretch)
        done.append((code, first, first + length - 1))
    return done


def _spoil(rng: np.random.Generator, code: str, stretch: Array) -> None:
    spread = max(float(stretch.std()), 1e-3)
    if code == "stuck":
        stretch[:] = stretch[0]
    elif code == "drift":
        stretch += np.linspace(0, 3 * spread, len(stretch))
    else:
        hit = rng.random(len(stretch)) < 0.08
        hit[len(stretch) // 2] = True
        stretch[hit] += 4 * spread


def _lines(rng: np.random.Generator, style: Style, values: Array, outage: int) -> list[str]:
    """Return the lines of one machine: text, glitches, missing and repeated rows."""
    columns = [
        np.char.mod(f"%.{decimals}f", channel).astype(object)
        for decimals, channel in zip(style.decimals, values, strict=True)
    ]
    steps = values.shape[1]
    for column in columns:
        column[rng.random(steps) < 0.0005] = "Bad"
    column = columns[int(rng.integers(len(columns)))]
    first = int(rng.integers(steps // 10, steps // 2))
    column[first : first + 24] = "Inp OutRange"
    jitter = np.asarray(rng.integers(-style.jitter_s, style.jitter_s + 1, steps)).tolist()
    stamps = [_stamp(style, step, jitter[step]) for step in range(steps)]
    rows = zip(stamps, *columns, strict=True)
    lines = [style.delimiter.join(row) for row in rows]
    return [lines[step] for step in _present(rng, style, steps, outage)]


def _present(rng: np.random.Generator, style: Style, steps: int, outage: int) -> NDArray[np.int64]:
    """Return the steps that have rows; a step may stand there twice, the first and the last stand there once."""
    present = np.ones(steps, dtype=np.int64)
    for first in rng.integers(steps // 10, steps // 2, size=style.missing):
        present[first : first + int(rng.integers(1, 9))] = 0
    if outage:
        first = int(rng.integers(steps // 2, steps * 3 // 5))
        present[first : first + outage] = 0
    twice = rng.integers(steps // 10, steps // 2, size=style.repeated)
    np.add.at(present, twice, 1)
    return np.repeat(np.arange(steps), present)


def _stamp(style: Style, step: int, jitter_s: int) -> str:
    moment = style.start + datetime.timedelta(seconds=step * style.step_s + jitter_s)
    return moment.strftime(style.format)
