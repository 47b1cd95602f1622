"""What admission, a grant, a checkpoint's ledger and a withdrawal cost with ten thousand shards.

    python benchmarks/data/grant_many.py [--shards 10000] [--plain] [--json FILE]

One contribution under two policies, its shards of 25 kB each; a user with a key, so grants and ledgers are signed.
Plain, then encrypted under as many data keys. Wall time, best of several tries in one process with the page cache
warm; what can be done only once (encrypting, withdrawing) is timed once.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from open_many import STEPS, make

from forgia_hpc.data.access.grant import read_grant
from forgia_hpc.data.access.granting import make_grant
from forgia_hpc.data.access.usage import Use, read_usage, signer_of_use
from forgia_hpc.data.access.withdraw import withdraw
from forgia_hpc.data.access.withdraw_plan import plan_withdrawal
from forgia_hpc.data.card import card_from, dump_card
from forgia_hpc.data.crypto.decrypting import decrypt
from forgia_hpc.data.crypto.encrypting import encrypt
from forgia_hpc.data.crypto.key_file import load_key, make_key
from forgia_hpc.data.crypto.people import wrap_again
from forgia_hpc.data.crypto.public_key import PublicKey
from forgia_hpc.data.crypto.signatures import sign, verify
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.writing.policies import write_policies
from forgia_hpc.digest import canonical_json
from forgia_hpc.rundir import json_text, read_json
from forgia_hpc.schema.data import Data

TRIES = 3
DATA = Data(dataset="many", context=512, min_context=512, horizon=64, channels=1)
CARD = {
    "format": "forgia.card/1",
    "name": "many",
    "title": "Many shards",
    "contributor": "benchmark",
    "description": "Zeros.",
    "licence": "CC0-1.0",
    "source": "benchmarks/data/grant_many.py",
    "policies": {"shared": {"purposes": ["train"]}, "both": {"purposes": ["train", "evaluate"]}},
}


def sealed(directory: Path, shards: int) -> None:
    """Write a dataset of sparse shards that is sound, under two policies."""
    make(directory, shards)
    card = card_from(CARD, where="")
    (directory / "card.yaml").write_text(dump_card(card))
    names = ["shared" if number % 2 else "both" for number in range(shards)]
    policies, digests = write_policies(card, names, directory)
    content = json.loads((directory / "manifest.json").read_bytes())
    zeros = hashlib.sha256(bytes(4096 + 2 * STEPS)).hexdigest()
    content["shards"] = [
        {**one, "sha256": zeros, "policy": digest}
        for one, digest in zip(content["shards"], digests, strict=True)
    ]
    data = (directory / "card.yaml").read_bytes()
    entry = {"path": "card.yaml", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    content["files"] = [content["files"][0], entry, *policies]
    (directory / "manifest.json").write_bytes(canonical_json(content))


class Alone:
    """One rank."""

    def sum(self, values: Any) -> Any:
        """Return them as they are."""
        return np.asarray(values, np.float64)


class Told:
    """Collects and prints figures."""

    def __init__(self) -> None:
        """Begin with none."""
        self.figures: dict[str, float] = {}

    def best(self, what: str, do: Callable[[], Any], tries: int = TRIES) -> Any:
        """Time something, the best of some tries; return its last result."""
        passed = []
        for _ in range(tries):
            begin = time.perf_counter()
            found = do()
            passed.append(time.perf_counter() - begin)
        self.say(f"{what}, ms", round(min(passed) * 1e3, 1))
        return found

    def say(self, what: str, value: float) -> None:
        """Note a figure."""
        self.figures[what] = value
        sys.stdout.write(f"{what}: {value:,}\n")
        sys.stdout.flush()


def granted(root: Path, word: str, told: Told) -> None:
    """Time everything about a grant of `root/many`, and the ledger of a training."""
    place = root / "many"
    told.best(f"{word}: load the manifest", lambda: load_manifest(place))
    manifest = load_manifest(place)
    grant = told.best(f"{word}: judge, and make the grant", lambda: make_grant(manifest, DATA))
    path = root / "grant.json"
    path.write_text(json_text(grant))
    told.say(f"{word}: grant.json, MB", round(path.stat().st_size / 1e6, 2))
    grant = told.best(f"{word}: parse the grant", lambda: read_json(path))
    told.best(f"{word}: compare it (read_grant)", lambda: read_grant(grant))
    told.best(f"{word}: open what it lists", lambda: opened(grant), 1)
    with open_dataset(grant) as dataset:
        windows = dataset.windows(Split.train, DATA)
        paths = [one.path for one in dataset.source("many").manifest.shards]
        use = Use(windows, [paths], 36.0, grant)
        use.note(np.stack([np.zeros(50_000, np.int64), np.arange(50_000) * 1999], 1))
        ledger = told.best(f"{word}: a checkpoint's ledger", lambda: use.document(1, Alone()))
    (root / "usage.json").write_text(json_text(ledger))
    told.say(f"{word}: usage.json, MB", round((root / "usage.json").stat().st_size / 1e6, 2))
    told.best(f"{word}: read and verify it", lambda: signer_of_use(read_usage(root)))
    sign(manifest, load_key())
    told.best(f"{word}: verify its contributor's signature", lambda: verify(manifest))


def opened(grant: dict[str, Any]) -> None:
    """Open what a grant lists and close it."""
    with open_dataset(grant):
        pass


def withdrawn(root: Path, word: str, told: Told) -> None:
    """Time taking back one shard, then all."""
    place, user = root / "many", load_key()
    first = load_manifest(place).shards[0].path
    planned = told.best(f"{word}: plan a withdrawal", lambda: plan_withdrawal(place, [first]))
    told.best(f"{word}: withdraw one shard", lambda: withdraw(planned, user), 1)
    whole = plan_withdrawal(place)
    told.best(f"{word}: withdraw all of it", lambda: withdraw(whole, user), 1)


def encrypted(root: Path, to: PublicKey, told: Told) -> None:
    """Time what only an encrypted dataset has."""
    secret = root / "encrypted"
    plain = root / "plain" / "many"
    told.best("encrypt", lambda: encrypt(plain, [to], secret), 1)
    told.best("wrap all keys again", lambda: wrap_again(secret / "many", [to]), 1)
    granted(secret, "encrypted", told)
    told.best("decrypt", lambda: decrypt(secret / "many", root / "again"), 1)
    shutil.rmtree(root / "again")
    withdrawn(secret, "encrypted", told)


def main() -> None:
    """Make the datasets, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--shards", type=int, default=10_000)
    parser.add_argument("--plain", action="store_true", help="not the encrypted one")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    asked = parser.parse_args()
    told = Told()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        os.environ["FORGIA_KEY"] = str(root / "key.json")
        os.environ["XDG_CONFIG_HOME"] = str(root / "config")
        to = make_key(root / "key.json", "benchmark")
        sealed(root / "plain" / "many", asked.shards)
        granted(root / "plain", "plain", told)
        if not asked.plain:
            encrypted(root, to, told)
        withdrawn(root / "plain", "plain", told)
    if asked.json:
        facts = {"shards": asked.shards, "load_average": os.getloadavg(), "figures": told.figures}
        asked.json.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
