"""What a campaign knows: append-only files with one writer each, one fact a line, a checksum a line.

The journal is the truth: a member's numbers count once its line stands here, and not before. A line that a kill or
a full disk has torn is none. No line is ever changed; what turns out unsound is voided by another line.

    planned   nobody has begun it, or what was begun was lost
    begun     a group solves it
    admitted  its arrays lie in a block, and its checks passed
    rejected  solved, and a check says that it is not physical
    poison    it fails the same way each time, and is not tried again
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from forgia_hpc.digest import canonical_json, sha256_text
from forgia_hpc.errors import SealBrokenError
from forgia_hpc.rundir import RunDir

_SUM = 16  # hex digits of the SHA-256 of the rest
_LAST = 4096  # lines that stay, some 10 kB each: a shard's members are gone through three times
_OPEN = 64  # files that stay open
_HEAD = len('{"sum":"') + _SUM + len('",')

Line = dict[str, Any]


def campaign_of(run: RunDir) -> Path:
    """Return where everything lies that a campaign knows."""
    return run.output / "campaign"


def journal_of(run: RunDir) -> Path:
    """Return the folder of the journal: a file a writer."""
    return campaign_of(run) / "journal"


def sealed_line(fact: Mapping[str, Any]) -> bytes:
    """Return a fact as a line: one JSON object that begins with the checksum of the rest."""
    rest = canonical_json(dict(fact)).decode()[1:]
    return f'{{"sum":"{sha256_text(rest)[:_SUM]}",{rest}\n'.encode()


def read_line(data: bytes) -> Line | None:
    """Return the fact of a line; None for one that was torn."""
    try:
        text = data.decode()
        told, rest = text[8 : 8 + _SUM], text[_HEAD:]
        if sha256_text(rest)[:_SUM] != told:
            return None
        found = json.loads("{" + rest)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


class Journal:
    """One writer's file. A write is one system call; whatever that call did not finish is no line."""

    def __init__(self, path: Path) -> None:
        """Make the file; two writers of one name would have lost track of each other."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o640)
        self._torn = False

    def __enter__(self) -> Journal:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        os.close(self._file)

    def write(self, *facts: Mapping[str, Any]) -> None:
        """Append facts, all in one call.

        Raises:
            OSError: the disk is full. The facts may be told again once there is room.
        """
        data = b"".join(sealed_line(fact) for fact in facts)
        if self._torn:
            data = b"\n" + data  # ends what the full disk cut, so that it takes no other line along
        try:
            done = os.write(self._file, data)
            self._torn = done < len(data)
            if self._torn:  # the rest does not fit: the next call says why
                os.write(self._file, data[done:])
                self._torn = False
        except OSError as error:
            self._torn = True
            error.filename = error.filename or str(self._path)
            raise


@dataclass
class Reader:
    """Follows one writer's file: each call gives the lines that are new."""

    path: Path
    offset: int = 0
    torn: int = 0
    at: int = 0  # where the line begins that was given last

    def __iter__(self) -> Iterator[Line]:
        """Yield new whole lines, one at a time: they may be gigabytes. The last line may still be written."""
        try:
            opened = self.path.open("rb")
        except FileNotFoundError:
            return
        with opened:
            opened.seek(self.offset)
            for line in opened:
                if not line.endswith(b"\n"):
                    return
                self.at, self.offset = self.offset, self.offset + len(line)
                fact = read_line(line[:-1])
                if fact is not None:
                    yield fact
                else:
                    self.torn += len(line) > 1


class Lines:
    """Reads lines again by their places; the last ones stay. A campaign's lines together are gigabytes."""

    def __init__(self, run: RunDir) -> None:
        """Take the run; a file opens when a line of it is asked for."""
        self._run = run
        self._files: dict[str, BinaryIO] = {}
        self._last: dict[tuple[str, int], Line] = {}

    def __enter__(self) -> Lines:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def read(self, writer: str, at: int) -> Line:
        """Return the line of a writer that begins there.

        Raises:
            SealBrokenError: the journal is not what it was.
        """
        found = self._last.get((writer, at))
        if found is None:
            found = self._read(writer, at)
            if len(self._last) >= _LAST:
                self._last.pop(next(iter(self._last)))
            self._last[writer, at] = found
        return found

    def _read(self, writer: str, at: int) -> Line:
        file = self._file(writer)
        file.seek(at)
        found = read_line(file.readline()[:-1])
        if found is None:
            raise SealBrokenError(
                f"{file_of(self._run, writer)}: no whole line at byte {at} any more"
            )
        return found

    def _file(self, writer: str) -> BinaryIO:
        if writer not in self._files:
            if len(self._files) >= _OPEN:
                self._files.pop(next(iter(self._files))).close()
            self._files[writer] = file_of(self._run, writer).open("rb")
        return self._files[writer]


def writers(run: RunDir) -> list[str]:
    """Return the names of all who have written, in one order on every machine."""
    return sorted(path.stem for path in journal_of(run).glob("*.jsonl"))


def file_of(run: RunDir, writer: str) -> Path:
    """Return the file of a writer."""
    return journal_of(run) / f"{writer}.jsonl"
