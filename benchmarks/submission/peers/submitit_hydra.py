"""The same submission as a careful user of plain Hydra and submitit writes it: compose, then one pickled function.

    python submitit_hydra.py --config-dir DIR --config-name config +folder=DIR train.steps=7

It seals nothing, checks nothing and notes nothing.
"""

from __future__ import annotations

import sys

import hydra
import submitit
from omegaconf import DictConfig, OmegaConf


def work(config: dict) -> int:
    """Stand for the training."""
    return len(config)


@hydra.main(version_base="1.3", config_path=None)
def main(config: DictConfig) -> None:
    """Submit one job and say its id."""
    resources = config.resources
    executor = submitit.AutoExecutor(folder=config.folder, cluster="slurm")
    executor.update_parameters(
        slurm_partition=resources.partition,
        nodes=resources.nodes,
        tasks_per_node=resources.ranks_per_node,
        cpus_per_task=resources.cpus_per_rank,
        mem_gb=resources.mem_gb,
        timeout_min=30,
    )
    job = executor.submit(work, OmegaConf.to_container(config, resolve=True))
    sys.stdout.write(f"{job.job_id}\n")


if __name__ == "__main__":
    main()
