"""DeepSpeed's configuration and the optimizer, from the job's own words."""

from __future__ import annotations

from typing import Any

import torch
from deepspeed.ops.adam import DeepSpeedCPUAdam
from torch import nn

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.job import TrainJob
from forgia_hpc.schema.training import Precision

_BUCKET = 200_000_000  # elements; DeepSpeed's own half billion allocates gigabytes for any model


def micro_batch(job: TrainJob, world_size: int) -> int:
    """Return windows a rank and forward pass.

    Raises:
        InputError: the global batch does not divide into ranks and micro-batches.
    """
    share, rest = divmod(job.train.global_batch, world_size)
    micro = job.train.micro_batch or share
    problems = []
    if rest or not share:
        problems.append(
            Problem(
                field="train.global_batch",
                got=job.train.global_batch,
                limit=f"a multiple of {world_size} ranks",
                where="nodes x ranks_per_node",
                fix=f"try {max(1, round(job.train.global_batch / world_size)) * world_size}",
            )
        )
    elif share % micro:
        problems.append(
            Problem(
                field="train.micro_batch",
                got=micro,
                limit=f"a divisor of the {share} windows of a rank",
                where="train.global_batch / ranks",
            )
        )
    if problems:
        raise InputError(problems)
    return micro


def deepspeed_config(job: TrainJob, world_size: int, parameters: int) -> dict[str, Any]:
    """Return DeepSpeed's configuration for a job."""
    micro = micro_batch(job, world_size)
    bucket = min(_BUCKET, max(parameters, 100_000))
    bucket += bucket % 2  # ZeRO-1 and 2 refuse an odd one: their alignment is 2 (DeepSpeed 0.19.8)
    zero: dict[str, Any] = {
        "stage": job.parallel.zero_stage,
        "reduce_bucket_size": bucket,
        "allgather_bucket_size": bucket,
    }
    if job.parallel.offload_optimizer:
        zero["offload_optimizer"] = {"device": "cpu"}
    return {
        "train_batch_size": job.train.global_batch,
        "train_micro_batch_size_per_gpu": micro,
        "gradient_accumulation_steps": job.train.global_batch // (micro * world_size),
        "gradient_clipping": 0.0 if is_plain(job) else job.optimizer.clip,
        "bf16": {"enabled": job.parallel.precision is Precision.bf16, "check_grad_overflow": True},
        "zero_optimization": zero,
        "steps_per_print": 10**12,
    }


def is_plain(job: TrainJob) -> bool:
    """Whether DeepSpeed leaves the optimizer as it is; then clipping and the finite check are ours."""
    return job.parallel.zero_stage == 0 and job.parallel.precision is Precision.fp32


def make_optimizer(module: nn.Module, job: TrainJob) -> Any:
    """Return AdamW; what has one dimension (biases, norms) does not decay."""
    wanted = job.optimizer
    trained = [each for each in module.parameters() if each.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [each for each in trained if each.ndim > 1]},
        {"params": [each for each in trained if each.ndim <= 1], "weight_decay": 0.0},
    ]
    make = DeepSpeedCPUAdam if job.parallel.offload_optimizer else torch.optim.AdamW
    return make(
        [group for group in groups if group["params"]],
        lr=wanted.learning_rate,
        betas=(wanted.beta1, wanted.beta2),
        weight_decay=wanted.weight_decay,
    )
