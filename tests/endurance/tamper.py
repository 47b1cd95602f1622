"""What a forger without keys may try on a sealed dataset of each layout and profile, plain or encrypted."""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from endurance.shard_flips import everything
from fakes.simulated import field_card, simulated
from fakes.telemetry import card, contribution

from forgia_hpc.data.access.granting import make_grant
from forgia_hpc.data.crypto.encrypting import encrypt
from forgia_hpc.data.crypto.key_file import load_key, make_key
from forgia_hpc.data.crypto.keys import locks_of
from forgia_hpc.data.crypto.public_key import seal_to, to_base64
from forgia_hpc.data.crypto.sealed_file import BLOCK_BYTES, HEADER, TAG
from forgia_hpc.data.crypto.signatures import sign
from forgia_hpc.data.fields.layout import FORMAT as FIELDS
from forgia_hpc.data.fields.reader import open_fields
from forgia_hpc.data.fields.windows import Cutting
from forgia_hpc.data.fields.writer import seal_fields
from forgia_hpc.data.manifest import MANIFEST, load_manifest
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.repack import to_cold
from forgia_hpc.data.validate import check
from forgia_hpc.data.writer import seal
from forgia_hpc.digest import canonical_json
from forgia_hpc.errors import ForgiaError, InputError, SealBrokenError
from forgia_hpc.schema.data import Data

STEPS = 20_000  # of a series: several blocks of 64 KiB a shard
FRAMES = 6  # of a trajectory: all of them
TERMS = {"policy": {"purposes": ["train", "evaluate"]}}
Broken = dict[Path, bytes]


@dataclass
class Target:
    """A sealed dataset, its twin of the same shape, and what is in it when it is whole."""

    word: str  # what it is: plain; encrypted; fields, cold, encrypted; …
    directory: Path
    twin: Path
    files: list[Path] = field(default_factory=list)
    grant: dict[str, Any] = field(default_factory=dict)
    digest: str = ""

    def __post_init__(self) -> None:
        """Read it once."""
        manifest = load_manifest(self.directory)
        self.files = sorted(path for path in self.directory.rglob("*") if path.is_file())
        self.grant = make_grant(manifest, Data(dataset=manifest.name))
        self.layout = manifest.layout
        self.splits = list(dict.fromkeys(entry.split for entry in manifest.shards))
        self.digest = self.values(self.grant)
        self.shards = [self.directory / entry.path for entry in manifest.shards]
        self.records = [lock.record for lock in locks_of(manifest)]
        self.encrypted = bool(self.records)

    def values(self, source: dict[str, Any] | Path) -> str:
        """Return a digest over every value that a reader is given."""
        if self.layout != FIELDS:
            with open_dataset(source) as dataset:
                return everything(dataset)
        digest = hashlib.sha256()
        with open_fields(source) as dataset:
            for split in self.splits:
                windows = dataset.windows(split, Cutting(steps=FRAMES))
                found = windows.gather([(0, number) for number in range(len(windows))])
                for name in ("values", "static", "mask", "times", "parameters", "signals"):
                    digest.update(getattr(found, name).tobytes())
        return digest.hexdigest()

    def twin_of(self, path: Path) -> Path:
        """Return the other dataset's file of the same place."""
        return self.twin / path.relative_to(self.directory)


