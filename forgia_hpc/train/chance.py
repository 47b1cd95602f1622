"""The random states of one rank: torch, CUDA, numpy and Python. DeepSpeed saves none of them."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch

from forgia_hpc.runtime.writer import Writer


def seed_all(seed: int, step: int = 0, rank: int = 0) -> None:
    """Seed every generator from the job's seed, the step and the rank."""
    digest = hashlib.sha256(f"{seed}/{step}/{rank}".encode()).digest()
    torch.manual_seed(int.from_bytes(digest[:8], "big", signed=True))  # CUDA's generators too
    np.random.seed(int.from_bytes(digest[8:12]))
    random.seed(digest)


def save_chance(writer: Writer, rank: int) -> None:
    """Write this rank's states; as JSON, because what is loaded again must not be a program."""
    legacy: Any = np.random.get_state()
    version, words, gauss = random.getstate()
    content = {
        "torch": bytes(torch.get_rng_state().numpy()).hex(),
        "cuda": [bytes(each.numpy()).hex() for each in torch.cuda.get_rng_state_all()],
        "numpy": [legacy[0], legacy[1].tolist(), *legacy[2:]],
        "python": [version, list(words), gauss],
    }
    with writer.file(_path(writer.directory, rank)) as opened:
        opened.write(json.dumps(content).encode())


def load_chance(directory: Path, rank: int) -> None:
    """Set this rank's states as they were when the checkpoint was written."""
    content = json.loads(_path(directory, rank).read_text(encoding="utf-8"))
    torch.set_rng_state(_tensor(content["torch"]))
    if content["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([_tensor(each) for each in content["cuda"]])
    name, words, *rest = content["numpy"]
    np.random.set_state((name, np.array(words, dtype=np.uint32), *rest))
    version, words, gauss = content["python"]
    random.setstate((version, tuple(words), gauss))


def _path(directory: Path, rank: int) -> Path:
    return directory / f"chance-{rank}.json"


def _tensor(text: str) -> torch.Tensor:
    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)
