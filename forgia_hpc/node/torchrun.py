"""This node's torch.distributed.run: `python -m forgia_hpc.node.torchrun RUN ADDRESS:PORT`.

The number of the node stands in the step's environment, so the command is made on the node. Torch's own
rendezvous would have to recognise its host by name or address, and it knows only the host name's.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from forgia_hpc.rundir import RunDir, read_json


def argv(run: RunDir, meeting: str) -> list[str]:
    """Return the command of this node."""
    resources = read_json(run.manifest)["start"]["resources"]
    address, _, port = meeting.rpartition(":")
    return [
        sys.executable,
        "-m",
        "torch.distributed.run",
        f"--nnodes={resources['nodes']}",
        f"--node-rank={os.environ.get('SLURM_NODEID', '0')}",
        f"--nproc-per-node={resources['ranks_per_node']}",
        f"--master-addr={address}",
        f"--master-port={port}",
        "--module",
        "forgia_hpc.node.entry",
        str(run.path),
    ]


if __name__ == "__main__":
    command = argv(RunDir(Path(sys.argv[1])), sys.argv[2])
    os.execv(command[0], command)
