"""How much memory an ingest takes, against the size of its CSV: a fresh process each.

    python benchmarks/data/ingest_memory.py [--megabytes 100 400 1600] [--json FILE]

*Own* is the peak of anonymous memory (RssAnon, read 100 times a second); *resident* is the peak of all pages,
with those of mapped files, which the kernel takes back when somebody needs them.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from ingest import CARD, CHANNELS, NAME, recipe_of

from forgia_hpc.data.card import card_from
from forgia_hpc.data.ingest.load import recipe_from
from forgia_hpc.data.ingest.sealing import seal_contribution

ROWS = 50_000


def write_csv(path: Path, megabytes: int) -> None:
    """Write a CSV whose cells repeat every 50,000 rows; its times do not."""
    rng = np.random.default_rng(0)
    cells = [np.char.mod("%.2f", rng.normal(50, 9, ROWS)) for _ in range(CHANNELS)]
    tails = list(map(",".join, zip(*cells, strict=True)))
    first = np.datetime64("2025-01-01T00:00:00")
    with path.open("w") as file:
        file.write("time," + ",".join(f"c{n}" for n in range(CHANNELS)) + "\n")
        while file.tell() < megabytes * 10**6:
            stamps = np.datetime_as_string(first + np.arange(ROWS)).tolist()
            lines = (f"{stamp},{tail}\n" for stamp, tail in zip(stamps, tails, strict=True))
            file.write("".join(lines))
            first += ROWS


def own_memory() -> int:
    """Return the bytes of anonymous memory of this process (proc(5))."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise LookupError("RssAnon")


def measured(folder: Path) -> dict[str, Any]:
    """Ingest the file of a folder in this process and return what it took."""
    path = folder / NAME / "data.csv"
    recipe, card = recipe_from(recipe_of(path), "benchmark"), card_from(CARD, where="benchmark")
    before, peak, done = own_memory(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            peak[0] = max(peak[0], own_memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    cpu = time.process_time()
    seal_contribution(card, recipe, folder, folder / "sealed")
    cpu = time.process_time() - cpu
    done.set()
    watcher.join()
    return {
        "csv_mb": round(path.stat().st_size / 1e6, 1),
        "own_mb": round((peak[0] - before) / 1e6),
        "resident_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
        "before_mb": round(before / 1e6),
        "mb_per_cpu_s": round(path.stat().st_size / 1e6 / cpu, 1),
    }


def main() -> None:
    """Measure and print."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--megabytes", type=int, nargs="+", default=[100, 400, 1600])
    words.add_argument("--json", type=Path)
    words.add_argument("--folder", type=Path, help=argparse.SUPPRESS)  # a process of its own
    given = words.parse_args()
    if given.folder:
        sys.stdout.write(json.dumps(measured(given.folder)))
        return
    found = []
    for megabytes in given.megabytes:
        with tempfile.TemporaryDirectory() as scratch:
            (Path(scratch) / NAME).mkdir()
            write_csv(Path(scratch) / NAME / "data.csv", megabytes)
            command = [sys.executable, __file__, "--folder", scratch]
            found.append(json.loads(subprocess.check_output(command)))
    text = json.dumps(found, indent=1)
    sys.stdout.write(text + "\n")
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
