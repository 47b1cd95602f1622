"""Ripples that save themselves, and members whose second one fails in a way that only a whole group can.

options besides: `how` of member 1: one_rank (its last rank raises), alone (the others wait for that one), greedy.
"""

from __future__ import annotations

import time
from functools import partial

import numpy as np
from ripples import Ripples

from forgia_hpc.errors import StoppedError
from forgia_hpc.simulate.member import MemberError
from forgia_hpc.simulate.saved import Saves


class LongRipples(Ripples):
    """Looks at `stop` after every step, and saves all that there is as a file a step."""

    save_s = 0.0

    def prepare(self, member, ranks, directory):
        case = super().prepare(member, ranks, directory)
        saves = Saves(directory, ranks, lambda: {"member": member.id}, self.save_s)
        parts = saves.load() or {}
        case |= {"ranks": ranks, "saves": saves, "T": [parts[name]["T"] for name in sorted(parts)]}
        case["resumed"] = len(case["T"])
        return case

    def run(self, case, stop):
        self._fail(case)
        first, cells = case["cells"].start, case["cells"].stop - case["cells"].start
        for step in range(case["resumed"], self._steps):
            time.sleep(self._sleep_s / self._steps)
            self._look_up(case, stop())
            row = np.full((cells, *self._shape[1:]), case["member"].inputs["amplitude"] + step)
            case["T"].append(row + first + np.arange(cells).reshape(-1, 1))

    def _look_up(self, case, wished):
        saves = case["saves"]
        if len(case["T"]) > case["resumed"] and case["ranks"].bcast(wished or saves.is_due):
            parts = {f"step-{n:04d}": partial(dict, T=one) for n, one in enumerate(case["T"])}
            assert saves.save(parts) == ""
        if wished:
            raise StoppedError("between two steps")

    def _fail(self, case):
        how, ranks = self._words.options.get("how"), case["ranks"]
        if case["member"].number != 1 or not how:
            return
        if how == "greedy":
            np.ones(2**28).sum()  # 2 GiB
        elif ranks.rank == ranks.size - 1:
            raise MemberError("no_output", "on one rank")
        elif how == "alone":
            ranks.barrier()

    def extract(self, case):
        output = super().extract(case)
        output.facts["resumed"] = float(case["resumed"])
        return output
