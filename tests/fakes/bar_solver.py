"""A solver as a user writes one: a bar that cools by Newton's law, the same in every cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from forgia_hpc.data.fields.layout import Axis, Field, Grid, Parameter, Schema
from forgia_hpc.simulate.member import Finding, Input, Member, Output

INPUTS = (
    Input(name="start", ucum="Cel", quantity="temperature", low=-273.15, high=1500),
    Input(name="transfer", ucum="W/(m2.K)", low=0),
    Input(name="length", ucum="m", quantity="length", default=0.1, low=1e-3, high=10),
)


class Bar:
    """Eight cells, three steps."""

    refines = True

    def __init__(self, words: Any) -> None:
        self.cells = int(words.options.get("cells", 8))
        self.cell_bytes = int(words.options.get("cell_bytes", 8))
        self.refines = bool(words.options.get("refines", True))

    def inputs(self) -> Sequence[Input]:
        return INPUTS

    def schema(self) -> Schema:
        return Schema(
            grid=Grid(axes=(Axis(name="x", coordinates=np.arange(self.cells) + 0.5),)),
            fields=(Field(name="temperature", ucum="Cel", quantity="temperature"),),
            parameters=tuple(Parameter(name=one.name, ucum=one.ucum) for one in INPUTS),
        )

    def memory_bytes(self, ranks: int, level: int) -> int:
        return self.cell_bytes * self.cells * 2**level // ranks

    def refuses(self, inputs: Mapping[str, float], ranks: int) -> str:
        return "shorter than 1 cm a rank" if inputs["length"] < 0.01 * ranks else ""

    def prepare(self, member: Member, ranks: Any, directory: Path) -> Member:
        return member

    def run(self, case: Member, stop: Callable[[], bool]) -> None: ...

    def extract(self, case: Member) -> Output:
        times = np.arange(3.0)
        decay = np.exp(-times * case.inputs["transfer"] * 1e-4)
        field = np.repeat(decay[:, None] * case.inputs["start"], self.cells, axis=1)
        return Output(
            fields={"temperature": field.astype(np.float32)}, where=(slice(None),), times=times
        )

    def check(self, case: Member, output: Output) -> Sequence[Finding]:
        return ()
