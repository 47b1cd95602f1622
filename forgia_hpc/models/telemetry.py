"""The shared telemetry model: the Chronos-2 architecture, built from config with random weights.

Source: Ansari et al., "Chronos-2: From Univariate to Universal Forecasting" (arXiv 2510.15821); the layers are
those of `chronos-forecasting` (Apache-2.0). Attention runs in turn along time (rotary positions) and across
the series of one group. Nothing here reaches for a hub.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from chronos.chronos2.config import Chronos2CoreConfig
from chronos.chronos2.layers import Chronos2RotaryEmbedding
from chronos.chronos2.model import Chronos2Model
from torch import Tensor, nn

from forgia_hpc.models.options import TelemetryOptions, parse_options

Scaling = tuple[Tensor, Tensor]


class TelemetryModel(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy
    """Context of many series → quantiles of their future. Any context and horizon; padded to whole patches."""

    def __init__(self, options: dict[str, Any], *, context: int, horizon: int) -> None:
        """Build the model with random weights (the caller seeds torch).

        Args:
            options: see models/options.py.
            context: time steps the model sees; longer contexts are cut on the left.
            horizon: time steps of a training target.
        """
        super().__init__()
        self.options = parse_options(options)
        self.quantiles = self.options.quantiles
        self.network = Chronos2Model(_config(self.options, context, horizon))

    def forward(self, context: Tensor, target: Tensor, group: Tensor) -> Tensor:
        """Return the pinball loss of context (series, time), target (series, horizon), group (series,).

        Twice the pinball loss in scaled units, summed over the quantiles, averaged over steps and series;
        a missing step of the target counts as zero, as in chronos-forecasting.
        """
        horizon = target.shape[-1]
        predicted, scaling = self._predict(context, group, horizon)
        scaled, _ = self.network.instance_norm(_finite(target), scaling)
        scaled = scaled.unsqueeze(1)
        measured = ~torch.isnan(scaled)
        error = torch.where(measured, scaled, 0.0) - predicted
        level = predicted.new_tensor(self.quantiles)[None, :, None]
        pinball = 2 * torch.maximum(level * error, (level - 1) * error) * measured
        return pinball.mean(dim=-1).sum(dim=-1).mean()

    def forecast(self, context: Tensor, group: Tensor, horizon: int) -> Tensor:
        """Return (series, quantile, horizon) in physical units; quantiles are sorted, so they never cross."""
        with torch.no_grad():
            predicted, scaling = self._predict(context, group, horizon)
            values = self.network.instance_norm.inverse(predicted.flatten(1), scaling)
            return torch.sort(values.view_as(predicted), dim=1).values

    def _predict(self, context: Tensor, group: Tensor, horizon: int) -> tuple[Tensor, Scaling]:
        """Return float32 (series, quantile, horizon) in scaled units and the (location, scale) of each series."""
        patches = -(-horizon // self.options.patch)
        encoded, scaling, _, _ = self.network.encode(
            context=_finite(context), group_ids=group, num_output_patches=patches
        )
        hidden = encoded.last_hidden_state[:, -patches:]
        series, levels = hidden.shape[0], len(self.quantiles)
        # The loss is taken in float32: in bf16 the level 0.99 is 0.992 and small errors vanish.
        predicted = self.network.output_patch_embedding(hidden).float()
        predicted = predicted.view(series, patches, levels, self.options.patch).transpose(1, 2)
        return predicted.flatten(2)[..., :horizon], scaling

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> TelemetryModel:
        """Move or convert the module, but keep the rotary frequencies in float32.

        DeepSpeed calls `module.bfloat16()`, which casts buffers too. Frequencies rounded to bf16 turn far
        positions by up to a radian, and the saved model, loaded in float32, would see other positions.
        """
        super()._apply(fn, recurse)
        for module in self.modules():
            if isinstance(module, Chronos2RotaryEmbedding):
                exact, _ = module.compute_default_rope_parameters(
                    module.config, module.inv_freq.device
                )
                module.inv_freq = exact
        return self


def _finite(values: Tensor) -> Tensor:
    """Treat an infinite reading as missing: one of them would make the whole loss NaN."""
    return torch.where(torch.isfinite(values), values, torch.nan)


def _config(options: TelemetryOptions, context: int, horizon: int) -> Chronos2CoreConfig:
    patch = options.patch
    return cast(
        Chronos2CoreConfig,
        Chronos2CoreConfig(
            d_model=options.width,
            d_kv=options.width // options.heads,
            d_ff=options.feed_forward,
            num_layers=options.layers,
            num_heads=options.heads,
            dropout_rate=options.dropout,
            initializer_factor=options.initial_scale,
            chronos_config={
                "context_length": context,
                "input_patch_size": patch,
                "input_patch_stride": patch,
                "output_patch_size": patch,
                "max_output_patches": -(-horizon // patch),
                "quantiles": list(options.quantiles),
                "use_reg_token": True,
                "use_arcsinh": True,
            },
        ),
    )
