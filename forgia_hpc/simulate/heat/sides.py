"""The laws of all sides, as a member has them: a law that no input changes is made once for all members."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from forgia_hpc.simulate.heat.case import Boundary
from forgia_hpc.simulate.heat.words import TEMPERATURE, is_name, laws_in, value_of

Law = dict[str, Any]  # a law's words


class Sides:
    """Checked words of all sides. Sides that say the same share one law."""

    def __init__(
        self, boundaries: Mapping[str, Any], make: Callable[[Law, Mapping[str, float]], Boundary]
    ) -> None:
        """Take the words, and what makes a law of them and a member's inputs."""
        self._make = make
        self._laws: list[Law] = []
        self._sides = {
            side: tuple(self._number(law) for law in laws_in(laws))
            for side, laws in boundaries.items()
        }
        self._named = [any(map(is_name, _words(law))) for law in self._laws]
        self._known: dict[int, Boundary] = {}

    def _number(self, law: Law) -> int:
        if law not in self._laws:
            self._laws.append(law)
        return self._laws.index(law)

    def of(self, given: Mapping[str, float]) -> dict[str, tuple[Boundary, ...]]:
        """Return each side's laws with a member's inputs."""
        made = [self._law(number, given) for number in range(len(self._laws))]
        return {side: tuple(made[one] for one in laws) for side, laws in self._sides.items()}

    def _law(self, number: int, given: Mapping[str, float]) -> Boundary:
        if self._named[number]:
            return self._make(self._laws[number], given)
        if number not in self._known:
            self._known[number] = self._make(self._laws[number], given)
        return self._known[number]

    def behind(self, given: Mapping[str, float]) -> list[float]:
        """Return the temperatures behind the walls, °C."""
        words = [
            law[word] for law in self._laws for word in ("ambient", "temperature") if word in law
        ]
        return [value_of(one, TEMPERATURE, given) for one in words]


def _words(law: Law) -> list[Any]:
    return [value for word, value in law.items() if word != "law"]
