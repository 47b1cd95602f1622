"""Seeded defects of the built-in solver, written without sight of the checks.

Each changes numbers of its bed by more than 1 % of their range; the harmless ones none beyond rounding.
"""

from __future__ import annotations

from endurance.defects import HEAT, RANKS, Patch

AIR = ("ensemble.inputs.high.low=20", "ensemble.inputs.high.high=60")  # W/(m2.K): radiation counts
SLOW = "{C: 0.2, Si: 0.2, Mn: 0.5}"  # a steel that transforms even in a brisk quench


_one = Patch.one

_KERNELS = (
    _one("kernel_second_axis_left_out", "bar", f"{HEAT}/arrays.py",
         "for axis in (2, 1, 0) if", "for axis in (2, 0) if"),
    _one("kernel_mask_or_for_and", "casting", f"{HEAT}/arrays.py",
         "body[tuple(low)] & body[tuple(high)]", "body[tuple(low)] | body[tuple(high)]"),
    _one("kernel_rim_never_exchanged", "bar", f"{HEAT}/part.py",
         "        self.halo.exchange(flow)\n", "", *RANKS),
    _one("kernel_sum_in_half_precision", "bar", f"{HEAT}/arrays.py",
         "np.add(base[inner], total, out=out[inner])",
         "np.add(base[inner].astype(np.float16), total, out=out[inner])", "solver.options.cfl=0.2"),
)  # fmt: skip

_MARCHES = "if save > at:\n                self._interval(at, save)\n            at = save\n"
_STEPPING = (
    _one("time_last_step_not_shortened", "plate", f"{HEAT}/march.py",
         "dt = float(end - start) / count", "dt = float(longest)"),
    _one("time_one_step_too_few", "billet", f"{HEAT}/march.py",
         "range(self.done, count)", "range(self.done, max(1, count - 1))"),
    _one("time_frames_kept_before_the_steps", "bar", f"{HEAT}/march.py",
         f"            {_MARCHES}            self._keep()\n", f"            self._keep()\n            {_MARCHES}"),
    _one("time_newton_given_up_early", "ring", f"{HEAT}/implicit.py",
         '"f64": 1e-11,', '"f64": 1e-1,'),
    _one("time_frames_are_views", "bar", f"{HEAT}/part.py",
         "return np.array(self.arrays.host(self.matter.temperature(self.state[INNER])))",
         "return np.asarray(self.arrays.host(self.matter.temperature(self.state[INNER])))"),
)  # fmt: skip

_WALLS = (
    _one("wall_flux_of_the_wrong_sign", "bar", f"{HEAT}/laws.py",
         "Linear(drive=sum, total=0.0", "Linear(drive=lambda given: -sum(given), total=0.0"),
    _one("wall_whole_cell_for_half", "plate", f"{HEAT}/geometry.py",
         "half=0.5 * widths[lead + at]", "half=widths[lead + at]"),
    _one("wall_emissivity_forgotten", "plate", f"{HEAT}/laws.py",
         "strength = emissivity * STEFAN_BOLTZMANN", "strength = STEFAN_BOLTZMANN", *AIR),
    _one("wall_first_law_of_a_side_alone", "plate", f"{HEAT}/sides.py",
         "tuple(self._number(law) for law in laws_in(laws))",
         "tuple(self._number(law) for law in laws_in(laws)[:1])", *AIR),
    _one("wall_table_by_steps_not_lines", "plate", f"{HEAT}/pieces.py",
         "return linear(np.array(table.temperature), np.array(table.values), beyond=False)",
         "x, y = np.array(table.temperature), np.array(table.values)\n"
         "    return _pieces(x, y, np.zeros(len(x) + 1), np.zeros(len(x) + 1))"),
    _one("wall_boiling_table_columns", "ring", f"{HEAT}/boiling.py",
         "values=(self.convection, self.peak, self.film)", "values=(self.convection, self.film, self.peak)"),
    _one("wall_boiling_point_for_the_bath", "ring", f"{HEAT}/problem.py",
         "return Convection(h=Curve(**value).table(), ambient=ambient)",
         'return Convection(h=Curve(**value).table(), ambient=value["boils"])'),
    _one("wall_shares_of_stairs_twice", "casting", f"{HEAT}/faces.py",
         "shares = geometry.shares[side.axis][block.where][index]",
         "shares = geometry.shares[side.axis][block.where][index] ** 2"),
)  # fmt: skip

_GEOMETRY = (
    _one("shape_sides_mixed_up", "plate", f"{HEAT}/geometry.py",
         """name=f"{name}{'+' if high else '-'}",""", """name=f"{name}{'-' if high else '+'}","""),
    _one("shape_lengths_in_reverse", "plate", f"{HEAT}/problem.py",
         "for one in options.lengths)\n        return Box",
         "for one in reversed(options.lengths))\n        return Box"),
    _one("shape_cylinder_as_a_plate", "billet", f"{HEAT}/geometry.py",
         "low, high = edges[:-1] / (centres * dr * dr), edges[1:] / (centres * dr * dr)",
         "low, high = _flat(nr, dr)"),
    _one("shape_stepped_half_a_cell_off", "casting", f"{HEAT}/masks.py",
         "(np.arange(across) + 0.5 - across / 2)", "(np.arange(across) - across / 2)"),
)  # fmt: skip

