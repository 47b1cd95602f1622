"""One flipped bit, or a cut file, somewhere in a sealed dataset: who looks must see it."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from click.testing import CliRunner
from fakes.telemetry import card, contribution, sealed

from forgia_hpc.cli.main import forgia
from forgia_hpc.data.access.granting import make_grant
from forgia_hpc.data.manifest import MANIFEST, load_manifest
from forgia_hpc.data.reader import Dataset, open_dataset
from forgia_hpc.data.writer import seal
from forgia_hpc.errors import ExitCode, InputError, SealBrokenError
from forgia_hpc.schema.data import Data

LONG = 150_000  # steps of a series: several leaves of 1 MiB a storage
FEW = 0.1  # share of the trials on the long dataset, whose check takes longer
CUT = 0.2  # share of the trials that cut a file instead of flipping a bit


@dataclass(frozen=True)
class Target:
    """A sealed dataset, what is granted of it, and what it says when it is whole."""

    directory: Path
    grant: dict[str, Any]
    files: list[Path]
    digest: str


class ShardFlips:
    """Trials on two datasets: a small one and one of several leaves."""

    def __init__(self, scratch: Path) -> None:
        """Seal the datasets."""
        small = sealed(scratch, "mill")
        seal(contribution("forge", 3, steps=LONG), card("forge"), scratch / "forge")
        self._targets = [_target(small), _target(scratch / "forge")]

    def __enter__(self) -> ShardFlips:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the datasets to whoever gave the directory."""

    def trial(self, chance: random.Random) -> dict[str, Any]:
        """Break one file, ask check and reader, mend it."""
        target = self._targets[chance.random() < FEW]
        path, at, broken = damage(target, chance)
        whole = path.read_bytes()
        path.write_bytes(broken)
        try:
            check, read = checked(target), read_again(target)
        finally:
            path.write_bytes(whole)
        what = "bit flipped" if len(broken) == len(whole) else "file cut"
        place = f"{path.relative_to(target.directory)}:{at}"
        return {
            "what": f"{what}, {path.suffix or path.name}; reader {read}",
            "place": place,
            "faults": [f"{place}: {line}" for line in _faults(path, check, read)],
        }


def _faults(path: Path, check: int, read: str) -> list[str]:
    found = [f"a reader got {read}"] if read not in ("refused", "got the sealed values") else []
    # another manifest is another version: alone it can be sound, and the grant is what refuses it
    if path.name == MANIFEST:
        return [
            *found,
            *(["a reader of the sealed version was not refused"] if read != "refused" else []),
        ]
    return [*found, *([f"data check ended with {check}"] if check != ExitCode.SEAL_BROKEN else [])]


def damage(target: Target, chance: random.Random) -> tuple[Path, int, bytes]:
    """Return a file, a place in it, and its content broken there.

    Half of the trials take a file by chance, half a byte by chance, which are most often signals.
    """
    weights = None if chance.random() < 0.5 else [path.stat().st_size for path in target.files]
    (path,) = chance.choices(target.files, weights)
    data = path.read_bytes()
    at = chance.randrange(len(data))
    if chance.random() < CUT:
        return path, at, data[:at]
    return path, at, data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def checked(target: Target) -> int:
    """Return the exit code of `forgia data check`."""
    return CliRunner().invoke(forgia, ["data", "check", str(target.directory)]).exit_code


def read_again(target: Target) -> str:
    """Return what a reader with the grant of the whole dataset meets."""
    try:
        with open_dataset(target.grant) as dataset:
            found = everything(dataset)
    except (SealBrokenError, InputError):
        return "refused"
    return "got the sealed values" if found == target.digest else "other values"


def everything(dataset: Dataset) -> str:
    """Return a digest over every value of every segment, labels too: each leaf is touched."""
    digest = hashlib.sha256()
    for name in dataset.names:
        for facts in dataset.segments(name):
            segment = dataset.segment(name, facts.number)
            digest.update(segment.values.tobytes())
    return digest.hexdigest()


def _target(directory: Path) -> Target:
    manifest = load_manifest(directory)
    grant = make_grant(manifest, Data(dataset=manifest.name))
    with open_dataset(grant) as dataset:
        digest = everything(dataset)
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return Target(directory, grant, files, digest)
