"""An HDF5 file that is written once: made in memory and put on disk by us, so that a full disk is a plain error.

h5py closes a file on a full disk with a chain of RuntimeErrors, some of them ignored and printed; seen with 3.16.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import h5py

T = TypeVar("T")
_ERRNO = re.compile(r"errno = (\d+)")
IMAGE_BYTES = (
    1 << 30
)  # a larger file is written by HDF5 itself: its image would not fit beside its arrays


def write_hdf5(path: Path, size: int, fill: Callable[[h5py.File], T], **words: Any) -> T:
    """Write a new HDF5 file of about `size` bytes, flush it to disk, and return what `fill` returns.

    Raises:
        OSError: no room, or the file is there already.
    """
    if size > IMAGE_BYTES:
        return _directly(path, fill, words)
    block = min(max(size, 1 << 16), 1 << 26)
    with h5py.File(
        path.name, "x", driver="core", backing_store=False, block_size=block, **words
    ) as file:
        found = fill(file)
        file.flush()
        image = file.id.get_file_image()
    with path.open("xb") as written:
        written.write(image)
        written.flush()
        os.fsync(written.fileno())
    return found


@contextlib.contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Make an OSError with number and place of what HDF5 says of a write that failed.

    While it closes it says RuntimeError, else an OSError without a number; the number is in the text of both.
    """
    try:
        yield
    except (RuntimeError, OSError) as error:
        told = _ERRNO.search(str(error))
        if told is None:
            raise
        number = int(told[1])
        raise OSError(number, os.strerror(number), str(path)) from error


def _directly(path: Path, fill: Callable[[h5py.File], T], words: dict[str, Any]) -> T:
    with plain_errors(path), h5py.File(path, "x", **words) as file:
        found = fill(file)
    with path.open("rb") as written:
        os.fsync(written.fileno())
    return found
