"""A recipe's column → the channel that it becomes, and how the file's numbers become the channel's."""

from __future__ import annotations

from dataclasses import dataclass

from forgia_hpc.data.ingest.ucum import UNITS
from forgia_hpc.data.layout import Channel


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a recipe says of one column, defaults filled in."""

    name: str
    ucum: str
    quantity: str
    semantic_id: str
    qudt: str
    role: str
    codes: tuple[str, ...]
    decimals: int | None
    low: float | None
    high: float | None
    given_in: str
    scale: float | None
    zero: float
    sign: int

    @property
    def grid(self) -> float | None:
        """The step between two numbers that the file can hold; None: it has no fixed decimals."""
        if self.decimals is None:
            return 1.0 if self.scale is not None else None
        return float(f"1e-{self.decimals}")

    @property
    def factor(self) -> float:
        """The factor of value = number * factor + offset, unsigned."""
        own = 1.0 if self.scale is None else self.scale
        if self.given_in in ("", self.ucum):
            return own
        return own * UNITS[self.given_in].factor / UNITS[self.ucum].factor

    @property
    def offset(self) -> float:
        """The offset of value = number * factor + offset."""
        if self.given_in in ("", self.ucum):
            return self.zero
        theirs, ours = UNITS[self.given_in], UNITS[self.ucum]
        return (self.zero * theirs.factor + theirs.offset - ours.offset) / ours.factor

    @property
    def converted(self) -> bool:
        """Whether the channel's numbers are others than the file's."""
        return (self.factor, self.offset, self.sign) != (1.0, 0.0, 1)


def channel_of(terms: Terms) -> Channel:
    """Return the channel; its grid is the file's, converted, so that what was exact stays exact."""
    facts = {
        name: getattr(terms, name) for name in ("name", "semantic_id", "qudt", "role", "codes")
    }
    if terms.codes:
        last = float(len(terms.codes) - 1)
        return Channel(
            **facts, ucum="1", quantity="category", scale=1.0, valid_min=0.0, valid_max=last
        )
    known = terms.given_in in ("", terms.ucum) or {terms.given_in, terms.ucum} <= UNITS.keys()
    grid = terms.grid if known else None
    return Channel(
        **facts,
        ucum=terms.ucum,
        quantity=terms.quantity,
        scale=None if grid is None else grid * terms.factor,
        zero=0.0 if grid is None else terms.offset,
        valid_min=terms.low,
        valid_max=terms.high,
    )
