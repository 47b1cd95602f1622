"""A person's own key file: Ed25519 to sign, X25519 to open what was sealed to them.

Both private halves lie in one file of mode 0600 and are never printed.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from forgia_hpc import sources
from forgia_hpc.data.checked import require
from forgia_hpc.data.crypto.public_key import (
    PublicKey,
    from_base64,
    hpke_suite,
    is_word,
    public_line,
    to_base64,
)
from forgia_hpc.digest import canonical_json
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.rundir import sync_directory

FORMAT = "forgia.key/1"


@dataclass(frozen=True)
class UserKey:
    """A person's key, open in memory; nothing of the private halves is shown."""

    public: PublicKey
    _signing: bytes = field(repr=False)
    _sealing: bytes = field(repr=False)

    def sign(self, data: bytes) -> bytes:
        """Return the Ed25519 signature (64 bytes)."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (
            Ed25519PrivateKey,
        )

        return bytes(Ed25519PrivateKey.from_private_bytes(self._signing).sign(data))

    def unseal(self, sealed: bytes, info: bytes) -> bytes:
        """Return what `seal_to` has sealed under the same `info`.

        Raises:
            ValueError: it was sealed to another key, for something else, or altered.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.asymmetric.x25519 import (
            X25519PrivateKey,
        )

        own = X25519PrivateKey.from_private_bytes(self._sealing)
        try:
            return bytes(hpke_suite().decrypt(sealed, own, info=info))
        except InvalidTag as error:
            raise ValueError("it was sealed for something else, or altered") from error


def key_path() -> Path:
    """Return where this person's key file is: $FORGIA_KEY, `keys:` of the person's settings, else beside them.

    A node asks too, and reads this one word without the login wing.
    """
    if named := os.environ.get("FORGIA_KEY"):
        return Path(named).expanduser()
    try:
        own = yaml.safe_load((sources.settings() / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        own = None  # `forgia` itself tells what is wrong with that file
    named = own.get("keys") if isinstance(own, dict) else None
    if isinstance(named, str) and named:
        return Path(os.path.expandvars(named)).expanduser()
    return sources.settings() / "keys" / "key.json"


def make_key(path: Path, name: str) -> PublicKey:
    """Make a key file of mode 0600 that was not there before, and return its public half.

    Raises:
        InputError: a key is there already, or the name is not one word.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
    )
    from cryptography.hazmat.primitives.asymmetric.x25519 import (
        X25519PrivateKey,
    )

    if not is_word(name):
        raise InputError(Problem(field="--name", got=name, limit="one word is needed"))
    signing, sealing = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()
    public = PublicKey(
        name, signing.public_key().public_bytes_raw(), sealing.public_key().public_bytes_raw()
    )
    content = {
        "format": FORMAT,
        "public": public.text,
        "signing": to_base64(signing.private_bytes_raw()),
        "sealing": to_base64(sealing.private_bytes_raw()),
    }
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write_private(path, canonical_json(content) + b"\n")
    return public


def _write_private(path: Path, data: bytes) -> None:
    """Make a whole, durable file that only its owner can read; never over another."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
        sync_directory(path.parent)
    except FileExistsError:
        limit = "is there already; who loses it loses what was sealed to it"
        fix = "name another place with --to, or move the old one away yourself"
        raise InputError(Problem(field="key", got=str(path), limit=limit, fix=fix)) from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def load_key(path: Path | None = None) -> UserKey:
    """Return this person's key.

    Raises:
        InputError: there is none, others can read it, or it is no key file.
    """
    path = path or key_path()
    try:
        with path.open("rb") as file:
            facts, data = os.fstat(file.fileno()), file.read(1 << 16)
    except OSError as error:
        limit = f"no key file can be read there ({error.strerror})"
        fix = "forgia data keygen, or name yours in FORGIA_KEY"
        raise InputError(Problem(field="key", got=str(path), limit=limit, fix=fix)) from error
    if facts.st_mode & 0o077 or not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid():
        limit = f"others can read it (mode {stat.S_IMODE(facts.st_mode):04o}, owner {facts.st_uid})"
        fix = f"chmod 600 {path}; make another if somebody may have read it"
        raise InputError(Problem(field="key", got=str(path), limit=limit, fix=fix))
    try:
        return _key_from(json.loads(data))
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        # never the content: it is private even where it is broken
        limit = f"is no key file of format {FORMAT} ({type(error).__name__})"
        raise InputError(Problem(field="key", got=str(path), limit=limit)) from None


def _key_from(content: dict[str, Any]) -> UserKey:
    require(content["format"] == FORMAT, "format")
    signing, sealing = (from_base64(content[one], 32) for one in ("signing", "sealing"))
    return UserKey(public_line(content["public"]), signing, sealing)
