"""Sixty defects and six harmless changes, each a small patch of the code that a campaign seals.

They were written down before any check was made to find them, and none was taken out since. A defect counts as
stopped if the campaign ends without a sealed dataset. A count of trials is stricter than a user need be: a
dataset that left out every member that the defect spoiled counts as let through as well.
"""

# ruff: noqa: E501 - a table of source text
from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

from fakes.admission.bed import campaign

HEAT = "simulate/heat"


@dataclass(frozen=True, kw_only=True)
class Patch:
    """What is changed in a copy of forgia_hpc, and on which campaign it is tried."""

    name: str
    bed: str  # a solver and an ensemble of tests/fakes/admission
    changes: tuple[tuple[str, str, str], ...]  # file, text that stands there once, text instead
    words: tuple[str, ...] = ()  # overrides of the campaign

    @classmethod
    def one(cls, name: str, bed: str, file: str, old: str, new: str, *words: str) -> Patch:
        """Return a patch of one change."""
        return cls(name=name, bed=bed, changes=((file, old, new),), words=words)


_one = Patch.one
NUMBA = "solver.options.backend=numba"
RANKS = ("ensemble.ranks_per_member=2", "resources.ranks_per_node=2")
EXPLICIT_FLUX = "    part.walls.add(fluxes, dt, part.spare)\n"
FLUXES = "fluxes, source = part.walls.fluxes(t, part.state), part.source(t)"

