"""What a dataset of fields gives its model: names, grid, boundaries and units of scale. Plain numbers, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from forgia_hpc.errors import SealBrokenError

LAYOUT = "forgia.fields/1"
KEY = "fields"  # under which a saved model keeps it, in the `extra` of its facts


@dataclass(frozen=True, kw_only=True)
class Scales:
    """Location and scale of some numbers, 0: the same in all; `logs` says which are looked at as logarithms."""

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    logs: tuple[bool, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FieldShape:
    """What the layers of a field model are cut to, and the units that it computes in."""

    axes: tuple[str, ...]  # slowest first
    grid: tuple[int, ...]  # of the training data; any other may be asked for
    channels: tuple[str, ...]  # predicted
    static: tuple[str, ...] = ()  # fields that do not vary in time
    parameters: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    laws: tuple[str, ...] = ()  # of boundaries
    masked: bool = False  # a body does not fill the grid
    ragged: bool = False  # contributions have different numbers of boundaries
    stride: int = 1  # steps of the trajectories that one step of the model is
    seconds: float = 1.0  # that such a step mostly is, in the schema's unit of time
    values: Scales = Scales()
    increments: tuple[float, ...] = ()  # deviation of the change over one step, a channel
    noise: tuple[float, ...] = ()  # RMS error of the solver itself, a channel; empty: unknown
    static_values: Scales = Scales()
    parameter_values: Scales = Scales()
    signal_values: Scales = Scales()

    def as_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return asdict(self)

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> FieldShape:
        """Return what `as_json` gave away.

        Raises:
            SealBrokenError: it has other names.
        """
        try:
            whole = {name: _read(name, value) for name, value in content.items()}
            return FieldShape(**whole)
        except TypeError as error:
            known = ", ".join(one.name for one in fields(FieldShape))
            limit = f"the shape of fields in model.json does not hold {known}"
            raise SealBrokenError(f"{limit} ({error})") from error


def _read(name: str, value: Any) -> Any:
    if name in ("values", "static_values", "parameter_values", "signal_values"):
        return Scales(**{part: tuple(numbers) for part, numbers in value.items()})
    return tuple(value) if isinstance(value, list) else value
