"""A deterministic solver of a few lines that does what its inputs say: segfault, hang, raise, leave NaN, exit.

inputs: amplitude and decay make the fields; `fault` is a number of FAULTS, and `luck` says how many tries it takes
(a file counts them), 0: every one. options: shape, steps, sleep_s, and `faults`: a folder for the counts.
"""

from __future__ import annotations

import math
import os
import signal
import time
from pathlib import Path

import numpy as np

from forgia_hpc.data.fields.layout import Axis, Field, Grid, Parameter, Schema
from forgia_hpc.errors import InputError, Problem, StoppedError
from forgia_hpc.simulate.member import Finding, Input, MemberError, Output

FAULTS = (
    "none", "segfault", "hang", "raise", "nan", "exit", "member_error", "check", "kill", "input",
    "abort", "memory", "infinite", "leave_files", "fork", "stop_2", "torn", "own_names",
)  # fmt: skip


class Ripples:
    """Waves that decay, on a grid of one to three axes; ranks share the first axis."""

    def __init__(self, words) -> None:
        self._words = words
        self._shape = tuple(words.options.get("shape", [8, 8]))
        self._steps = int(words.options.get("steps", 4))
        self._sleep_s = float(words.options.get("sleep_s", 0.0))

    def inputs(self):
        return (
            Input(name="amplitude", ucum="K", quantity="temperature", low=0.0),
            Input(name="decay", ucum="Hz", default=0.5, low=0.0),
            Input(name="fault", ucum="1", default=0.0),
            Input(name="luck", ucum="1", default=0.0),
        )

    def schema(self) -> Schema:
        axes = tuple(
            Axis(name=name, coordinates=np.linspace(0.0, 1.0, size))
            for name, size in zip("zyx"[-len(self._shape) :], self._shape, strict=True)
        )
        return Schema(
            grid=Grid(axes=axes),
            fields=(
                Field(name="temperature", ucum="K"),
                Field(name="speed", ucum="m/s", storage="f64", time_varying=False),
            ),
            parameters=(Parameter(name="amplitude", ucum="K"), Parameter(name="decay", ucum="Hz")),
            signals=(Parameter(name="largest", ucum="K"),),
        )

    def prepare(self, member, ranks, directory: Path):
        fault = FAULTS[int(member.inputs.get("fault", 0))]
        if fault != "none" and self._due(member):
            _do(fault, ranks, directory)
        cells = np.array_split(np.arange(self._shape[0]), ranks.size)[ranks.rank]
        return {"member": member, "cells": slice(cells[0], cells[-1] + 1), "fault": fault, "T": []}

    def _due(self, member) -> bool:
        """Whether the fault strikes in this try."""
        luck, folder = int(member.inputs.get("luck", 0)), self._words.options.get("faults")
        if not luck:
            return True
        count = Path(folder) / member.id
        tries = int(count.read_text()) if count.exists() else 0
        count.write_text(str(tries + 1))
        return tries < luck

    def run(self, case, stop) -> None:
        member = case["member"]
        amplitude, decay = member.inputs["amplitude"], member.inputs.get("decay", 0.5)
        phase = np.arange(math.prod(self._shape)).reshape(self._shape)[case["cells"]] / 7.0
        fine = 1e-3 if member.level else 0.0
        for step in range(self._steps):
            if self._sleep_s:
                time.sleep(self._sleep_s / self._steps)
                if stop():
                    raise StoppedError("between two steps")
            wave = np.sin(phase + step + (member.seed % 7))
            case["T"].append(amplitude * np.exp(-decay * step) * wave + fine)

    def extract(self, case) -> Output:
        fields = {"temperature": np.stack(case["T"]), "speed": case["T"][0] ** 2}
        if case["fault"] == "nan":
            fields["temperature"][0] = np.nan
        if case["fault"] == "infinite":
            fields["speed"] = np.full_like(fields["speed"], np.inf)
        where = (case["cells"], *(slice(0, size) for size in self._shape[1:]))
        largest = np.full(self._steps, case["member"].inputs["amplitude"])
        times = np.arange(self._steps) * 0.5
        facts = {"steps": float(self._steps), "seconds": time.time() % 1}
        return Output(
            fields=fields, where=where, times=times, signals={"largest": largest}, facts=facts
        )

    def check(self, case, output):
        value = case["member"].inputs["amplitude"]
        sound = case["fault"] not in ("check", "own_names")
        if case["member"].level and self._words.options.get("coarse_only"):
            sound = False
        return [Finding(check="amplitude", value=value, limit="any", passed=sound)]


def _leave(fault: str, directory: Path) -> None:
    if fault == "torn":  # the line that comes next is torn by what stands before it
        path = directory.parent.parent / "journal" / f"{directory.name}.jsonl"
        with path.open("ab", buffering=0) as journal:
            journal.write(b"{")
    if fault == "own_names":
        (directory / "output.h5").write_text("the solver's own")
        (directory / "reason.json").symlink_to("/dev/null")


def _do(fault: str, ranks, directory: Path) -> None:
    (directory / "log.txt").write_text(f"about to {fault}\n") if fault == "leave_files" else None
    if fault in ("segfault", "abort", "kill") and ranks.rank == ranks.size - 1:
        number = {"segfault": signal.SIGSEGV, "abort": signal.SIGABRT, "kill": signal.SIGKILL}
        os.kill(os.getpid(), number[fault])
    if fault == "hang":
        time.sleep(3600)
    if fault in ("exit", "stop_2"):
        os._exit(7 if fault == "exit" else 2)  # 2: as `STOP 2` of Fortran does
    _leave(fault, directory)
    if fault == "raise":
        raise ValueError("told to raise")
    if fault == "memory":
        raise MemoryError("told so")
    if fault in ("member_error", "leave_files"):
        raise MemberError("no_output", "told to fail")
    if fault == "input":
        raise InputError(Problem(field="amplitude", got=1, limit="refused"))
    if fault == "fork" and not os.fork():
        os.setsid()
        time.sleep(3600)
