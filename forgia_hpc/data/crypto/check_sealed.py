"""What `data check` asks of wraps and signatures, and how it opens an encrypted shard."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib import import_module

import h5py

from forgia_hpc.data.crypto.keys import Keyring, locks_of
from forgia_hpc.data.crypto.signatures import verify
from forgia_hpc.data.crypto.stones import verify_stones
from forgia_hpc.data.manifest import Manifest, ShardEntry
from forgia_hpc.errors import SealBrokenError


def check_signatures(manifest: Manifest) -> Iterator[str]:
    """Yield every signature, of the dataset or of a withdrawal, that is wrong.

    Whom one trusts is asked of withdrawals only: where trust.yaml names others for the contributor.
    """
    every = (*verify(manifest), *verify_stones(manifest))
    yield from (signed.fault for signed in every if signed.fault)


def check_wraps(manifest: Manifest, ring: Keyring) -> Iterator[str]:
    """Yield every key whose wraps were altered, or are bound to another shard or policy.

    Raises:
        InputError: the person has no key, or a shard is not sealed to it: the check can't go on.
    """
    for lock in locks_of(manifest):
        try:
            ring.key_of(lock.key_id)
        except SealBrokenError as error:
            yield str(error)


@contextlib.contextmanager
def open_shard(manifest: Manifest, entry: ShardEntry, ring: Keyring) -> Iterator[h5py.File]:
    """Open a shard through h5py; an encrypted one block by block in memory."""
    path = manifest.directory / entry.path
    if not entry.key_id:
        # locking=False: sealed files are never written, and locks fail on many parallel file systems
        with h5py.File(path, "r", locking=False) as file:
            yield file
        return
    module = import_module(
        "forgia_hpc.data.crypto.sealed_image"
    )  # cryptography, where it is needed
    sealed = module.open_sealed(manifest.directory, ring, entry.key_id)
    try:
        with h5py.File(module.SealedImage(sealed), "r") as file:
            yield file
    finally:
        sealed.close()
