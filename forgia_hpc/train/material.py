"""What a training learns from. The loop knows this and nothing of layouts; each layout has a class of its own."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from forgia_hpc.data.access.usage import Windows as UsedWindows
from forgia_hpc.data.sampler import Windows as DealtWindows

Micro = dict[str, torch.Tensor]  # the keyword arguments of a model's forward
Chosen = Sequence[tuple[int, int]] | NDArray[np.int64]  # (contribution, window) pairs


class LearntWindows(DealtWindows, UsedWindows, Protocol):
    """Windows of the training split: a sampler deals them, the ledger of use counts them."""


class Reading(Protocol):
    """How windows become the tensors of a forward pass; their first dimension counts rows of the loss."""

    @property
    def numbers(self) -> tuple[str, ...]:
        """Names of the tensors that hold data: what is counted as learnt from."""

    def micro(self, chosen: Chosen) -> Micro:
        """Read some windows."""

    def rows(self, chosen: Chosen) -> int:
        """Return how many rows these windows have, without reading them."""


class Material(Reading, Protocol):
    """Windows of one layout, and what a model of them is made with."""

    @property
    def index(self) -> LearntWindows:
        """The windows, by number."""

    @property
    def shards(self) -> Sequence[Sequence[str]]:
        """Paths of the shards of each contribution."""

    @property
    def identifier(self) -> str:
        """Name and version of what is read."""

    @property
    def ends(self) -> datetime.datetime | None:
        """From then on nothing may be read any more."""

    @property
    def series_numbers(self) -> int:
        """How many numbers one series of a window has."""

    @property
    def made_with(self) -> Mapping[str, Any]:
        """What a model is built with beside its options: `context`, `horizon`, and `extra` facts."""


def tensors(arrays: Mapping[str, NDArray[Any]]) -> Micro:
    """Return arrays as tensors, ready to be copied to a GPU where there is one."""
    found = {name: torch.from_numpy(array) for name, array in arrays.items()}
    if torch.cuda.is_available():
        # torch keeps pinned memory for the next: a ring of ours would save nothing
        found = {name: tensor.pin_memory() for name, tensor in found.items()}
    return found
