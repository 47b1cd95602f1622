"""What may lie beside the files of a manifest and is no part of the version: wraps, signatures, trust."""

from __future__ import annotations

from forgia_hpc.data.crypto.keys import locks_of
from forgia_hpc.data.crypto.signatures import FOLDER as SIGNATURES
from forgia_hpc.data.crypto.trust import TRUST
from forgia_hpc.data.crypto.wraps import FOLDER as KEYS
from forgia_hpc.data.manifest import Manifest


def beside(manifest: Manifest) -> set[str]:
    """Return their paths; wraps and signatures vouch for themselves."""
    wraps = {f"{KEYS}/{lock.key_id}.json" for lock in locks_of(manifest)}
    signatures = {
        path.relative_to(manifest.directory).as_posix()
        for path in (manifest.directory / SIGNATURES).glob("*.dsse.json")
    }
    return wraps | signatures | {TRUST}
