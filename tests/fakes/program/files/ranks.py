"""An MPI program: every rank has its part in the field; @hot@ @cold@."""

from pathlib import Path

from mpi4py import MPI

world = MPI.COMM_WORLD
ranks = world.gather(world.rank)
if world.rank == 0:
    Path("ranks").write_text(f"{ranks}")
    Path("field.txt").write_text("1 4 " + " ".join(["@cold@"] * 4))