class Tamper:
    """Trials on telemetry and fields, hot and cold, plain and encrypted, all signed."""

    def __init__(self, scratch: Path, *, steps: int = STEPS) -> None:
        """Make key and datasets."""
        self._before = {name: os.environ.get(name) for name in ("FORGIA_KEY", "XDG_CONFIG_HOME")}
        os.environ["FORGIA_KEY"] = str(scratch / "key.json")
        os.environ["XDG_CONFIG_HOME"] = str(scratch / "config")
        self.public = make_key(scratch / "key.json", "tester")
        for seed, name in enumerate(("mill", "forge")):
            seal(contribution(name, seed, steps=steps), card(name, **TERMS), scratch / "hot" / name)
        for seed, name in enumerate(("quench", "anneal")):
            made = replace(simulated(24, 24, storage="i16", seed=seed), name=name)
            seal_fields(made, field_card(name, **TERMS), scratch / "hot" / name, per_shard=2)
        self.targets: list[Target] = []
        for names, layout in ((("mill", "forge"), ""), (("quench", "anneal"), "fields, ")):
            self._make(scratch, names, layout)

    def _make(self, scratch: Path, names: tuple[str, str], layout: str) -> None:
        """Make every form of a dataset and its twin."""
        hot, cold = scratch / "hot", scratch / "cold"
        for name in names:
            to_cold(hot / name, cold / name, "gzip", lambda *_: None)
        for root, profile in ((hot, ""), (cold, "cold, ")):
            secret = root.with_name(f"{root.name}-encrypted")
            for name in names:
                encrypt(root / name, [self.public], secret)
            for place, word in ((root, "plain"), (secret, "encrypted")):
                for name in names:
                    sign(load_manifest(place / name), load_key())
                    sign(load_manifest(place / name), load_key(), consortium=True)
                told = f"{layout}{profile}{word}"
                self.targets.append(Target(told, place / names[0], place / names[1]))

    def __enter__(self) -> Tamper:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the environment back."""
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def trial(self, chance: random.Random) -> dict[str, Any]:
        """Break something of some dataset."""
        target = chance.choice(self.targets)
        known = kinds_of(target)
        (kind,) = chance.choices(known, [KINDS[one][1] for one in known])
        return self.broken(target, kind, chance)

    def broken(self, target: Target, kind: str, chance: random.Random) -> dict[str, Any]:
        """Break something, ask check and reader, mend it."""
        broken: Broken = {}
        while not any(data != path.read_bytes() for path, data in broken.items()):
            broken = KINDS[kind][0](target, chance, self)
        whole = {path: path.read_bytes() for path in broken}
        try:
            for path, data in broken.items():
                path.write_bytes(data)
            said, read, told = checked(target), *read_again(target, chance, broken)
        finally:
            for path, data in whole.items():
                path.write_bytes(data)
        where = ", ".join(str(path.relative_to(target.directory)) for path in broken)
        return {
            "what": f"{target.word}: {kind}; reader {read}",
            "place": where,
            "faults": [f"{where}: {line}" for line in _faults(target, broken, said, (read, told))],
        }


def _faults(target: Target, broken: Broken, said: str, reader: tuple[str, str]) -> list[str]:
    read, told = reader
    found = [] if said else ["data check says it is sound"]
    if read not in ("refused", "got the sealed values"):
        found.append(f"a reader got {read}")
    shards = [path for path in broken if path in target.shards]
    for words, who in ((said, "data check"), (told, "a reader")):
        if shards and words and not any(path.name in words for path in shards):
            found.append(f"{who} does not name the shard: {words}")
    return found


def checked(target: Target) -> str:
    """Return what `data check` finds; empty: nothing."""
    try:
        return "\n".join(check(target.directory))
    except ForgiaError as error:
        return str(error)


def read_again(target: Target, chance: random.Random, broken: Broken) -> tuple[str, str]:
    """Return what a reader meets that touches every value, and what it is told.

    Half of the time it has a grant, else it opens the directory, which pins no version of the manifest.
    """
    granted = target.directory / MANIFEST in broken or chance.random() < 0.5
    try:
        found = target.values(target.grant if granted else target.directory)
    except (SealBrokenError, InputError) as error:
        return "refused", str(error)
    return ("got the sealed values" if found == target.digest else "other values"), ""


def flip(target: Target, chance: random.Random, _: Tamper) -> Broken:
    """Flip one bit of a file: half of the time any file, else any byte."""
    weights = None if chance.random() < 0.5 else [path.stat().st_size for path in target.files]
    (path,) = chance.choices(target.files, weights)
    return {path: _flipped(path.read_bytes(), chance)}


def _flipped(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def cut(target: Target, chance: random.Random, _: Tamper) -> Broken:
    """Cut a file off somewhere."""
    path = chance.choice(target.files)
    data = path.read_bytes()
    return {path: data[: chance.randrange(len(data))]}


def _blocks(target: Target, path: Path) -> list[tuple[int, int]]:
    """Return where the blocks of a shard are: as they are encrypted, else pages."""
    size = path.stat().st_size
    first, step = (HEADER, BLOCK_BYTES + TAG) if target.encrypted else (0, 4096)
    return [(at, min(at + step, size)) for at in range(first, size, step)]


def swap_blocks(target: Target, chance: random.Random, _: Tamper) -> Broken:
    """Exchange two blocks of one shard."""
    path = chance.choice([one for one in target.shards if len(_blocks(target, one)) > 1])
    data = path.read_bytes()
    (a, b), (c, d) = sorted(chance.sample(_blocks(target, path), 2))
    return {path: data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]}


def foreign_block(target: Target, chance: random.Random, _: Tamper) -> Broken:
    """Put a block of another dataset's shard in, at the same place."""
    path = chance.choice(target.shards)
    data, other = path.read_bytes(), target.twin_of(path).read_bytes()
    a, b = chance.choice(_blocks(target, path))
    return {path: data[:a] + other[a:b] + data[b:]}


