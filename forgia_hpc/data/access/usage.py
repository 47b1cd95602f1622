"""The ledger of use: how many windows, series and tokens of which shard a model has learnt from.

Each rank notes the windows of the steps that it has done; at a checkpoint the counts are summed over the ranks
and written into it as usage.json, together with the policies and the facts of whom to name, and signed with the
user's key where there is one. Which window fed which step is not written down: it follows from (seed, version,
step).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from forgia_hpc.data.crypto.key_file import UserKey, load_key
from forgia_hpc.data.crypto.public_key import PublicKey
from forgia_hpc.data.crypto.signatures import sign_bytes, signer_of
from forgia_hpc.digest import digest_of, sha256_file
from forgia_hpc.errors import InputError, SealBrokenError
from forgia_hpc.rundir import read_json

FORMAT = "forgia.usage/1"
FILE = "usage.json"
USAGE_TYPE = "application/vnd.forgia.usage+json"
_SEALS = ("manifest.json", "model.json")  # of a checkpoint, of a model
PENDING = 1 << 16  # windows noted before they are counted

Ints = NDArray[np.int64]
Document = dict[str, Any]


class Ranks(Protocol):
    """What sums over all ranks."""

    def sum(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return the element-wise sum over all ranks, on every rank."""


class Windows(Protocol):
    """What must be known of a WindowIndex."""

    @property
    def names(self) -> tuple[str, ...]:
        """Contributions."""

    def homes(self, contribution: int, windows: Ints) -> tuple[Ints, Ints]:
        """Return the shard of each window, and how many series it holds."""


class Use:
    """Counts on one rank; `document` sums over all. Noting costs nothing that a step would feel."""

    def __init__(
        self,
        windows: Windows,
        shards: Sequence[Sequence[str]],
        tokens: float,
        grant: Mapping[str, Any],
    ) -> None:
        """Take the windows, the paths of each contribution's shards, the tokens of one series, and the grant."""
        self._windows, self._paths, self._grant = windows, shards, grant
        self._tokens = tokens
        self._user = _user_of(
            grant
        )  # now: a key that can't be read must not end a training at its checkpoint
        self._counts = [np.zeros((2, len(paths)), np.int64) for paths in shards]
        self._noted: list[Ints] = []
        self._pending = 0
        self._base: Document = {}
        self.before: list[Document] = []  # use of the models that this one began from

    def note(self, chosen: ArrayLike) -> None:
        """Take the (contribution, window) pairs of a step that is done."""
        pairs = np.asarray(chosen, np.int64).reshape(-1, 2)
        self._noted.append(pairs)
        self._pending += len(pairs)
        if self._pending >= PENDING:
            self._count()

    def go_on(self, content: Document) -> None:
        """Continue what a checkpoint says, the same on every rank; SealBrokenError: its signature is wrong."""
        signer_of_use(content)
        self._base, self.before = content, content.get("before", [])

    def document(self, step: int, ranks: Ranks) -> Document:
        """Return usage.json after a step. Collective: every rank calls it and gets the same."""
        self._count()
        own = np.concatenate([np.zeros(0, np.int64), *(one.ravel() for one in self._counts)])
        total = ranks.sum(own).astype(np.int64)
        edges = np.cumsum([one.size for one in self._counts])[:-1]
        counts = [part.reshape(2, -1) for part in np.split(total, edges)] if self._counts else []
        grant = self._grant
        content = {
            "format": FORMAT,
            "dataset": {"identifier": grant["identifier"], "version": grant["version"]},
            "grant": grant["digest"],
            "step": step,
            "contributions": {
                name: self._contribution(name, number, counts[number])
                for number, name in enumerate(self._windows.names)
            },
            "policies": grant["policies"],
            "before": self.before,
        }
        return sign_use(content, self._user)

    def _contribution(self, name: str, number: int, counts: Ints) -> Document:
        entry = next(one for one in self._grant["contributions"] if one["contribution"] == name)
        facts = ("version", "contributor", "title", "licence", "citation", "source")
        policies = {one["path"]: one["policy"] for one in entry["shards"]}
        known = self._base.get("contributions", {}).get(name, {}).get("shards", {})
        shards = {}
        for path, windows, series in zip(self._paths[number], *counts.tolist(), strict=True):
            old = known.get(path, {"windows": 0, "series": 0, "tokens": 0})
            if windows or old["windows"]:
                shards[path] = {
                    "windows": old["windows"] + windows,
                    "series": old["series"] + series,
                    "tokens": old["tokens"] + series * self._tokens,
                    "policy": policies[path],
                }
        return {**{fact: entry[fact] for fact in facts}, "shards": shards}

    def _count(self) -> None:
        """Add up what was noted."""
        if not self._noted:
            return
        pairs = np.concatenate(self._noted)
        self._noted, self._pending = [], 0
        for number in np.unique(pairs[:, 0]).tolist():
            shards, series = self._windows.homes(number, pairs[pairs[:, 0] == number, 1])
            size = self._counts[number].shape[1]
            self._counts[number][0] += np.bincount(shards, minlength=size)
            self._counts[number][1] += np.bincount(shards, series, size).astype(np.int64)


