"""Serve one way of one peer in the environment this runs in; README.md beside this says what a driver is.

    ENVIRONMENT/bin/python run.py make DRIVER WORK        write WORK/DRIVER, unless it is there
    ENVIRONMENT/bin/python run.py serve DRIVER WAY ORDER WORK

`serve` compares the batches of the order with the samples, says one JSON line of facts, and then answers each
line of stdin, a number of seconds, with one JSON line: windows, CPU and wall seconds of one pass.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import platform
import shutil
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
VERIFY_S = 8  # CPU seconds at most for comparing; a slow way does not get through the whole order
_SELF, _TICKS = os.getpid(), os.sysconf("SC_CLK_TCK")


def cpu_seconds() -> float:
    """Return the CPU time of this process, its threads and its living children."""
    spent = time.process_time()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == _SELF:
            spent += (int(fields[11]) + int(fields[12])) / _TICKS
    return spent


class Turns:
    """A way, asked for the batches of its order one after the other and again from the first."""

    def __init__(self, driver: ModuleType, reader: Any, order: np.ndarray) -> None:
        """Take the open way."""
        self.driver, self.reader, self.order = driver, reader, order
        self.at = 0

    def next(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (numbers, their values)."""
        numbers = self.order[self.at % len(self.order)]
        self.at += 1
        return numbers, self.driver.read(self.reader, numbers)

    def verify(self, samples: np.ndarray) -> int:
        """Compare the batches of the order bit for bit; return how many windows that were."""
        told = getattr(self.driver, "told", None)
        until = cpu_seconds() + VERIFY_S
        while self.at < len(self.order) and (self.at == 0 or cpu_seconds() < until):
            numbers, values = self.next()
            numbers = told(self.reader) if told else numbers
            np.testing.assert_array_equal(values, samples[numbers], strict=True)
        return self.at * self.order.shape[1]

    def measure(self, seconds: float) -> dict[str, float]:
        """Return what one pass delivered and took."""
        for _ in range(getattr(self.driver, "AHEAD", 0)):
            self.next()
        windows, cpu, wall = 0, cpu_seconds(), time.perf_counter()
        while (passed := time.perf_counter() - wall) < seconds:
            windows += len(self.next()[1])
        return {"windows": windows, "cpu_s": cpu_seconds() - cpu, "wall_s": passed}


def make(name: str, work: Path) -> None:
    """Write the samples in the peer's own format."""
    directory = work / name
    part = work / f"{name}.part"
    if directory.exists():
        return
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    importlib.import_module(name).make(np.load(work / "samples.npy", mmap_mode="r"), part)
    part.rename(directory)


def serve(name: str, way: str, order: str, work: Path) -> None:
    """Answer on the real stdout; what a library prints goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    driver = importlib.import_module(name)
    samples, numbers = np.load(work / "samples.npy", mmap_mode="r"), np.load(work / f"{order}.npy")
    with driver.open_reader(work / name, way, numbers) as reader:
        turns = Turns(driver, reader, numbers)
        compared = turns.verify(samples)
        versions = {word: importlib.metadata.version(word) for word in driver.PACKAGES}
        versions["python"] = platform.python_version()
        say(answers, {"compared": compared, "versions": versions})
        for line in sys.stdin:
            say(answers, turns.measure(float(line)))


def say(answers: TextIO, words: dict[str, Any]) -> None:
    """Write one line."""
    answers.write(json.dumps(words) + "\n")
    answers.flush()


def main() -> None:
    """Read the command line."""
    verb, name, *middle, work = sys.argv[1:]
    if verb == "make":
        make(name, Path(work))
    else:
        serve(name, *middle, Path(work))


if __name__ == "__main__":
    main()
