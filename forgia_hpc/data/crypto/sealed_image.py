"""The plain bytes of an encrypted file as a file object: for h5py, and for small files as a whole."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from forgia_hpc.data.crypto.keys import Keyring
from forgia_hpc.data.crypto.sealed_file import SealedFile
from forgia_hpc.data.reading.arrays import Place


class SealedImage(io.RawIOBase):
    """Reads as a file of the plain bytes would; nothing plain touches the disk."""

    def __init__(self, file: SealedFile) -> None:
        """Take an open file; the caller closes it."""
        self._file = file
        self._at = 0
        self._number, self._block = -1, bytearray(file.header.block_bytes)

    def __repr__(self) -> str:
        """Return the path: h5py takes it for the file's name."""
        return str(self._file.path)

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move, and return where."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._file.header.plain_bytes}
        self._at = base[whence] + offset
        return self._at

    def tell(self) -> int:
        """Return where the next byte is read."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as there are bytes; a block that fits whole is decrypted in place."""
        out = memoryview(buffer).cast("B")
        out = out[: max(self._file.header.plain_bytes - self._at, 0)]
        done = 0
        while done < len(out):
            number, skip = divmod(self._at + done, self._file.header.block_bytes)
            size = self._file.size_of(number)
            part = min(len(out) - done, size - skip)
            if part == size:
                self._file.decrypt_into(number, out[done : done + part])
            else:
                out[done : done + part] = self._kept(number)[skip : skip + part]
            done += part
        self._at += done
        return done

    def _kept(self, number: int) -> memoryview:
        """Return the block asked for last."""
        if number != self._number:
            self._number = -1
            self._file.decrypt_into(number, memoryview(self._block)[: self._file.size_of(number)])
            self._number = number
        return memoryview(self._block)


def open_place(place: Place) -> SealedFile:
    """Open the file of a place with the key that its keyring holds.

    Raises:
        InputError: the key is not sealed to this person.
        SealBrokenError: the file, its header or its wraps were altered.
    """
    ring: Keyring = place.keyring
    return SealedFile(place.path, ring.lock(place.key_id), ring.key_of(place.key_id))


def open_sealed(directory: Path, ring: Keyring, key_id: str, *, mapped: bool = True) -> SealedFile:
    """Open the file of a key."""
    lock = ring.lock(key_id)
    return SealedFile(directory / lock.path, lock, ring.key_of(key_id), mapped=mapped)


def read_sealed(directory: Path, ring: Keyring, key_id: str) -> bytes:
    """Return all plain bytes of a small encrypted file."""
    file = open_sealed(directory, ring, key_id, mapped=False)
    try:
        return SealedImage(file).readall()
    finally:
        file.close()
