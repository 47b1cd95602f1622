"""This node's torch.distributed.run: `python -m forgia_hpc.node.torchrun RUN`.

The number of the node stands in the step's environment, so the command is made on the node. The launchers meet as
the ranks do, through a file of the run: torch's own rendezvous would have to recognise its host by name or
address, and it knows only the host name's.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.runtime.place import Place
from forgia_hpc.runtime.rendezvous import Meeting, publish, wait_for


def meet(run: RunDir, nodes: int) -> Meeting:
    """Return where the first node's launcher will listen; its port is free until a moment before.

    Raises:
        JobFailedError: the first node published nothing in time.
    """
    place = Place(
        rank=int(os.environ.get("SLURM_NODEID", "0")) if nodes > 1 else 0,
        size=nodes,
        node=os.environ.get("SLURMD_NODENAME") or socket.gethostname(),
        launch=os.environ["FORGIA_LAUNCH"],
    )
    if place.rank:
        return wait_for(run, place, "launchers-")
    meeting, bound = publish(run, place, "launchers-")
    bound.close()
    return meeting


def argv(run: RunDir) -> list[str]:
    """Return the command of this node."""
    resources = read_json(run.manifest)["start"]["resources"]
    nodes = resources["nodes"]
    meeting = meet(run, nodes)
    return [
        sys.executable,
        "-m",
        "torch.distributed.run",
        f"--nnodes={nodes}",
        f"--node-rank={os.environ.get('SLURM_NODEID', '0') if nodes > 1 else '0'}",
        f"--nproc-per-node={resources['ranks_per_node']}",
        f"--master-addr={meeting.address}",
        f"--master-port={meeting.port}",
        "--module",
        "forgia_hpc.node.entry",
        str(run.path),
    ]


if __name__ == "__main__":
    command = argv(RunDir(Path(sys.argv[1])))
    os.execv(command[0], command)
