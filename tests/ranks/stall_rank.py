"""One rank of a small loop with the phases of a training, and a way to get stuck: RUN SCENARIO."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.heartbeat import Heartbeat
from forgia_hpc.runtime.world import open_world

FAULT_STEP = 20
CULPRIT = 1
STEP_S = 0.05
SAVE_S = 8  # longer than the watch's limit


def main() -> None:
    run, scenario = RunDir(Path(sys.argv[1])), sys.argv[2]
    steps = 60 if scenario == "healthy" else 100_000
    with open_world(run) as world, Heartbeat(run, 0, world.rank, node="here", every_s=0.2) as heart:
        heart.beat(0, "build model")
        world.barrier()
        for step in range(1, steps + 1):
            faulty = world.rank == CULPRIT and step >= FAULT_STEP
            heart.stamp(step, "data")
            if faulty and scenario == "fifo":
                (run.path / "fifo").read_bytes()
            began = time.perf_counter()
            heart.stamp(step, "forward")
            time.sleep(STEP_S * (3 if faulty and scenario == "slow" else 1))
            heart.own(time.perf_counter() - began)
            heart.stamp(step, "backward")
            if (
                faulty and scenario == "skip"
            ):  # the others wait for it there, and it waits for them here
                heart.stamp(step, "agree")
                torch.distributed.recv(torch.zeros(1), src=0)
            world.sum([1.0])
            heart.stamp(step, "agree")
            world.sum([1.0, 2.0])
            if scenario == "healthy" and step % 30 == 0:
                heart.beat(step, "save")
                time.sleep(SAVE_S if world.is_root else 0)
                world.barrier()


if __name__ == "__main__":
    main()
