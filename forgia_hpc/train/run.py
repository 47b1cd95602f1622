"""One train phase: sealed windows → checkpoints → the model that others use."""

from __future__ import annotations

import math
import os
import time
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import nn

from forgia_hpc.data.access.model_card import JSON, MARKDOWN, card_text, model_card
from forgia_hpc.data.access.usage import FILE as USAGE
from forgia_hpc.data.access.usage import Use, use_before
from forgia_hpc.data.layout import FORMAT as TELEMETRY
from forgia_hpc.data.sampler import Sampler
from forgia_hpc.digest import sha256_text
from forgia_hpc.errors import InputError, JobFailedError, Problem
from forgia_hpc.metrics import MetricsFile
from forgia_hpc.models.field_shape import LAYOUT as FIELDS
from forgia_hpc.models.table import build, resolve
from forgia_hpc.rundir import RunDir, json_text, read_json, write_json
from forgia_hpc.runtime import artefact
from forgia_hpc.runtime.checkpoint import Checkpoints
from forgia_hpc.runtime.deepspeed_setup import micro_batch
from forgia_hpc.runtime.engine import open_engine
from forgia_hpc.runtime.heartbeat import Heartbeat
from forgia_hpc.runtime.rendezvous import attempt
from forgia_hpc.runtime.stop import StopFlag
from forgia_hpc.runtime.world import World
from forgia_hpc.schema.job import TrainJob
from forgia_hpc.train.batches import Batches
from forgia_hpc.train.chance import seed_all
from forgia_hpc.train.fields import open_simulations
from forgia_hpc.train.loop import Training
from forgia_hpc.train.material import Material
from forgia_hpc.train.telemetry import open_telemetry
from forgia_hpc.train.watch import TOKEN_STEPS, Ledger

Figures = dict[str, Any]


def train(job: TrainJob, run: RunDir, world: World, stop: StopFlag) -> Figures:
    """Train, or go on training, and leave `output/model`; return the figures of result.json."""
    known = _figures_file(run)
    if world.broadcast(known.exists() if world.is_root else None):
        done: Figures = read_json(known)  # a later phase was interrupted; this one had ended
        return done
    started = time.monotonic()
    with ExitStack() as stack:
        training = _prepare(job, run, world, stop, stack)
        training.steps()
        _check_learnt(training)
        figures = {**_figures(training), "seconds": round(time.monotonic() - started, 3)}
        _export(training)
    if world.is_root:
        write_json(known, figures)
        run.event("trained", **figures)
    world.barrier()
    return figures


def _prepare(
    job: TrainJob, run: RunDir, world: World, stop: StopFlag, stack: ExitStack
) -> Training:
    """Open everything that a training needs, and go back to the newest checkpoint."""
    micro = micro_batch(job, world.size)
    heart = stack.enter_context(Heartbeat(run, attempt(), world.rank, node=world.node))
    heart.beat(0, "open data")
    grant = read_json(run.inputs / "grant.json")
    material = stack.enter_context(open_material(job, grant))
    sampler = Sampler(material.index, job.seed, job.train.global_batch, job.data)
    heart.beat(0, "build model")
    module = _module(job, run, material)
    engine = stack.enter_context(open_engine(module, job, run, world))
    metrics = stack.enter_context(MetricsFile(run.metrics)) if world.is_root else None
    batches = stack.enter_context(Batches(material, sampler, world.rank, world.size, micro))
    training = Training(
        job=job,
        run=run,
        world=world,
        stop=stop,
        engine=engine,
        batches=batches,
        checkpoints=Checkpoints(run, world, job.train.keep, stop.check_wanted),
        ledger=Ledger(metrics, job.train.log_every),
        heart=heart,
        dataset=grant.get("identifier") or material.identifier,
        sampler=sampler,
        use=_use(job, run, material),
        ends=material.ends,
        made_with=material.made_with,
    )
    training.leave_if_asked()
    training.resume()
    return training


