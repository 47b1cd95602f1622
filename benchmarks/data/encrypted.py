"""How fast windows come out of an encrypted dataset, beside the same one plain, in one process.

    python benchmarks/data/encrypted.py [--values 64] [--batch 32] [--seconds 2] [--json FILE]

Both hold the same values under the same content id, and before timing their batches are compared bit for bit.
Plain leaves are hashed before the timing begins; an encrypted block authenticates each time it is decrypted.
Windows of 64 KiB and 4 KiB of float32, one channel (one stretch) or eight (eight stretches), runs of 1 (full
shuffle) and of 32 neighbours. Decrypted blocks are kept in 8 MiB instead of 64, so that most windows by chance
find none of theirs, as in a dataset of many shards. CPU time, summed over threads: what each costs one core.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
from read_windows import CARD, contribution, machine

from forgia_hpc.data.crypto.encrypting import encrypt
from forgia_hpc.data.crypto.key_file import make_key
from forgia_hpc.data.crypto.sealed_blocks import BlockCache, EncryptedArray
from forgia_hpc.data.crypto.sealed_file import BLOCK_BYTES, SealedFile, encrypt_stream
from forgia_hpc.data.crypto.wraps import Lock, key_id_of
from forgia_hpc.data.layout import Split
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.reading.arrays import Place
from forgia_hpc.data.reading.leaves import Leaves
from forgia_hpc.data.reading.windows import WindowIndex
from forgia_hpc.data.writer import seal
from forgia_hpc.schema.data import Data

PASSES = 5
CACHE = 8 << 20
BLOCKS = (16, 32, 64, 128, 256)  # KiB
Read = Callable[[np.ndarray], object]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--values", type=int, default=64, help="millions of stored numbers")
    parser.add_argument("--batch", type=int, default=32, help="windows a batch")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each way")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    asked = parser.parse_args()
    facts = machine()
    say(json.dumps(facts))
    figures: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        os.environ["FORGIA_KEY"] = str(root / "key.json")
        public = make_key(root / "key.json", "benchmark")
        for storage, scale in (("i16", 0.01), ("f32", None)):
            plain = root / storage / "signals"
            seal(contribution(asked.values * 10**6, 8, scale=scale), CARD, plain)
            begin = time.process_time()
            encrypt(plain, [public], root / f"{storage}-sealed")
            size = sum(path.stat().st_size for path in (plain / "shards").iterdir())
            say(
                f"{storage}: encrypted at {size / (time.process_time() - begin) / 1e9:.2f} GB/CPU-s"
            )
            figures += compared(plain, root / f"{storage}-sealed" / "signals", storage, asked)
        figures += blocks(root, asked.seconds)
    if asked.json:
        asked.json.write_text(json.dumps({**facts, "figures": figures}, indent=1) + "\n")


def compared(
    plain: Path, sealed: Path, storage: str, asked: argparse.Namespace
) -> list[dict[str, object]]:
    """Return windows/CPU-s of both, for each kind of window and run."""
    found = []
    with open_dataset(plain) as one, open_dataset(sealed) as two:
        ring = two.sources[0].access.keyring
        ring.caches[BLOCK_BYTES] = BlockCache(BLOCK_BYTES, CACHE)  # else it holds most of the data
        for kib, channels in ((64, 1), (64, 8), (4, 1)):
            length = kib * 256 // channels
            words = Data(
                context=length - 64, min_context=length - 64, horizon=64, channels=channels
            )
            pair = [each.windows(Split.train, words) for each in (one, two)]
            for run in (1, 32):
                batches = _batches(len(pair[0]), run, asked.batch)
                _same(pair, batches[0])
                speeds = race([reader(index) for index in pair], batches, asked.seconds)
                row = {"storage": storage, "kib": kib, "channels": channels, "run": run}
                found.append({**row, "plain": speeds[0], "encrypted": speeds[1]})
                say(
                    f"  {storage}, {kib:2d} KiB, {channels} channel(s), run {run:2d}: plain "
                    f"{speeds[0]:9,.0f}, encrypted {speeds[1]:9,.0f} windows/CPU-s, "
                    f"ratio {speeds[1] / speeds[0]:.2f}"
                )
    return found


def reader(index: WindowIndex) -> Read:
    """Return what is timed."""
    return lambda windows: index.read(0, windows)


def _same(pair: list[WindowIndex], batch: np.ndarray) -> None:
    one, two = (index.read(0, batch) for index in pair)
    np.testing.assert_array_equal(one.context, two.context)
    np.testing.assert_array_equal(one.target, two.target)


def _batches(count: int, run: int, size: int) -> list[np.ndarray]:
    """Return batches of windows in runs of neighbours."""
    chance = np.random.default_rng(1)
    starts = chance.integers(0, count - run, (200, max(size // run, 1)))
    return [(row[:, None] + np.arange(run)).ravel()[:size] for row in starts]


def race(reads: list[Read], batches: list[np.ndarray], seconds: float) -> list[float]:
    """Return the best pass of each in windows/CPU-s; passes alternate, so that noise hits all."""
    best = [0.0] * len(reads)
    for _ in range(PASSES):
        for at, read in enumerate(reads):
            begin, done = time.process_time(), 0
            while (spent := time.process_time() - begin) < seconds / PASSES:
                read(batches[done % len(batches)])
                done += 1
            best[at] = max(best[at], done * len(batches[0]) / spent)
    return best


def blocks(root: Path, seconds: float) -> list[dict[str, object]]:
    """Compare sizes of blocks: rows of 2 KiB and 32 KiB stored, by chance and in runs of 32."""
    plain = np.random.default_rng(2).integers(0, 1 << 15, 64 << 19, np.int16)
    found: list[dict[str, object]] = []
    for kib in BLOCKS:
        array = _array(root / f"{kib}.h5e", plain, kib << 10)
        for length, run in ((1024, 1), (1024, 32), (16384, 1), (16384, 32)):
            batches = _batches(len(plain) - length - 32, run, 32)

            (speed,) = race([partial(array.read, length=length)], batches, seconds / 4)
            found.append({"block_kib": kib, "row_bytes": 2 * length, "run": run, "rows": speed})
            say(
                f"  blocks of {kib:3d} KiB, rows of {2 * length >> 10:2d} KiB, run {run:2d}: {speed:9,.0f}/CPU-s"
            )
    return found


def _array(path: Path, plain: np.ndarray, block: int) -> EncryptedArray:
    key = secrets.token_bytes(32)
    lock = Lock(path.parent, path.name, key_id_of(key), "00" * 32, "")
    encrypt_stream(BytesIO(plain.tobytes()), plain.nbytes, path, key, lock, block_bytes=block)
    place = Place(
        path=path,
        file_bytes=path.stat().st_size,
        storage="i16",
        dtype=plain.dtype,
        count=len(plain),
        offset=0,
        leaves=Leaves(name=str(path), digests=np.zeros((0, 32), np.uint8), itemsize=2),
    )
    return EncryptedArray(SealedFile(path, lock, key), place, BlockCache(block, CACHE))


def say(line: str) -> None:
    """Print: a benchmark is its own CLI."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
