"""One MPI rank of the hello: all meet, rank 0 says where they are."""

from __future__ import annotations

import os


def main() -> None:
    """Gather the nodes' names and sum the ranks, as a job would."""
    from mpi4py import MPI  # noqa: PLC0415 - importing it starts MPI

    world = MPI.COMM_WORLD
    total = world.allreduce(world.rank)
    nodes = world.gather(os.uname().nodename)
    if world.rank == 0:
        right = total == world.size * (world.size - 1) // 2
        words = f"{world.size} ranks on {len(set(nodes or []))} node(s), {MPI.Get_library_version().split(',')[0]}"
        os.write(1, f"hello {'right' if right else 'wrong'}: {words}\n".encode())


if __name__ == "__main__":
    main()