def open_material(job: TrainJob, grant: dict[str, Any]) -> AbstractContextManager[Material]:
    """Open what the model's family reads: fields, or telemetry."""
    layout = getattr(resolve(job.model.family), "layout", TELEMETRY)
    return open_simulations(job, grant) if layout == FIELDS else open_telemetry(job, grant)


def _use(job: TrainJob, run: RunDir, material: Material) -> Use:
    """Return the ledger of what is learnt from; what a first model has seen before stays in it."""
    tokens = material.series_numbers / TOKEN_STEPS
    use = Use(material.index, material.shards, tokens, read_json(run.inputs / "grant.json"))
    if job.train.start_from:
        use.before = use_before(_artefact_of(run, job.train.start_from))
    return use


def _module(job: TrainJob, run: RunDir, material: Material) -> nn.Module:
    """Return the model with its first weights: random from the seed, or another run's."""
    seed_all(job.seed)
    module: nn.Module = build(job.model.family, job.model.options, **material.made_with)
    if job.train.start_from:
        _take_weights(module, _artefact_of(run, job.train.start_from))
    return module.train()


def _artefact_of(run: RunDir, source: str) -> Path:
    """Return the model directory of another run: a path, or the name of a run beside ours."""
    path = Path(source) if os.sep in source else run.path.parent / source
    return path if (path / artefact.FACTS).exists() else path / "output" / "model"


def _take_weights(module: nn.Module, directory: Path) -> None:
    """Copy the weights of a saved model.

    Raises:
        InputError: there is none, or its weights have other names or shapes.
    """
    weights = artefact.load(directory).state_dict()
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(
            Problem(
                field="train.start_from",
                got=str(directory),
                limit="its weights must fit the model",
                where="model.family and model.options",
                fix=f"use the same model ({str(error).splitlines()[-1].strip()})",
            )
        ) from error


def _check_learnt(training: Training) -> None:
    """Refuse a model whose last loss is no number: it would be judged and passed on."""
    if training.loss is None or not math.isfinite(training.loss):
        raise JobFailedError(
            f"the loss of step {training.step} is {training.loss}: no model is kept"
        )


def _export(training: Training) -> None:
    """Write the model as others use it."""
    job, heart = training.job, training.heart
    heart.beat(training.step, "export")
    weights = training.engine.weights()
    use = training.use.document(training.step, training.world)
    if training.world.is_root:
        training.run.output.mkdir(exist_ok=True)
        facts = artefact.ModelFacts(
            name=job.model.name,
            family=job.model.family,
            options=dict(job.model.options),
            context=training.made_with["context"],
            horizon=training.made_with["horizon"],
            quantiles=tuple(training.engine.module.quantiles),
            dataset=training.dataset,
            step=training.step,
            seed=job.seed,
            extra={**training.made_with["extra"], "usage_sha256": sha256_text(json_text(use))},
        )
        training.stop.check_wanted()
        artefact.save(training.run.output / "model", weights, facts, _beside(use, facts))
    training.world.barrier()


def _beside(use: dict[str, Any], facts: artefact.ModelFacts) -> dict[str, str]:
    """Return what goes with a model: which data it has seen, and its card."""
    words = ("name", "family", "context", "horizon", "step", "seed")
    card = model_card(use, {word: getattr(facts, word) for word in words})
    return {USAGE: json_text(use), JSON: json_text(card), MARKDOWN: card_text(card)}


def _figures(training: Training) -> Figures:
    ledger, seconds = training.ledger, training.ledger.all_s
    memory = training.world.gather_all(training.engine.memory_gb())
    return {
        "steps": training.step,
        "loss": training.loss,
        "resumed_from": training.resumed_from,
        "parameters": training.engine.parameters,
        "tokens": ledger.tokens,  # tokens and samples of this attempt
        "samples": ledger.samples,
        "tokens_per_s": ledger.tokens / seconds if seconds else None,
        "memory_gb": round(max(memory), 3),
        "dataset": training.dataset,
        "world_size": training.world.size,
        "torch": str(torch.__version__),
    }


def _figures_file(run: RunDir) -> Path:
    return run.output / "train.json"