DEFECTS = (
    # the kernels
    _one("diffusion twice as fast", "plate", f"{HEAT}/arrays.py",
         "np.multiply(total, scale, out=total)", "np.multiply(total, 2.0 * scale, out=total)"),
    _one("differences added instead of subtracted", "plate", f"{HEAT}/arrays.py",
         "np.subtract(part, down, out=part)", "np.add(part, down, out=part)"),
    _one("weight of the wrong face", "billet", f"{HEAT}/arrays.py",
         "np.multiply(up, self.high[axis][rows], out=part)", "np.multiply(up, self.low[axis][rows], out=part)"),
    _one("heat flows along one axis only", "plate", f"{HEAT}/arrays.py",
         "        for axis in self.axes:\n            up, down", "        for axis in self.axes[:1]:\n            up, down"),
    _one("numba: y weighed by x", "plate", f"{HEAT}/kernels.py",
         "y = hy[j] * (u[k + 1, j + 2, i + 1] - own) - ly[j] * (own - u[k + 1, j, i + 1])",
         "y = hx[i] * (u[k + 1, j + 2, i + 1] - own) - lx[i] * (own - u[k + 1, j, i + 1])", NUMBA),
    _one("numba: half of the wall's flux", "plate", f"{HEAT}/kernels.py",
         "        out[at] = flux\n", "        out[at] = flux * 0.5\n", NUMBA),
    # steps in time
    _one("half of the wall's flux enters", "plate", f"{HEAT}/explicit.py",
         EXPLICIT_FLUX, "    part.walls.add(fluxes, 0.5 * dt, part.spare)\n"),
    _one("wrong sign of the flux, account and all", "plate", f"{HEAT}/explicit.py",
         FLUXES, "fluxes, source = [(-one, two) for one, two in part.walls.fluxes(t, part.state)], part.source(t)"),
    _one("implicit: gamma of another scheme", "ring", f"{HEAT}/implicit.py",
         "GAMMA = 1.0 - 1.0 / math.sqrt(2.0)", "GAMMA = 0.4"),
    _one("implicit: a stub that leaves all as it was", "ring", f"{HEAT}/implicit.py",
         "    before = part.state + 0.0\n", "    return\n    before = part.state + 0.0\n"),
    _one("implicit: second stage from the start", "ring", f"{HEAT}/implicit.py",
         "_stage(part, base, t + dt, GAMMA * dt, GAMMA * dt)", "_stage(part, before, t + dt, GAMMA * dt, GAMMA * dt)"),
    _one("a step too short by one part", "plate", f"{HEAT}/march.py",
         "dt = float(end - start) / count", "dt = float(end - start) / (count + 1)"),
    _one("times twice as long as they were", "plate", f"{HEAT}/march.py",
         "times=np.array(self.times)", "times=2.0 * np.array(self.times)"),
    _one("frames one interval late", "plate", f"{HEAT}/march.py",
         "            if save > at:\n                self._interval(at, save)\n            at = save\n            self._keep()\n",
         "            self._keep()\n            if save > at:\n                self._interval(at, save)\n            at = save\n"),
    _one("a step longer than stable", "plate", f"{HEAT}/limit.py",
         "return 1.0 / rate if rate > 0 else np.inf", "return 2.4 / rate if rate > 0 else np.inf"),
    Patch(name="half of the flux, and the balance silenced", bed="plate", changes=(
        (f"{HEAT}/explicit.py", EXPLICIT_FLUX, "    part.walls.add(fluxes, 0.5 * dt, part.spare)\n"),
        (f"{HEAT}/findings.py", "passed=value < limit\n", "passed=True\n"))),
    # walls
    _one("Stefan and Boltzmann's constant a power off", "plate", f"{HEAT}/laws.py",
         "STEFAN_BOLTZMANN = 5.670374419e-8", "STEFAN_BOLTZMANN = 5.670374419e-9"),
    _one("radiation in Celsius", "plate", f"{HEAT}/laws.py", "KELVIN = 273.15", "KELVIN = 0.0"),
    _one("radiation the wrong way", "plate", f"{HEAT}/laws.py",
         "flux = strength * (fourth_power(ambient) - square * square)",
         "flux = strength * (square * square - fourth_power(ambient))"),
    _one("surface in kelvin, bath in Celsius", "plate", f"{HEAT}/laws.py",
         "drive = value - surface\n", "drive = value - (surface + KELVIN)\n"),
    _one("no resistance of the half cell", "bar", f"{HEAT}/laws.py",
         "share = 1.0 / (1.0 + total * resistance)", "share = 1.0"),
    _one("fixed wall without the conductivity", "bar", f"{HEAT}/matter.py",
         "return temperature * self.conductivity_unit", "return temperature * 1.0"),
    _one("walls give half of what they take", "plate", f"{HEAT}/walls.py",
         "gain=self._gain(side.area_per_volume / self.matter.heat_unit",
         "gain=self._gain(0.5 * side.area_per_volume / self.matter.heat_unit"),
    _one("laws of opposite walls exchanged", "plate", f"{HEAT}/walls.py",
         "side.name if geometry.mask is None else SURFACE",
         "side.name[:-1] + ('-' if side.high else '+') if geometry.mask is None else SURFACE"),
    _one("wrong boundary: the first law of each wall only", "plate", f"{HEAT}/walls.py",
         "return given if isinstance(given, tuple) else (given,)",
         "return given[:1] if isinstance(given, tuple) else (given,)"),
    # geometry
    _one("half a cell is a whole one", "plate", f"{HEAT}/geometry.py",
         "half=0.5 * widths[lead + at]", "half=widths[lead + at]"),
    _one("a ring's wall as if it were flat", "billet", f"{HEAT}/geometry.py",
         "float(edges[end] / (centres[end] * dr))", "float(1.0 / dr)"),
    _one("an outer wall left open", "plate", f"{HEAT}/geometry.py",
         "    low[0], high[-1] = 0.0, 0.0\n    return low, high\n", "    low[0] = 0.0\n    return low, high\n"),
    _one("swapped axis: cells of a ring", "billet", f"{HEAT}/geometry.py",
         "nz, nr = grid.shape", "nr, nz = grid.shape"),
    _one("a neighbour's rim from the wrong end", "plate", f"{HEAT}/halo.py",
         "(_plane(block, axis, high, rim=rim) for rim in (False, True))",
         "(_plane(block, axis, high if rim else 1 - high, rim=rim) for rim in (False, True))", *RANKS),
    # materials
    _one("conductivity falls ten times too slowly", "billet", f"{HEAT}/library.py",
         "54 - 3.33e-2 * t", "54 - 3.33e-3 * t"),
    _one("wrong unit of a density", "plate", f"{HEAT}/library.py",
         "density=7850.0,\n        conductivity=_stainless_conductivity", "density=785.0,\n        conductivity=_stainless_conductivity"),
    _one("a coefficient of the specific heat, factor 2", "plate", f"{HEAT}/library.py",
         "450 + 0.280 * t", "450 + 0.560 * t"),
    _one("the peak of the specific heat ten times too low", "billet", f"{HEAT}/library.py",
         "fall = 545 + 17820 /", "fall = 545 + 1782 /"),
    _one("heat without the density", "plate", f"{HEAT}/latent.py",
         "return density * np.concatenate(", "return np.concatenate("),
    _one("latent heat a kilogram for one of a cubic metre", "casting", f"{HEAT}/latent.py",
         "total += density * latent.heat * share", "total += latent.heat * share"),
    _one("Kirchhoff's integral from the left", "plate", f"{HEAT}/pieces.py",
         "0.5 * (k[1:] + k[:-1]) * np.diff(t)", "k[:-1] * np.diff(t)"),
    _one("slope of the conductivity with the wrong sign", "plate", f"{HEAT}/pieces.py",
         "c = _with_ends(0.5 * k_slope", "c = _with_ends(-0.5 * k_slope"),
    # words, units, inputs
    _one("wrong unit: lengths declared in mm", "billet", f"{HEAT}/words.py",
         'LENGTH = Role(ucum="m"', 'LENGTH = Role(ucum="mm"'),
    _one("wrong unit: degrees without their zero", "plate", "simulate/units.py",
         "base = value * given.factor + given.offset", "base = value * given.factor"),
    _one("the start in kelvin", "plate", f"{HEAT}/problem.py",
         "initial=words.value_of(options.initial, TEMPERATURE, given),",
         "initial=words.value_of(options.initial, TEMPERATURE, given) + 273.15,"),
    _one("swapped axis: lengths", "plate", f"{HEAT}/problem.py",
         "for one in options.lengths)\n        return Box", "for one in reversed(options.lengths))\n        return Box"),
    _one("half of the time asked for", "plate", f"{HEAT}/problem.py",
         "np.linspace(0.0, self.options.end_s, self.options.frames)",
         "np.linspace(0.0, 0.5 * self.options.end_s, self.options.frames)"),
    _one("wrong boundary: bath of a boiling law at its boiling point", "ring", f"{HEAT}/problem.py",
         "return Convection(h=Curve(**value).table(), ambient=ambient)",
         "return Convection(h=Curve(**value).table(), ambient=value['boils'])"),
    _one("boiling curve back to front", "ring", f"{HEAT}/boiling.py",
         "values=(self.convection, self.peak, self.film)", "values=(self.film, self.peak, self.convection)"),
    # phases
    _one("martensite, factor 2", "billet", f"{HEAT}/phases.py",
         "-phase.rate * (warm[active]", "-2.0 * phase.rate * (warm[active]"),
    _one("carbon counts a tenth in Ms", "billet", f"{HEAT}/composition.py", "539 - 423 * self.C", "539 - 42.3 * self.C"),
    _one("bainite's nose ten powers off", "billet", f"{HEAT}/composition.py",
         "-10.23 + 10.18 * steel.C", "-1.023 + 10.18 * steel.C"),
    _one("carbon counts a tenth in the hardness", "billet", f"{HEAT}/composition.py", "127 + 949 * s.C", "127 + 94.9 * s.C"),
    _one("wrong unit: cooling rate a minute", "billet", f"{HEAT}/composition.py", "1e-6) * 3600.0)", "1e-6) * 60.0)"),
    # extraction, refinement
    _one("refined cells without their volumes", "billet", f"{HEAT}/restrict.py",
         "weights = fine.volumes[where[-1]] / fine.volumes.max()", "weights = np.ones_like(fine.volumes[where[-1]])"),
    _one("refined cells counted twice", "plate", f"{HEAT}/restrict.py", "by ** (axes - 1)", "by ** axes"),
    _one("wrong unit: temperature declared in kelvin", "plate", f"{HEAT}/described.py",
         'Field(name="temperature", ucum="Cel"', 'Field(name="temperature", ucum="K"'),
    _one("swapped axis: names", "plate", f"{HEAT}/described.py",
         "name=name, coordinates=shares if relative", "name=geometry.names[-1 - at], coordinates=shares if relative"),
    _one("wrong unit: temperature stored in kelvin", "plate", f"{HEAT}/solver.py",
         "values.astype(np.float32)", "(values + 273.15 * (name == 'temperature')).astype(np.float32)"),
    _one("swapped axis: fields upside down", "plate", f"{HEAT}/solver.py",
         '{"temperature": history.temperature,', '{"temperature": history.temperature[:, ::-1],'),
    # writing
    _one("parameters in the wrong columns", "plate", "simulate/trajectories.py",
         "parameters={name: float(member.inputs[name]) for name in self._parameters}",
         "parameters=dict(zip(self._parameters, [float(member.inputs[n]) for n in reversed(self._parameters)], strict=True))"),
    _one("fields of the member before", "plate", "simulate/conclude.py",
         "self.sealing.members[self.order[row]]", "self.sealing.members[self.order[row - 1]]"),
    _one("frames back to front", "plate", "simulate/blocks.py",
         "encode(values, one)\n", "encode(values[::-1], one)\n"),
    _one("a sample shifted by one cell in the shard", "plate", "data/fields/shard.py",
         "_put(arrays[field], row, np.ascontiguousarray(stored, dtypes[field]))", "_put(arrays[field], row, np.ascontiguousarray(np.roll(stored, 1, axis=-1), dtypes[field]))"),
)  # fmt: skip

