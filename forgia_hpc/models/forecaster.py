"""What every forecasting model offers, whoever wrote it."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import torch


@runtime_checkable
class Forecaster(Protocol):
    """A torch module that learns from windows and predicts quantiles.

    It is made by `Class(options, context=…, horizon=…)`. Values are float32 in physical units, NaN where
    nothing was measured. `group` is int64 (series,): series of one window share a number, and only they may
    look at each other.
    """

    quantiles: tuple[float, ...]

    def forward(
        self, context: torch.Tensor, target: torch.Tensor, group: torch.Tensor
    ) -> torch.Tensor:
        """Return the scalar loss of context (series, time) and target (series, horizon)."""
        ...

    def forecast(self, context: torch.Tensor, group: torch.Tensor, horizon: int) -> torch.Tensor:
        """Return (series, quantile, horizon) in physical units, not crossing."""
        ...


class FamilyClass(Protocol):
    """The class of a family, as models/table.py resolves it."""

    def __call__(self, options: dict[str, Any], *, context: int, horizon: int, **shape: Any) -> Any:
        """Return a fresh module with random weights; `shape` is given to families of fields only."""
        ...
