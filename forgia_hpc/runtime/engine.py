"""DeepSpeed, set up from the job's own words, and watched."""

from __future__ import annotations

import logging
import math
import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import deepspeed
import psutil  # type: ignore[import-untyped]
import torch
from deepspeed.utils import safe_get_full_fp32_param
from torch import Tensor, nn

from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.deepspeed_files import CheckpointFiles
from forgia_hpc.runtime.deepspeed_setup import deepspeed_config, is_plain, make_optimizer
from forgia_hpc.runtime.extensions import private_copy, time_limit, without_shared_memory_op
from forgia_hpc.runtime.torch_wire import join_group
from forgia_hpc.runtime.world import World
from forgia_hpc.runtime.writer import Writer
from forgia_hpc.schema.job import TrainJob

TAG = "state"
_INIT_LIMIT_S = 900.0


@dataclass(frozen=True)
class Outcome:
    """What one optimizer step did on this rank."""

    loss: float  # mean over this rank's windows
    applied: bool  # False: gradients were not finite, the weights stayed
    grad_norm: float | None
    seconds: float
    own_s: float = 0.0  # of it, the forward passes: what this rank does before it waits for others


class Engine:
    """One model under one DeepSpeed engine. Every method is collective."""

    def __init__(self, module: nn.Module, job: TrainJob, run: RunDir, world: World) -> None:
        """Hand the module to DeepSpeed; all ranks must bring the same weights."""
        join_group(world.place, run)
        self._world = world
        self.module = module
        self.parameters = sum(parameter.numel() for parameter in module.parameters())
        self._clip = job.optimizer.clip
        self._plain = is_plain(job)
        device = torch.device("cuda", torch.cuda.current_device()) if _on_gpu() else None
        self.device = device or torch.device("cpu")
        module.to(self.device)
        self._engine, *_ = deepspeed.initialize(
            model=module,
            optimizer=make_optimizer(module, job),
            config=deepspeed_config(job, world.size, self.parameters),
            dist_init_required=False,
        )
        # It would copy scripts into every checkpoint, and stop on a full disk while the others wait.
        self._engine._copy_recovery_script = lambda save_path: None

    def step(
        self,
        batches: Sequence[Mapping[str, Tensor]],
        weights: Sequence[float],
        learning_rate: float,
        stamp: Callable[[str], None] = lambda _phase: None,
    ) -> Outcome:
        """Do one optimizer step over this rank's micro-batches.

        Args:
            batches: keyword tensors of the module's forward, one mapping a micro-batch.
            weights: of each micro-batch's loss in the mean over all ranks and micro-batches.
            learning_rate: of this step.
            stamp: told `forward` and `backward`, which waits for the other ranks.
        """
        for group in self._engine.optimizer.param_groups:
            group["lr"] = learning_rate
        started, laps = time.perf_counter(), Laps(self.device)
        loss = torch.zeros((), device=self.device)
        norm: float | None = None
        for batch, weight in zip(batches, weights, strict=True):
            moved = {name: value.to(self.device) for name, value in batch.items()}
            stamp("forward")
            with laps:
                own = self._engine(**moved) * weight
            stamp("backward")
            self._engine.backward(own)
            loss += own.detach().float() / len(batches)
            if self._plain and self._engine.is_gradient_accumulation_boundary():
                norm = self._guard_plain_step()
            self._engine.step()
        if not self._plain:
            norm = _as_float(self._engine.get_global_grad_norm())
        applied = bool(self._engine.was_step_applied()) and (norm is None or math.isfinite(norm))
        # float() waits for the GPU, so the time is the step's and not only its launch's.
        last = float(loss)
        return Outcome(last, applied, norm, time.perf_counter() - started, laps.seconds())

    def _guard_plain_step(self) -> float:
        """Clip the gradients and return their norm; take them away if it is not finite.

        Without ZeRO and in float32 DeepSpeed looks at nothing: one NaN would go straight into the weights.
        """
        parameters = [each for each in self.module.parameters() if each.grad is not None]
        norm = nn.utils.get_total_norm([each.grad for each in parameters])
        if not math.isfinite(float(norm)):
            for parameter in parameters:
                parameter.grad = None  # the optimizer passes over such parameters
        elif self._clip > 0:
            nn.utils.clip_grads_with_norm_(parameters, self._clip, norm)
        return float(norm)

    def save(self, writer: Writer) -> None:
        """Write this rank's part of weights and optimizer through the writer."""
        self._engine.checkpoint_engine = CheckpointFiles(writer)
        self._engine.save_checkpoint(str(writer.directory), tag=TAG, save_latest=False)

    def load(self, directory: Path) -> None:
        """Load a checkpoint that verified; right after the engine was made (ZeRO-3 wants it pristine)."""
        self._engine.checkpoint_engine = CheckpointFiles(None)
        self._engine.load_checkpoint(str(directory), tag=TAG)

    def weights(self) -> dict[str, Tensor]:
        """Return all weights whole, in float32 on the CPU, on rank 0; an empty dict elsewhere."""
        masters = _unfused_masters(self._engine.optimizer)
        whole: dict[Tensor, Tensor] = {}
        for parameter in self.module.parameters():
            master = masters.get(parameter)
            full = master if master is not None else safe_get_full_fp32_param(parameter)
            whole[parameter] = parameter if full is None else full
        if not self._world.is_root:
            return {}
        # A parameter under two names (tied weights) is found under both.
        named = self.module.named_parameters(remove_duplicate=False)
        found = {name: whole[parameter].detach().float() for name, parameter in named}
        persistent = self.module.state_dict().keys()
        found |= {name: each for name, each in self.module.named_buffers() if name in persistent}
        return {name: each.detach().cpu().clone() for name, each in found.items()}

    def memory_gb(self) -> float:
        """Return the most this rank held on its GPU, or its resident memory on a CPU, in GB."""
        if _on_gpu():
            return float(torch.cuda.max_memory_allocated()) / 1e9
        return float(psutil.Process().memory_info().rss) / 1e9


