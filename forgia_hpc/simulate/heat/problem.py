"""From options and a member's inputs to a case."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from forgia_hpc.errors import InputError, Problem, nearest
from forgia_hpc.simulate.heat import words
from forgia_hpc.simulate.heat.bodies import body_problems, finer_voxels, voxels_of
from forgia_hpc.simulate.heat.boiling import WATER, Curve, pool_boiling
from forgia_hpc.simulate.heat.case import (
    Ball,
    Boundary,
    Box,
    Case,
    Convection,
    Fixed,
    Flux,
    Grid,
    Radiation,
    Ring,
    Symmetry,
    Table,
)
from forgia_hpc.simulate.heat.materials import Described, material
from forgia_hpc.simulate.heat.phases import Transformation
from forgia_hpc.simulate.heat.refuse import word_problems
from forgia_hpc.simulate.heat.sides import Sides
from forgia_hpc.simulate.heat.steels import Steel, steel
from forgia_hpc.simulate.heat.tables import table
from forgia_hpc.simulate.heat.words import (
    GEOMETRIES,
    LAWS,
    LENGTH,
    TEMPERATURE,
    HeatOptions,
    Inputs,
)
from forgia_hpc.simulate.member import Input


class Problems:
    """A checked set of options: makes the case of any member."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        """Take the words of solver.options.

        Raises:
            InputError: everything that is wrong with them.

        """
        self.options = words.options_of(given)
        self.described = material(self.options.material, "solver.options.material")
        self.material = self.described.material
        self.steel = _steel(self.options, self.described)
        self.voxels = voxels_of(self.options)
        self.inputs = _inputs(self.options)
        self.sides = Sides(self.options.boundaries, law_of)
        self._grids: dict[int, Grid] = {}  # of levels, where no input changes them

    def case(self, inputs: Mapping[str, float], level: int) -> Case:
        """Return a member's case; at level 1 on a mesh of half the width."""
        given = self.values(inputs)
        options = self.options
        initial = words.value_of(options.initial, TEMPERATURE, given)
        self.described.within([initial, *self.sides.behind(given)], "inputs")
        return Case(
            grid=self.grid(given, level),
            material=self.material,
            boundaries=self.sides.of(given),
            initial=words.value_of(options.initial, TEMPERATURE, given),
            end_s=options.end_s,
            save_times=self.times,
            scheme=options.scheme,
            cfl=options.cfl,
            step_s=self._step(level),
            dtype=options.dtype,
            backend=options.backend,
            device=options.device,
            phases=self.transformation(),
            cut=2**level,
        )

    def _step(self, level: int) -> float | None:
        """Return the step that was asked for; a mesh of half the width bears a quarter of an explicit one."""
        step = self.options.step_s
        return step if step is None or self.options.scheme != "explicit" else step / 4**level

    def values(self, inputs: Mapping[str, float]) -> dict[str, float]:
        """Return all inputs of a member, defaults taken in.

        Raises:
            InputError: an input that nobody gives, or one that there is not.

        """
        known = {one.name: one.default for one in self.inputs}
        problems = [
            Problem(field=f"inputs.{name}", got=inputs[name], limit="no such input",
                    fix=nearest(name, known, f"there are {', '.join(known)}"))
            for name in inputs
            if name not in known
        ]  # fmt: skip
        given = {**known, **inputs}
        problems += [
            Problem(field=f"inputs.{name}", got=None, limit="has no default: the ensemble gives it")
            for name, value in given.items()
            if value is None
        ]
        if problems:
            raise InputError(problems)
        return {name: float(value) for name, value in given.items() if value is not None}

    def grid(self, given: Mapping[str, float], level: int) -> Grid:
        """Return a member's grid: the same one where no input changes it."""
        if self._sized:
            return self._grid(given, level)
        if level not in self._grids:
            self._grids[level] = self._grid(given, level)
        return self._grids[level]

    @cached_property
    def _sized(self) -> bool:
        """Whether an input decides on a length."""
        options = self.options
        sizes = [getattr(options, name) for name in GEOMETRIES[options.geometry]]
        return any(map(words.is_name, (*sizes, *options.lengths)))

    def _grid(self, given: Mapping[str, float], level: int) -> Grid:
        options, finer = self.options, 2**level
        shape = tuple(finer * n for n in options.shape)
        size = {
            name: words.value_of(getattr(options, name), role, given)
            for name, role in GEOMETRIES[options.geometry].items()
        }
        if self.voxels is not None:
            return finer_voxels(self.voxels, finer)
        if options.geometry == "ring":
            return Ring(shape=(shape[0], shape[1]), **size)
        if options.geometry == "cylinder":
            return Ring(
                shape=(shape[0], shape[1]), inner=0.0, outer=size["radius"], height=size["height"]
            )
        if options.geometry == "ball":
            return Ball(shape=(shape[0],), outer=size["radius"])
        lengths = tuple(words.value_of(one, LENGTH, given) for one in options.lengths)
        return Box(shape=shape, lengths=lengths)

    @cached_property
    def times(self) -> tuple[float, ...]:
        """The times of all members' frames, s."""
        return tuple(np.linspace(0.0, self.options.end_s, self.options.frames).tolist())

    def transformation(self) -> Transformation | None:
        """Return the phases of the steel, if its words are given."""
        return None if self.steel is None else self.steel.transformation


