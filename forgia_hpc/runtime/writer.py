"""One rank's files in a checkpoint that is not whole yet: hashed as they pass, flushed, errors kept."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Writer:
    """Writes below one directory and notes what it wrote.

    An OSError (disk full, quota) is kept instead of raised: a rank that left here would leave the others
    waiting in a collective. The ranks agree afterwards.
    """

    def __init__(self, directory: Path) -> None:
        """Take the directory, which exists."""
        self.directory = directory
        self.files: dict[str, dict[str, Any]] = {}
        self.error: OSError | None = None

    @contextmanager
    def file(self, path: Path) -> Iterator[HashedFile]:
        """Give a new file to write to; on leaving it is on disk and noted, or the error is kept."""
        opened = HashedFile(self, path)
        try:
            yield opened
        finally:
            opened.close()
        if self.error is None:
            name = str(path.relative_to(self.directory))
            self.files[name] = {"bytes": opened.size, "sha256": opened.digest}

    def make_directory(self, path: Path) -> None:
        """Make a directory, or keep the error."""
        with self.keeping():
            path.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Keep an OSError; the first one tells the cause."""
        try:
            yield
        except OSError as error:
            self.error = self.error or error


class HashedFile:
    """A file object for torch.save: sequential writes only."""

    def __init__(self, writer: Writer, path: Path) -> None:
        """Make the file; O_EXCL, because two ranks that write one file have lost track of each other."""
        self._writer = writer
        self._hash = hashlib.sha256()
        self._file: Any = None
        self.size = 0
        with writer.keeping():
            self._file = path.open("xb")

    @property
    def digest(self) -> str:
        """The SHA-256 of what was written, in hex."""
        return self._hash.hexdigest()

    def write(self, content: Any) -> int:
        """Write all bytes; after an error they go nowhere, so that the caller's format code ends in peace."""
        size = memoryview(content).nbytes
        if self._file is not None and self._writer.error is None:
            with self._writer.keeping():
                self._file.write(content)
            self._hash.update(content)
            self.size += size
        return size

    def flush(self) -> None:
        """Flush Python's buffer; the disk's is flushed once, on close."""
        if self._file is not None:
            with self._writer.keeping():
                self._file.flush()

    def close(self) -> None:
        """Flush to disk and close."""
        if self._file is None:
            return
        with self._writer.keeping():
            self._file.flush()
            os.fsync(self._file.fileno())
        with self._writer.keeping():
            self._file.close()
