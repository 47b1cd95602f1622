"""What a long member saves of itself, so that its next try goes on from there instead of from nothing.

Every rank writes its own files beside, flushes and renames them; then the first rank names them, with their
checksums, in an index that appears whole. So a kill at any moment leaves the state before or the one after. A
state that is damaged, or another member's, solver's or mesh's, is not trusted: the member starts from nothing.
"""

from __future__ import annotations

import shutil
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.digest import digest_of, sha256_file
from forgia_hpc.errors import InputError
from forgia_hpc.rundir import read_json, write_json, write_whole
from forgia_hpc.simulate.communicator import Communicator
from forgia_hpc.simulate.returns import IGNORED, SAVED

FORMAT = "forgia.state/1"
_INDEX = "state.json"

Arrays = Mapping[str, Any]  # name → array
Parts = dict[str, dict[str, NDArray[Any]]]


class Saves:
    """The newest state of one member, in files of all ranks of its group; every function is theirs together."""

    def __init__(
        self,
        directory: Path,
        ranks: Communicator,
        words: Callable[[], Mapping[str, Any]],
        every_s: float = 0.0,
    ) -> None:
        """Take the member's directory, and the words that a state must bear to be this member's."""
        self._beside, self._folder = directory, directory / SAVED
        self._ranks, self._words = ranks, words
        self._every_s, self._next = every_s, time.monotonic() + every_s
        self._sums: dict[str, str] = {}  # of this rank's files

    @property
    def is_due(self) -> bool:
        """Whether this rank's clock says that a state should be saved."""
        return self._every_s > 0 and time.monotonic() >= self._next

    def load(self) -> Parts | None:
        """Return this rank's arrays of the newest state; None without one, or where it is not to be trusted."""
        index, why = self._ranks.bcast(self._index() if self._ranks.rank == 0 else None)
        if index is None and not why:
            return None
        parts, own = self._read(index["files"]) if index else ({}, "")
        why = why or next((one for one in self._ranks.allgather(own) if one), "")
        if why:
            self._ignore(why)
            return None
        return parts

    def _index(self) -> tuple[dict[str, Any] | None, str]:
        """Return the index, and why it is not to be trusted; nothing and nothing where there is none."""
        path = self._folder / _INDEX
        if not path.exists():
            return None, ""
        try:
            told = dict(read_json(path))
            checksum = told.pop("sum")
        except (InputError, OSError, KeyError, TypeError, ValueError) as error:
            return None, f"{_INDEX}: {error}"
        if digest_of(told) != checksum:
            return None, f"{_INDEX} is not what its checksum says"
        words = {"format": FORMAT, **self._words(), "ranks": self._ranks.size}
        other = [name for name in words if told["words"].get(name) != words[name]]
        return (told, "") if not other else (None, f"of another {', '.join(other)}")

    def _read(self, files: Mapping[str, str]) -> tuple[Parts, str]:
        """Return this rank's arrays, and what is wrong with their files."""
        parts: Parts = {}
        own = f".{self._ranks.rank}.npz"
        for name in (one for one in files if one.endswith(own)):
            path = self._folder / name
            try:
                if sha256_file(path) != files[name]:
                    return {}, f"{name} is not what its checksum says"
                with np.load(path, allow_pickle=False) as arrays:
                    parts[name.removesuffix(own)] = dict(arrays)
            except (OSError, ValueError, zipfile.BadZipFile) as error:
                return {}, f"{name}: {error}"
            self._sums[name] = files[name]
        return parts, ""

    def _ignore(self, why: str) -> None:
        self._sums.clear()
        self._ranks.barrier()  # nobody reads any more
        if self._ranks.rank == 0:
            shutil.rmtree(self._folder, ignore_errors=True)
            write_json(self._beside / IGNORED, {"why": why})
        self._ranks.barrier()

    def save(self, parts: Mapping[str, Callable[[], Arrays]]) -> str:
        """Save these parts as the newest state; return why not. One that was saved is not written again."""
        self._next = time.monotonic() + self._every_s
        every = self._ranks.gather(self._written(parts))
        why: str = self._ranks.bcast(self._named(every) if every is not None else None)
        if not why:
            self._tidy(parts)
        return why

    def _written(self, parts: Mapping[str, Callable[[], Arrays]]) -> dict[str, str] | str:
        """Write what is new of this rank; return the checksums of all its files, or why not."""
        found = {}
        try:
            self._folder.mkdir(exist_ok=True)
            for part, arrays in parts.items():
                name = f"{part}.{self._ranks.rank}.npz"
                found[name] = self._sums.get(name) or self._file(name, arrays())
        except OSError as error:
            return str(error)
        self._sums |= found
        return found

    def _file(self, name: str, arrays: Arrays) -> str:
        with write_whole(self._folder / name) as temporary:
            with temporary.open("wb") as opened:
                np.savez(opened, **arrays)
            return sha256_file(temporary)

    def _named(self, every: list[dict[str, str] | str]) -> str:
        """Write the index over all ranks' files; return why not."""
        files: dict[str, str] = {}
        for one in every:
            if isinstance(one, str):
                return one
            files |= one
        words = {"format": FORMAT, **self._words(), "ranks": self._ranks.size}
        told = {"words": words, "files": files}
        try:
            write_json(self._folder / _INDEX, {**told, "sum": digest_of(told)})
        except OSError as error:
            return str(error)
        return ""

    def _tidy(self, parts: Mapping[str, Any]) -> None:
        """Take down this rank's files of the state before, and what a kill has cut short."""
        wanted = {f"{part}.{self._ranks.rank}.npz" for part in parts}
        self._sums = {name: self._sums[name] for name in wanted}
        for path in self._folder.glob(f"*.{self._ranks.rank}.npz*"):
            if path.name not in wanted:
                path.unlink(missing_ok=True)