_MATTER = (
    _one("matter_stainless_digits_swapped", "plate", f"{HEAT}/library.py", "1.27e-2 * t", "1.72e-2 * t"),
    _one("matter_capacity_digits_swapped", "bar", f"{HEAT}/library.py",
         "specific_heat=5.26e6", "specific_heat=5.62e6"),
    _one("matter_latent_heat_without_density", "casting", f"{HEAT}/latent.py",
         "total += density * latent.heat * share", "total += latent.heat * share"),
)  # fmt: skip

_PHASES = (
    _one("phase_sees_the_step_before", "billet", f"{HEAT}/march.py",
         "after = self.part.temperature().astype(np.float64)",
         "after = np.array(self.part.matter.temperature(self.part.spare[1:-1, 1:-1, 1:-1]))"),
    _one("phase_martensite_digit", "billet", f"{HEAT}/composition.py", "30.4 * self.Mn", "3.04 * self.Mn"),
    _one("phase_curves_in_celsius", "billet", f"{HEAT}/composition.py", "kelvin = at + 273.15", "kelvin = at",
         f"solver.options.phases.composition={SLOW}"),
    _one("phase_hardness_per_second", "billet", f"{HEAT}/composition.py", ", 1e-6) * 3600.0)", ", 1e-6))"),
    _one("phase_heat_of_the_last_alone", "billet", f"{HEAT}/phases.py",
         "heat = heat + phase.heat * _grow(", "heat = phase.heat * _grow(",
         "solver.options.material=carbon_steel_en1993_split",
         f"solver.options.phases.composition={SLOW}",
         "+solver.options.phases.heat={ferrite: 666000000, pearlite: 666000000}"),
)  # fmt: skip

_WORDS = (
    _one("words_offset_of_kelvin_forgotten", "plate", "simulate/units.py",
         "(base - wanted.offset) / wanted.factor", "base / wanted.factor",
         "ensemble.inputs.initial.high=1173.15 K"),
    _one("words_defaults_win", "bar", f"{HEAT}/problem.py",
         "given = {**known, **inputs}", "given = {**inputs, **known}"),
    _one("words_start_ignored", "billet", f"{HEAT}/problem.py",
         "initial=words.value_of(options.initial, TEMPERATURE, given)",
         'initial=self.values({})["initial"]'),
    _one("words_decades_for_logarithms", "plate", "simulate/spread.py",
         "places * math.log(self.high / self.low)", "places * math.log10(self.high / self.low)"),
)  # fmt: skip

_WRITING = (
    _one("out_phases_by_alphabet", "billet", f"{HEAT}/march.py",
         "name: np.stack([one[name] for one in self.fractions]) for name in self.names",
         "name: np.stack([one[other] for one in self.fractions])\n"
         "                for name, other in zip(self.names, sorted(self.names), strict=True)",
         f"solver.options.phases.composition={SLOW}"),
    _one("out_times_in_minutes", "bar", f"{HEAT}/solver.py", "times=history.times,", "times=history.times / 60,"),
    _one("out_faces_for_centres", "bar", f"{HEAT}/described.py",
         "points, edges = geometry.centres(lead + at), geometry.edges[lead + at]",
         "points, edges = geometry.edges[lead + at][1:], geometry.edges[lead + at]"),
    _one("out_parameters_by_alphabet", "plate", "simulate/trajectories.py",
         "parameters={name: float(member.inputs[name]) for name in self._parameters}",
         "parameters={one: float(member.inputs[name]) "
         "for one, name in zip(self._parameters, sorted(self._parameters), strict=True)}"),
    _one("out_numbers_of_the_neighbour", "plate", "simulate/conclude.py",
         "self.sealing.members[self.order[row]]", "self.sealing.members[self.order[row] - 1]"),
    _one("out_every_other_fine_cell", "plate", f"{HEAT}/restrict.py",
         "return np.asarray(whole / (weights.reshape(-1, by).sum(axis=1) * by ** (axes - 1)))",
         "return np.asarray(values[(..., *(slice(None, None, by),) * axes)])"),
    _one("out_finer_body_twice_as_large", "casting", f"{HEAT}/bodies.py",
         "spacing=body.spacing / finer", "spacing=body.spacing"),
)  # fmt: skip

DEFECTS = (*_KERNELS, *_STEPPING, *_WALLS, *_GEOMETRY, *_MATTER, *_PHASES, *_WORDS, *_WRITING)

HARMLESS = (
    _one("harmless_axes_in_another_order", "plate", f"{HEAT}/arrays.py",
         "for axis in (2, 1, 0) if", "for axis in (0, 1, 2) if"),
    _one("harmless_quotient_squared", "bar", f"{HEAT}/geometry.py",
         "np.full(cells, 1.0 / (width * width))", "np.full(cells, (1.0 / width) ** 2)"),
    _one("harmless_potential_from_another_zero", "billet", f"{HEAT}/pieces.py",
         "theta = np.concatenate([[0.0], np.cumsum(0.5 * (k[1:] + k[:-1]) * np.diff(t))])",
         "theta = 1e3 + np.concatenate([[0.0], np.cumsum(0.5 * (k[1:] + k[:-1]) * np.diff(t))])"),
    _one("harmless_gradients_closer", "ring", f"{HEAT}/gradient.py", '"f64": 1e-7,', '"f64": 1e-9,'),
)  # fmt: skip
