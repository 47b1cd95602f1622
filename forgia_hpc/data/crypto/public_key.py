"""A person's public key: one line that can be mailed, `forgia-key-1 NAME BASE64`.

Two people compare its fingerprint over another channel.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forgia_hpc.data.checked import require
from forgia_hpc.errors import InputError, Problem

PUBLIC = "forgia-key-1"
_WORD = re.compile(r"\w[\w.@+-]{0,63}")


@dataclass(frozen=True)
class PublicKey:
    """What others need of a person: to check a signature, and to seal a data key."""

    name: str
    signing: bytes  # Ed25519, 32 bytes
    sealing: bytes  # X25519, 32 bytes

    @property
    def fingerprint(self) -> str:
        """Return 32 hex digits that stand for both halves and the name: what two people compare."""
        whole = b"forgia.key/1" + self.signing + self.sealing + self.name.encode()
        return hashlib.sha256(whole).hexdigest()[:32]

    @property
    def text(self) -> str:
        """Return the line that can be mailed."""
        return f"{PUBLIC} {self.name} {to_base64(self.signing + self.sealing)}"


def seal_to(public: PublicKey, secret: bytes, info: bytes) -> bytes:
    """Return enc (32 bytes) and ciphertext of HPKE (RFC 9180), base mode, single shot, empty aad."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import (
        X25519PublicKey,
    )

    to = X25519PublicKey.from_public_bytes(public.sealing)
    return bytes(hpke_suite().encrypt(secret, to, info=info))


def hpke_suite() -> Any:
    """Return DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM."""
    from cryptography.hazmat.primitives import hpke

    return hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def signed_by(public: PublicKey, signature: bytes, data: bytes) -> bool:
    """Return whether this is the person's signature of `data`."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PublicKey,
    )

    try:
        Ed25519PublicKey.from_public_bytes(public.signing).verify(signature, data)
    except InvalidSignature:
        return False
    return True


def public_line(text: str) -> PublicKey:
    """Return a public key from its line; ValueError for anything else."""
    require(isinstance(text, str), "a text is needed")
    mark, name, coded = text.split(" ")
    both = from_base64(coded, 64)
    require(mark == PUBLIC and is_word(name), "not a public key")
    return PublicKey(name, both[:32], both[32:])


def public_from(text: str) -> PublicKey:
    """Return a public key from its line, or from a file that holds it.

    Raises:
        InputError: it is neither.
    """
    line = text.strip()
    if not line.startswith(PUBLIC) and Path(line).expanduser().is_file():
        line = Path(line).expanduser().read_text(encoding="utf-8", errors="replace").strip()
    try:
        return public_line(line)
    except ValueError:
        limit = f"a line `{PUBLIC} NAME BASE64`, or a file that holds it, is needed"
        fix = "forgia data keygen --public prints it"
        problem = Problem(field="public key", got=line[:80], limit=limit, fix=fix)
        raise InputError(problem) from None


def to_base64(data: bytes) -> str:
    """Return standard base64."""
    return base64.b64encode(data).decode()


def from_base64(text: object, size: int | None = None) -> bytes:
    """Return the bytes of the one base64 text that means them; ValueError for any other spelling."""
    if not isinstance(text, str):
        raise ValueError("base64 is needed")  # noqa: TRY004 - callers tell one kind of refusal
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
    if base64.b64encode(data).decode() != text or (size is not None and len(data) != size):
        raise ValueError("not the base64 that was written")
    return data


def is_word(name: str) -> bool:
    """Return whether a name is one word, as the line needs it."""
    return bool(_WORD.fullmatch(name))
