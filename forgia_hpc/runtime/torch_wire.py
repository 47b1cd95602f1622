"""The wire over torch.distributed: gloo between CPUs, and NCCL beside it where there are GPUs."""

from __future__ import annotations

import json
import os
import time
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from forgia_hpc.errors import JobFailedError
from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime import rendezvous
from forgia_hpc.runtime.place import Place


class TorchWire:
    """Flags and JSON go over gloo even where gradients go over NCCL, so agreeing never waits for a GPU."""

    communicator: Any = None

    def __init__(self, place: Place, run: RunDir) -> None:
        """Meet the other ranks and make the process group that DeepSpeed will find."""
        self._place = place
        join_group(place, run)

    def sum(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the element-wise sum over all ranks."""
        total = torch.from_numpy(np.ascontiguousarray(values).copy())
        dist.all_reduce(total)
        summed: NDArray[np.float64] = total.numpy()
        return summed

    def share(self, text: str) -> str:
        """Return rank 0's text."""
        content = np.frombuffer(text.encode(), dtype=np.uint8)
        length = int(self.sum(np.array([float(content.size if self._place.rank == 0 else 0)]))[0])
        tensor = torch.zeros(length, dtype=torch.uint8)
        if self._place.rank == 0:
            tensor.numpy()[:] = content
        dist.broadcast(tensor, src=0)
        return bytes(tensor.numpy()).decode()

    def collect(self, text: str) -> list[str]:
        """Return every rank's text."""
        content = np.frombuffer(text.encode(), dtype=np.uint8)
        own = np.zeros(self._place.size)
        own[self._place.rank] = content.size
        lengths = [int(length) for length in self.sum(own)]
        padded = torch.zeros(max(lengths), dtype=torch.uint8)
        padded.numpy()[: content.size] = content
        found = [torch.empty_like(padded) for _ in lengths]
        dist.all_gather(found, padded)
        return [
            bytes(tensor.numpy()[:length]).decode()
            for tensor, length in zip(found, lengths, strict=True)
        ]

    def close(self) -> None:
        """Wait for all, then part: rank 0 holds the store that the others need until the end."""
        self.sum(np.zeros(1))
        dist.destroy_process_group()


def join_group(place: Place, run: RunDir) -> None:
    """Meet the other ranks and make the default process group, unless it is there."""
    if dist.is_initialized():
        return
    store = _meet(place, run)
    device = _own_device(place)
    dist.init_process_group(
        backend="gloo" if device is None else "cpu:gloo,cuda:nccl",
        store=dist.PrefixStore("group", store),
        rank=place.rank,
        world_size=place.size,
        timeout=rendezvous.group_timeout(),
        device_id=device,
    )


def _meet(place: Place, run: RunDir) -> Any:
    """Return the store of rank 0 after every rank has come."""
    bound = None
    if place.rank == 0:
        meeting, bound = rendezvous.publish(run, place)
    else:
        meeting = rendezvous.wait_for(run, place)
    _set_variables(place, meeting)
    try:
        store = dist.TCPStore(
            meeting.address,
            meeting.port,
            place.size,
            is_master=bound is not None,
            timeout=timedelta(seconds=rendezvous.limit_s()),
            wait_for_workers=False,
            master_listen_fd=bound.detach() if bound else None,
        )
        _roll_call(store, place)
    except dist.DistError as error:
        raise JobFailedError(
            f"rank {place.rank} on {place.node}: no answer from rank 0 at {meeting.address}:"
            f"{meeting.port} in {rendezvous.limit_s():g} s; it died, or no route leads there"
        ) from error
    return store


def _set_variables(place: Place, meeting: rendezvous.Meeting) -> None:
    """Tell DeepSpeed and NCCL who and where we are.

    DeepSpeed alone would take the first address of `hostname -I` and port 29500; gloo would resolve the host's
    name, which need not resolve.
    """
    os.environ.update(
        RANK=str(place.rank),
        WORLD_SIZE=str(place.size),
        LOCAL_RANK=str(place.local_rank),
        MASTER_ADDR=meeting.address,
        MASTER_PORT=str(meeting.port),
    )
    interface = rendezvous.interface_towards(meeting.address)
    if interface:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)


def _roll_call(store: Any, place: Place) -> None:
    """Wait until every rank has come; say on every rank which one never did."""
    store.set(f"here/{place.rank}", place.node)
    if place.rank == 0:
        missing = _missing_after(store, place.size, time.monotonic() + rendezvous.limit_s())
        store.set("missing", json.dumps(missing))
    else:
        # Rank 0 may have begun to wait later than we did.
        store.wait(["missing"], timedelta(seconds=2 * rendezvous.limit_s()))
        missing = json.loads(store.get("missing"))
    if missing:
        ranks = ", ".join(str(rank) for rank in missing)
        raise JobFailedError(
            f"rank {ranks} of {place.size} never came within {rendezvous.limit_s():g} s; see its log "
            "and its node's"
        )


def _missing_after(store: Any, size: int, deadline: float) -> list[int]:
    missing = list(range(size))
    while True:
        missing = [rank for rank in missing if not store.check([f"here/{rank}"])]
        if not missing or time.monotonic() > deadline:
            return missing
        time.sleep(0.05)


def _own_device(place: Place) -> Any:
    """Return this rank's GPU, made current, or None on the CPU."""
    if os.environ.get("DS_ACCELERATOR") == "cpu" or not torch.cuda.is_available():
        return None
    # Slurm may show each rank one GPU only; then every rank's GPU is number 0.
    index = place.local_rank % torch.cuda.device_count()
    os.environ["LOCAL_RANK"] = str(index)
    torch.cuda.set_device(index)
    return torch.device("cuda", index)
