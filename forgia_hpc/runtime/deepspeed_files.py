"""DeepSpeed's files in our checkpoints: written through our writer, read without running what they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from deepspeed.runtime.fp16.loss_scaler import LossScaler
from deepspeed.runtime.zero.config import ZeroStageEnum
from deepspeed.utils.tensor_fragment import fragment_address

from forgia_hpc.runtime.writer import Writer

# All that DeepSpeed's files hold beside tensors and plain values. torch.load refuses everything else, so a
# pickle that was put in their place cannot run code.
_SAFE = [LossScaler, ZeroStageEnum, fragment_address]


class CheckpointFiles:
    """DeepSpeed's checkpoint engine, as far as DeepSpeed calls one."""

    def __init__(self, writer: Writer | None) -> None:
        """Take the writer of this rank, or None to read only."""
        self._writer = writer

    def save(self, state_dict: Any, path: str) -> None:
        """Write one of DeepSpeed's files."""
        assert self._writer is not None
        with self._writer.file(Path(path)) as opened:
            torch.save(state_dict, opened)

    def load(self, path: str, map_location: Any = None) -> Any:
        """Read one of them; anything but tensors, plain values and the three types is refused."""
        with torch.serialization.safe_globals(_SAFE):
            return torch.load(path, map_location=map_location, weights_only=True)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Make a directory through the writer, which keeps errors."""
        assert self._writer is not None
        self._writer.make_directory(Path(path))

    def create(self, info: Any) -> None:
        """Do nothing; DeepSpeed announces a checkpoint."""

    def commit(self, info: Any) -> bool:
        """Say that all is well; committing is ours."""
        return True

    def is_decoupled(self) -> bool:
        """Say that writing ends before DeepSpeed goes on."""
        return False

    def is_data_parallel_writer(self, rank: int) -> bool:
        """Say that rank 0 writes what all ranks hold."""
        return rank == 0

    def preserves_storage_sharing(self) -> bool:
        """Say that torch.save keeps shared storage shared."""
        return True
