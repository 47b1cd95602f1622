"""Whose signature counts for whom: `trust.yaml`, a person's own or else the one beside the dataset.

format: forgia.trust/1
contributors:                      # who may sign for which contributor
  acme: [forgia-key-1 anna BASE64, …]
consortium: [forgia-key-1 office BASE64]   # who may sign whole manifests
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from forgia_hpc import sources
from forgia_hpc.data.crypto.public_key import PublicKey, public_line
from forgia_hpc.errors import InputError, Problem

FORMAT = "forgia.trust/1"
TRUST = "trust.yaml"
CONSORTIUM = "consortium"


@dataclass(frozen=True)
class Trust:
    """Which keys count, by whom they speak for."""

    where: str  # empty: there is no such file
    keys: dict[str, tuple[PublicKey, ...]] = field(default_factory=dict)

    def trusts(self, public: PublicKey, speaks_for: str) -> bool:
        """Return whether this key may sign for a contributor, or for the consortium."""
        known = self.keys.get(speaks_for, ())
        return any(one.fingerprint == public.fingerprint for one in known)


def own_trust() -> Path:
    """Return where this person's own list of trusted keys is."""
    return sources.settings() / TRUST


def load_trust(directory: Path | None = None) -> Trust:
    """Return what this person trusts; without a file of their own, what lies in `directory`.

    Raises:
        InputError: the file can't be read, or everything in it that is no key.
    """
    for path in (own_trust(), *([directory / TRUST] if directory else [])):
        if path.is_file():
            return _trust_from(path)
    return Trust("")


def _trust_from(path: Path) -> Trust:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']!r}, known: {FORMAT}")  # noqa: TRY301
        lists = {CONSORTIUM: content.get(CONSORTIUM) or [], **(content.get("contributors") or {})}
        return Trust(str(path), {name: _keys(listed) for name, listed in lists.items()})
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError, LookupError, TypeError) as why:
        limit = f"must be {FORMAT} ({' '.join(str(why).split())})"
        raise InputError(Problem(field=TRUST, got=str(path), limit=limit)) from why


def _keys(listed: Any) -> tuple[PublicKey, ...]:
    return tuple(public_line(str(one).strip()) for one in listed)