class Laps:
    """Seconds that the device spent in some blocks; on a GPU by events, without waiting for it."""

    def __init__(self, device: torch.device) -> None:
        """Take the device whose time counts."""
        self._gpu = device.type == "cuda"
        self._marks: list[Any] = []

    def __enter__(self) -> None:
        """Begin a block."""
        self._mark()

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._mark()

    def _mark(self) -> None:
        if not self._gpu:
            self._marks.append(time.perf_counter())
            return
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        self._marks.append(event)

    def seconds(self) -> float:
        """Return the sum; the device must have done all blocks."""
        pairs = zip(self._marks[::2], self._marks[1::2], strict=True)
        if self._gpu:
            return float(sum(begin.elapsed_time(end) for begin, end in pairs)) / 1e3
        return float(sum(end - begin for begin, end in pairs))


@contextmanager
def open_engine(module: nn.Module, job: TrainJob, run: RunDir, world: World) -> Iterator[Engine]:
    """Give an engine; DeepSpeed's own words go to this rank's log only."""
    quiet_deepspeed()
    without_shared_memory_op()
    set_threads(world)
    with private_copy(needed=job.parallel.offload_optimizer):
        with time_limit(float(os.environ.get("FORGIA_INIT_S", _INIT_LIMIT_S))):
            engine = Engine(module, job, run, world)
        yield engine


def quiet_deepspeed() -> None:
    """Let DeepSpeed say warnings only, and torch nothing about the names DeepSpeed calls it by."""
    logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", category=FutureWarning, module="torch.distributed")


def set_threads(world: World) -> None:
    """Share the CPUs of the node among its ranks, unless OMP_NUM_THREADS says otherwise."""
    if "OMP_NUM_THREADS" not in os.environ:
        cpus = len(os.sched_getaffinity(0))
        torch.set_num_threads(max(1, cpus // world.place.local_size))


def _unfused_masters(optimizer: Any) -> dict[Tensor, Tensor]:
    """Return the float32 masters that DeepSpeed keeps where it uses bf16 without ZeRO; it names no other way."""
    halves = getattr(optimizer, "fp16_groups", None) if hasattr(optimizer, "fp32_groups") else None
    if halves is None:
        return {}
    pairs = zip(chain(*halves), chain(*optimizer.fp32_groups), strict=True)
    return dict(pairs)


def _on_gpu() -> bool:
    return os.environ.get("DS_ACCELERATOR") != "cpu" and bool(torch.cuda.is_available())


def _as_float(value: Any) -> float | None:
    return None if value is None else float(value)