def law_of(law: Mapping[str, Any], given: Mapping[str, float]) -> Boundary:
    """Return a checked law with a member's inputs."""
    name = law["law"]
    if name == "convection" and not _one(law["h"]):
        h: float | Table = table(law["h"], "h", least=0.0)
        ambient = words.value_of(law["ambient"], TEMPERATURE, given)
        return Convection(h=h, ambient=ambient)
    value = {word: words.value_of(law[word], role, given) for word, role in LAWS[name].items()}
    if name == "boiling_water":
        return Convection(h=pool_boiling(WATER, **value), ambient=WATER.boils)
    if name == "boiling":
        ambient = value.pop("ambient")
        return Convection(h=Curve(**value).table(), ambient=ambient)
    made: dict[str, type[Boundary]] = {
        "symmetry": Symmetry,
        "fixed": Fixed,
        "flux": Flux,
        "convection": Convection,
        "radiation": Radiation,
    }
    return made[name](**value)


def _inputs(options: HeatOptions) -> tuple[Input, ...]:
    """Return the inputs that the options name.

    Raises:
        InputError: everything that is wrong with the geometry's and the boundaries' words.

    """
    found = Inputs(options.defaults)
    found.problems += [*body_problems(options), *word_problems(options, "solver.options.")]
    for name, role in GEOMETRIES.get(options.geometry, {}).items():
        found.add(getattr(options, name), role, f"solver.options.{name}")
    for at, length in enumerate(options.lengths):
        found.add(length, LENGTH, f"solver.options.lengths[{at}]")
    found.add(options.initial, TEMPERATURE, "solver.options.initial")
    for side, laws in options.boundaries.items():
        for law in words.laws_in(laws):
            _add_law(found, law, f"solver.options.boundaries.{side}")
    return found.finished()


def _add_law(found: Inputs, law: Mapping[str, Any], field: str) -> None:
    problems = list(words.law_problems(law, field))
    found.problems += problems
    if problems:
        return
    for word, role in LAWS[law["law"]].items():
        if word == "h" and not _one(law[word]):
            try:
                table(law[word], f"{field}.h", least=0.0)
            except InputError as error:
                found.problems += error.problems
            continue
        found.add(law[word], role, f"{field}.{word}")


def _steel(options: HeatOptions, described: Described) -> Steel | None:
    """Return the steel; its heat must not be counted twice."""
    if not options.phases:
        return None
    found = steel(options.phases, "solver.options.phases")
    if found.releases and described.transforms:
        raise InputError(
            Problem(
                field="solver.options.phases.heat",
                got=options.phases["heat"],
                limit=f"the specific heat of {described.material.name} holds the heat of transformation",
                fix="leave heat out, or give a specific heat without the peak",
            )
        )
    return found


def _one(word: Any) -> bool:
    """Whether a word stands for one number: it is one, or an input's name, or a text with a unit."""
    return isinstance(word, int | float | str) and not isinstance(word, bool)