HARMLESS = (
    _one("slabs of another size", "plate", f"{HEAT}/arrays.py", "SLAB_BYTES = 1 << 18", "SLAB_BYTES = 1 << 16"),
    _one("a longer explicit step, within its limit", "plate", f"{HEAT}/case.py", "cfl: float = 0.9", "cfl: float = 0.95"),
    _one("Newton's steps stop sooner", "ring", f"{HEAT}/implicit.py", '"f64": 1e-11,\n', '"f64": 2e-11,\n'),
    _one("formulas summed up twice as finely", "billet", f"{HEAT}/latent.py", "_FINE = 64", "_FINE = 128"),
    _one("volumes over the least one", "billet", f"{HEAT}/restrict.py",
         "/ fine.volumes.max()", "/ fine.volumes.min()"),
    _one("a rounding of the drawn inputs", "casting", "simulate/spread.py", "_DIGITS = (\n    9 ", "_DIGITS = (\n    8 "),
)  # fmt: skip


class Defects:
    """Trials of one patch each: the defects in their order, then the harmless changes."""

    number = 0  # set by the run: which patch
    defects: ClassVar[Sequence[Any]] = DEFECTS
    harmless: ClassVar[Sequence[Any]] = HARMLESS

    def __init__(self, scratch: Path) -> None:
        """Take a directory for the copies."""
        self._scratch = scratch

    def __enter__(self) -> Defects:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the scratch directory to its owner."""

    def trial(self, _chance: random.Random) -> dict[str, Any]:
        """Seal and run a campaign of changed code. A fault: a defect that was sealed, a harmless change that wasn't."""
        patches = (*self.defects, *self.harmless)
        patch = patches[self.number % len(patches)]
        root = self._scratch / f"patch-{self.number}"
        ended = campaign(root, patch.bed, patch.changes, patch.words)
        shutil.rmtree(root, ignore_errors=True)
        harmless = patch in self.harmless
        wrong = ended.stopped if harmless else not ended.stopped
        by = "let through" if not ended.stopped else by_whom(ended.why)
        what = f"{'harmless change' if harmless else 'defect'}: {by}"
        told = {"patch": patch.name, "why": ended.why, "left_out": ended.left_out}
        return {"what": what, **told, "faults": [f"{patch.name}: {by}"] if wrong else []}


def by_whom(why: str) -> str:
    """Return which gate has stopped a campaign, by its last words."""
    for words, gate in (
        ("failed its probation", "stopped by the probation"),
        ("no member was admitted", "stopped by the checks of members"),
        ("a shard is not what was admitted", "stopped as the shard was read"),
        ("not sealed", "refused at submission"),
    ):
        if words in why:
            return gate
    return "stopped otherwise"
