"""The training loop."""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from forgia_hpc.data.access.usage import FILE as USAGE
from forgia_hpc.data.access.usage import Use, read_usage
from forgia_hpc.data.sampler import Sampler
from forgia_hpc.errors import ForgiaError, InputError, Problem, StoppedError
from forgia_hpc.rundir import RunDir, json_text
from forgia_hpc.runtime.checkpoint import Checkpoint, Checkpoints
from forgia_hpc.runtime.engine import Engine, Outcome
from forgia_hpc.runtime.heartbeat import Heartbeat
from forgia_hpc.runtime.stop import StopFlag
from forgia_hpc.runtime.world import World
from forgia_hpc.runtime.writer import Writer
from forgia_hpc.schema.job import TrainJob
from forgia_hpc.train.batches import Batches, StepBatch
from forgia_hpc.train.chance import load_chance, save_chance, seed_all
from forgia_hpc.train.schedule import learning_rate
from forgia_hpc.train.watch import Ledger, SkippedWatch, Totals


@dataclass
class Training:
    """Everything a step needs, and how far it is."""

    job: TrainJob
    run: RunDir
    world: World
    stop: StopFlag
    engine: Engine
    batches: Batches
    checkpoints: Checkpoints
    ledger: Ledger
    heart: Heartbeat
    dataset: str  # name@version of what is learnt from
    sampler: Sampler  # the order of the data
    use: Use  # which shards the model has learnt from
    made_with: Mapping[str, Any]  # what the model was built with beside its options
    ends: datetime.datetime | None = None  # from then on the data may not be read any more
    step: int = 0  # optimizer steps done
    loss: float | None = None
    resumed_from: int | None = None
    _over: bool = False  # the data may not be read any more

    def steps(self) -> None:
        """Train until the last step, or save and leave when asked to stop.

        Raises:
            StoppedError: asked to stop; everything is saved.
            InputError: the grant has ended; everything is saved.
            JobFailedError: steps that teach nothing, or a checkpoint that could not be written.
        """
        train, skipped = self.job.train, SkippedWatch(self.job.train.max_skipped)
        self.ledger.start()
        while self.step < train.steps:
            step = self.step + 1
            self.heart.stamp(step, "data")
            batch = self.batches.take(step, train.steps)
            rate = learning_rate(step, train.steps, self.job.optimizer)
            outcome = self._compute(batch, step, rate)
            totals, stopping = self._agree(outcome, batch)
            skipped.see(step, outcome, totals.loss)
            self.step, self.loss = step, totals.loss
            self.use.note(batch.chosen)
            if stopping or step % train.checkpoint_every == 0 or step == train.steps:
                self._save()
            self.ledger.row(
                step,
                last=stopping or step == train.steps,
                of=train.steps,
                loss=totals.loss,
                learning_rate=rate,
                grad_norm=outcome.grad_norm,
                memory_gb=self.engine.memory_gb(),
                skipped=skipped.total,
            )
            if stopping and step < train.steps:
                raise self._leaving(step)

    def resume(self) -> None:
        """Go back to the newest whole checkpoint of this run, if there is one.

        Raises:
            InputError: it was written by another number of ranks, or in another order of the data.
        """
        self.heart.beat(0, "resume")
        newest = self.checkpoints.newest()
        self.leave_if_asked()
        if newest is None:
            seed_all(self.job.seed, rank=self.world.rank)
            return
        if newest.world_size != self.world.size and self.job.parallel.zero_stage > 0:
            raise _other_world(newest, self.world.size)
        self.sampler.from_cursor(bytes.fromhex(newest.facts["order"]["cursor"]))
        self.engine.load(newest.directory)
        self.use.go_on(read_usage(newest.directory))
        if newest.world_size == self.world.size:
            load_chance(newest.directory, self.world.rank)
        else:
            seed_all(self.job.seed, newest.step, self.world.rank)
        self.step = self.resumed_from = newest.step
        self.loss = newest.facts["loss"]
        if self.world.is_root:
            self.run.event("resumed", step=newest.step, written_by_ranks=newest.world_size)

    def leave_if_asked(self) -> None:
        """Leave before anything was computed that is worth saving; all ranks together.

        Raises:
            StoppedError: somebody asked to stop.
        """
        if self.world.any(self.stop.requested):
            raise StoppedError(f"stopped before step {self.step + 1}; nothing was lost")

    def _compute(self, batch: StepBatch, step: int, rate: float) -> Outcome:
        stamp = partial(self.heart.stamp, step)
        stamp("forward")
        outcome = self.engine.step(batch.micro, batch.weights, rate, stamp)
        stamp("agree")
        self.heart.own(batch.waited_s + outcome.own_s)
        return outcome

    def _agree(self, outcome: Outcome, batch: StepBatch) -> tuple[Totals, bool]:
        """Add up one step over all ranks; the wish to stop travels along, so agreeing costs one message."""
        wishes = [float(self.stop.requested), float(self._ended())]
        loss, values, windows, *wishes = self.world.sum(
            [outcome.loss, batch.values, batch.windows, *wishes]
        )
        totals = Totals(float(loss) / self.world.size, float(values), float(windows))
        self.ledger.count(totals, batch.waited_s, outcome.seconds)
        self._over = bool(wishes[1])
        return totals, any(wishes)

    def _ended(self) -> bool:
        return self.ends is not None and datetime.datetime.now(datetime.UTC) >= self.ends

    def _leaving(self, step: int) -> ForgiaError:
        """Return why it leaves after a step that is saved."""
        done = f"step {step} of {self.job.train.steps}; it is saved"
        if not self._over:
            return StoppedError(f"stopped after {done}")
        ended = self.ends.isoformat() if self.ends else ""
        limit = f"the data may not be read any more, left after {done}"
        fix = "submit again without what has ended (forgia data plan)"
        return InputError(Problem(field="grant.expires", got=ended, limit=limit, fix=fix))

    def _save(self) -> None:
        if self.step == self.resumed_from:
            return
        started = time.perf_counter()
        self.heart.beat(self.step, "save")
        facts = {
            "loss": self.loss if self.loss is not None and math.isfinite(self.loss) else None,
            "seed": self.job.seed,
            "dataset": self.dataset,
            "zero_stage": self.job.parallel.zero_stage,
            "precision": self.job.parallel.precision.value,
            "order": self.sampler.state(self.step),
        }
        use = self.use.document(self.step, self.world)
        self.checkpoints.save(self.step, facts, partial(self._write, use))
        self.ledger.save_s += time.perf_counter() - started
        if self.world.is_root:
            seconds = round(time.perf_counter() - started, 3)
            self.run.event("checkpoint_saved", step=self.step, seconds=seconds)

    def _write(self, use: dict[str, Any], writer: Writer) -> None:
        if self.world.is_root:
            with writer.file(writer.directory / USAGE) as opened:
                opened.write(json_text(use).encode())
        save_chance(writer, self.world.rank)
        self.engine.save(writer)


def _other_world(newest: Checkpoint, size: int) -> InputError:
    return InputError(
        Problem(
            field="resources (world size)",
            got=size,
            limit=f"checkpoint {newest.step} was written by {newest.world_size} ranks under ZeRO",
            where=str(newest.directory),
            fix=f"resume with {newest.world_size} ranks",
        )
    )