def foreign_file(target: Target, chance: random.Random, _: Tamper) -> Broken:
    """Put another file in a file's place: of the other dataset, or of this one, exchanged."""
    path = chance.choice(target.shards)
    if chance.random() < 0.5:
        return {path: target.twin_of(path).read_bytes()}
    other = chance.choice([one for one in target.shards if one != path])
    return {path: other.read_bytes(), other: path.read_bytes()}


def policy(target: Target, chance: random.Random, _: Tamper) -> Broken:
    """Say another policy: in the document, in the manifest, or in the wraps of a key."""
    other = bytes(chance.randrange(256) for _ in range(32)).hex()
    places = ["document", "manifest", *(["wraps"] if target.encrypted else [])]
    place = chance.choice(places)
    if place == "document":
        path = chance.choice([one for one in target.files if one.parent.name == "policies"])
        said = json.loads(path.read_bytes())
        return {path: canonical_json({**said, "uid": other})}
    if place == "manifest":
        path = target.directory / MANIFEST
        said = json.loads(path.read_bytes())
        chance.choice(said["shards"])["policy"] = other
        return {path: canonical_json(said)}
    path = chance.choice(target.records)
    return {path: canonical_json({**json.loads(path.read_bytes()), "policy": other})}


def swap_wraps(target: Target, chance: random.Random, trials: Tamper) -> Broken:
    """Exchange the records of two keys, or a wrap in one, or put in a wrap of a key of one's own."""
    one, two = chance.sample(target.records, 2)
    first, second = (json.loads(path.read_bytes()) for path in (one, two))
    way = chance.randrange(4)
    if way == 0:
        return {one: two.read_bytes(), two: one.read_bytes()}
    if way == 1:
        return {one: canonical_json({**first, "wraps": second["wraps"]})}
    if way == 2:
        return {one: canonical_json({**second, "key_id": first["key_id"], "path": first["path"]})}
    manifest = load_manifest(target.directory)
    (lock,) = (lock for lock in locks_of(manifest) if lock.record == one)
    own = bytes(chance.randrange(256) for _ in range(32))
    wrapped = to_base64(seal_to(trials.public, own, lock.info(trials.public.fingerprint)))
    return {one: canonical_json({**first, "wraps": [{**first["wraps"][0], "wrapped": wrapped}]})}


def signature(target: Target, chance: random.Random, _: Tamper) -> Broken:
    """Flip a bit of a signature's file, or put in one of the other dataset."""
    path = chance.choice([one for one in target.files if one.parent.name == "signatures"])
    if chance.random() < 0.8:
        return {path: _flipped(path.read_bytes(), chance)}
    return {path: target.twin_of(path).read_bytes()}


KINDS: dict[str, tuple[Callable[[Target, random.Random, Tamper], Broken], float]] = {
    "bit flipped": (flip, 0.35),
    "file cut": (cut, 0.1),
    "blocks swapped": (swap_blocks, 0.15),
    "foreign block": (foreign_block, 0.15),
    "foreign file": (foreign_file, 0.06),
    "another policy": (policy, 0.06),
    "wraps swapped": (swap_wraps, 0.06),
    "signature altered": (signature, 0.07),
}
ENCRYPTED_ONLY = ("wraps swapped",)


def kinds_of(target: Target) -> list[str]:
    """Return what can be tried on a dataset."""
    return [one for one in KINDS if target.encrypted or one not in ENCRYPTED_ONLY]
