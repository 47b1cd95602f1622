"""The field model that a SIGKILL ends in the middle of a training, once."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from torch import Tensor

from forgia_hpc.models.field import FieldModel


class KilledField(FieldModel):
    """`killed`: a file that says whether it has happened; empty: it never does."""

    def __init__(self, options: dict[str, Any], **more: Any) -> None:
        own = dict(options)
        self._killed, self._calls = own.pop("killed"), 0
        super().__init__(own, **more)

    def forward(self, values: Tensor, **inputs: Tensor) -> Tensor:
        self._calls += 1
        last = int(os.environ["RANK"]) == int(os.environ["WORLD_SIZE"]) - 1
        if self._killed and self._calls == 7 and last and not Path(self._killed).exists():
            Path(self._killed).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(values, **inputs)
