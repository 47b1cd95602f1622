"""SHA-256 of files, texts and JSON: one way for all rooms, so that digests of the same thing are equal."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def sha256_text(text: str) -> str:
    """Return the SHA-256 of a text as it stands in a file."""
    return hashlib.sha256(text.encode()).hexdigest()


def canonical_json(content: object) -> bytes:
    """Return sorted, unspaced UTF-8 JSON: the same content always gives the same bytes."""
    text = json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8")


def digest_of(content: object) -> str:
    """Return the SHA-256 of the canonical JSON of `content`."""
    return hashlib.sha256(canonical_json(content)).hexdigest()