def read_usage(directory: Path) -> Document:
    """Return the usage.json of a checkpoint or of a model.

    Raises:
        InputError: there is none.
        SealBrokenError: it is of another format.
    """
    content: Document = read_json(directory / FILE)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise SealBrokenError(f"{directory / FILE} is not of format {FORMAT}")
    return content


def _user_of(grant: Mapping[str, Any]) -> UserKey | None:
    """Return the key of a grant's user; None: there was none, or this machine does not see it."""
    place = Path(grant.get("key_file", ""))
    return load_key(place) if place.is_file() else None


def sign_use(content: Document, user: UserKey | None) -> Document:
    """Return a usage.json with the user's signature; as it is where the user has no key."""
    if user is None:
        return content
    return {**content, "signature": sign_bytes(USAGE_TYPE, _signed_part(content), user)}


def signer_of_use(content: Document) -> PublicKey | None:
    """Return who has signed a usage.json; None: nobody.

    Raises:
        SealBrokenError: the signature is wrong.
    """
    if "signature" not in content:
        return None
    try:
        return signer_of(content["signature"], USAGE_TYPE, _signed_part(content))
    except ValueError as error:
        raise SealBrokenError(f"{FILE}: {error}") from error


def _signed_part(content: Document) -> bytes:
    return digest_of({key: one for key, one in content.items() if key != "signature"}).encode()


def read_sealed_usage(directory: Path) -> Document:
    """Return the usage.json that a checkpoint's manifest or a model's facts vouch for.

    Raises:
        InputError: there is none.
        SealBrokenError: it is not what was written, nothing vouches for it, or its signature is wrong.
    """
    content = read_usage(directory)
    if sha256_file(directory / FILE) != _vouched(directory):
        raise SealBrokenError(f"{directory / FILE}: content differs from what was written")
    signer_of_use(content)
    return content


def _vouched(directory: Path) -> str:
    """Return the digest of usage.json that a checkpoint's manifest, or a model's facts, have."""
    for name in _SEALS:
        if (directory / name).is_file():
            content = read_json(directory / name)
            entry = content.get("files", {}).get(FILE, {}).get("sha256")
            return str(entry or content.get("extra", {}).get("usage_sha256", ""))
    return ""


def use_before(directory: Path) -> list[Document]:
    """Return the use of a model that a training begins from, and before it; unknown where nothing vouches."""
    try:
        content = read_sealed_usage(directory)
    except (InputError, SealBrokenError):
        return [{"format": FORMAT, "unknown": str(directory)}]
    own = {key: value for key, value in content.items() if key not in ("before", "signature")}
    if by := signer_of_use(content):
        own["signed_by"] = by.text  # the signature held `before`, too: the next one holds both
    return [own, *content.get("before", [])]


@dataclass(frozen=True)
class Seen:
    """One shard that a model has seen."""

    contribution: str
    version: str
    contributor: str
    shard: str
    policy: str
    windows: int
    series: int
    tokens: float


def seen(content: Document) -> Iterator[Seen]:
    """Yield every shard of a usage.json, and of the models that it began from."""
    for one in (content, *content.get("before", [])):
        for name, entry in one.get("contributions", {}).items():
            for path, count in entry["shards"].items():
                facts = (name, entry["version"], entry["contributor"], path, count["policy"])
                yield Seen(*facts, count["windows"], count["series"], count["tokens"])
