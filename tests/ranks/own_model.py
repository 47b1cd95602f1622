"""A user's own forecaster, found by import path: dropout, tied weights, a buffer, and faults on demand."""

from __future__ import annotations

import json
import os
import signal
import time
import zlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


class OwnForecaster(nn.Module):
    def __init__(self, options: dict[str, Any], *, context: int, horizon: int) -> None:
        super().__init__()
        self.quantiles = (0.5,)
        self.horizon = horizon
        width = options.get("width", 16)
        self.read = nn.Linear(context, width)
        self.drop = nn.Dropout(0.2)
        self.mix = nn.Linear(width, width)
        self.tied = nn.Linear(width, width)
        self.tied.weight = self.mix.weight
        self.write = nn.Linear(width, horizon)
        self.register_buffer("calls", torch.zeros(1))
        self.fault = options.get("fault", "")
        self.pause_s = options.get("pause_s", 0.0)
        self.seen = 0
        self.notes = options.get("notes", "")

    def _apply(self, *words: Any, **more: Any) -> nn.Module:
        if self.fault == "hangs at start":  # an engine moves and casts its module first of all
            time.sleep(600)
        return super()._apply(*words, **more)

    def forward(self, context: Tensor, target: Tensor, group: Tensor) -> Tensor:
        self.seen += 1
        time.sleep(self.pause_s)
        self._fail()
        self._note(context)
        known = ~torch.isnan(target)
        error = self._predict(context) - torch.nan_to_num(target)
        loss = (error.abs() * known).sum() / known.sum().clamp(min=1)
        if self.fault == "nan" and self.seen > 3:
            return loss * torch.nan
        return loss

    def forecast(self, context: Tensor, group: Tensor, horizon: int) -> Tensor:
        return self._predict(context)[:, None, :horizon]

    def _predict(self, context: Tensor) -> Tensor:
        values = torch.nan_to_num(context).to(self.read.weight.dtype)
        hidden = torch.relu(self.tied(torch.relu(self.mix(self.drop(self.read(values))))))
        return self.write(hidden).float()

    def _note(self, context: Tensor) -> None:
        """Write down which series came, where a test wants to know."""
        if self.notes:
            sums = [zlib.crc32(row.numpy().tobytes()) for row in context.float()]
            name = f"{os.environ['FORGIA_ATTEMPT']}-{os.environ['RANK']}"
            with (Path(self.notes) / name).open("a") as file:
                file.write(json.dumps(sums) + "\n")

    def _fail(self) -> None:
        kind, _, where = self.fault.partition(":")
        if kind == "kill" and self.seen == 7 and os.environ["RANK"] == "1":
            marker = Path(where)
            if not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
