"""Encrypted files (`.h5e`): AES-256-GCM blocks around a file's bytes, opened block by block.

Bytes: a header of 128, then the blocks, each with its tag of 16 behind it, the last one short. Nonce: a
domain (0: block, 1: header) as u32, the block's number as u64; a data key is for one file only, so none comes
twice. What a block is bound to (AAD): the shard's id, the block's number, how many blocks there are.
"""

from __future__ import annotations

import itertools
import mmap
import os
import struct
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from forgia_hpc.data.crypto.wraps import Lock
from forgia_hpc.errors import SealBrokenError

MAGIC, VERSION = b"FORGIAH5", 1
BLOCK_BYTES = 32 << 10  # benchmarks/data/encrypted.py compares 16 KiB to 256 KiB
SUFFIX = "e"  # train-000.h5 → train-000.h5e
TAG = 16
HEADER = 128
_FIELDS = struct.Struct("<8sIIQQ32s16s")  # magic, version, block, bytes, blocks, shard, key
_NONCE = struct.Struct("<IQ")
_BOUND = struct.Struct("<32sQQ")
_SERIALS = itertools.count()


@dataclass(frozen=True)
class Header:
    """What an encrypted file says of itself before it is opened."""

    block_bytes: int
    plain_bytes: int
    blocks: int
    shard_id: str
    key_id: str

    @property
    def file_bytes(self) -> int:
        """Return how long the file must be."""
        return HEADER + self.plain_bytes + TAG * self.blocks

    def packed(self) -> bytes:
        """Return the header without its tag."""
        numbers = (self.block_bytes, self.plain_bytes, self.blocks)
        identities = bytes.fromhex(self.shard_id), bytes.fromhex(self.key_id)
        return _FIELDS.pack(MAGIC, VERSION, *numbers, *identities).ljust(HEADER - TAG, b"\0")


def encrypt_stream(
    plain: BinaryIO,
    size: int,
    target: Path,
    key: bytes,
    lock: Lock,
    *,
    block_bytes: int = BLOCK_BYTES,
) -> None:
    """Write the encrypted form of `size` bytes, flushed; `key` must be fresh."""
    blocks = -(-size // block_bytes)
    header = Header(block_bytes, size, blocks, lock.shard_id, lock.key_id)
    cipher, shard = AESGCM(key), bytes.fromhex(lock.shard_id)
    with target.open("xb") as out:
        out.write(header.packed() + cipher.encrypt(_NONCE.pack(1, 0), b"", header.packed()))
        for number in range(blocks):
            data = plain.read(min(block_bytes, size - number * block_bytes))
            bound = _BOUND.pack(shard, number, blocks)
            out.write(cipher.encrypt(_NONCE.pack(0, number), data, bound))
        if plain.read(1) or out.tell() != header.file_bytes:
            raise SealBrokenError(f"{lock.path}: changed while it was encrypted")
        out.flush()
        os.fsync(out.fileno())


class SealedFile:
    """An encrypted file, open: its blocks authenticate, or nothing of them is given out."""

    def __init__(self, path: Path, lock: Lock, key: bytes, *, mapped: bool = True) -> None:
        """Open it and check its header; `mapped` reads through mmap instead of pread.

        Raises:
            SealBrokenError: it is gone, cut off, another shard's, of another key, or its header was altered.
        """
        self.path = path
        self._cipher = AESGCM(key)
        self._shard = bytes.fromhex(lock.shard_id)
        self.serial = next(_SERIALS)  # a cache knows blocks by it
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise SealBrokenError(f"{path}: can't be opened ({error.strerror})") from error
        self._descriptor = descriptor
        self._closing = weakref.finalize(self, os.close, descriptor)
        self._bytes: mmap.mmap | None = None
        self.header = self._opened(lock)
        if mapped:
            self._bytes = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
            self._closing()  # the mapping has a descriptor of its own

    def _opened(self, lock: Lock) -> Header:
        """Return the header: that of this shard under this key, of a file that is whole."""
        data = os.pread(self._descriptor, HEADER, 0)
        try:
            magic, version, block, size, blocks, shard, key = _FIELDS.unpack_from(data)
            header = Header(block, size, blocks, shard.hex(), key.hex())
        except struct.error as error:
            raise SealBrokenError(f"{self.path}: cut off within its header") from error
        if (magic, version) != (MAGIC, VERSION):
            raise SealBrokenError(f"{self.path}: no encrypted file of version {VERSION}")
        if header.shard_id != lock.shard_id:
            raise SealBrokenError(f"{self.path}: is another shard than the manifest lists here")
        if header.key_id != lock.key_id:
            raise SealBrokenError(f"{self.path}: is under another key than the manifest names")
        try:
            self._cipher.decrypt(_NONCE.pack(1, 0), data[-TAG:], data[:-TAG])
        except InvalidTag as error:
            raise SealBrokenError(f"{self.path}: its header was altered") from error
        self._check_size(header)
        return header

    def _check_size(self, header: Header) -> None:
        found = self._bytes.size() if self._bytes else os.fstat(self._descriptor).st_size
        if found != header.file_bytes:
            raise SealBrokenError(
                f"{self.path}: has {found} bytes, sealed with {header.file_bytes}"
            )

    def check_size(self) -> None:
        """Refuse a file cut off since it was opened: a lost page of a mapping kills the process."""
        self._check_size(self.header)

    def close(self) -> None:
        """Close it now; else it closes when it is let go."""
        if self._bytes is not None:
            self._bytes.close()
        self._closing()

    def size_of(self, number: int) -> int:
        """Return how many plain bytes a block holds."""
        return min(
            self.header.block_bytes, self.header.plain_bytes - number * self.header.block_bytes
        )

    def decrypt_into(self, number: int, out: memoryview) -> None:
        """Decrypt a block into `out`, which is exactly as long; SealBrokenError where it does not authenticate."""
        begin = HEADER + number * (self.header.block_bytes + TAG)
        size = len(out) + TAG
        if self._bytes is None:
            sealed: Any = os.pread(self._descriptor, size, begin)
        else:
            sealed = memoryview(self._bytes)[begin : begin + size]
        bound = _BOUND.pack(self._shard, number, self.header.blocks)
        try:
            self._cipher.decrypt_into(_NONCE.pack(0, number), sealed, bound, out)
        except (InvalidTag, ValueError) as error:
            raise SealBrokenError(
                f"{self.path}: block {number} ({self.header.block_bytes >> 10} KiB) was altered "
                "after it was sealed; copy the shard again"
            ) from error
