"""What a manifest may say of names, files and withdrawals: a hostile one leaves no directory and opens no more.

Odd words raise ValueError or TypeError; who reads the manifest names it.
"""

from __future__ import annotations

import re
from typing import Any

_NAME = re.compile(r"\w[\w.@+-]*")
_HEX = re.compile(r"[0-9a-f]*")
_ODD_PARTS = frozenset(("", ".", ".."))


def one_word(name: str) -> str:
    """Return a name, which becomes a directory's or a file's: `../escaped` once left the data root."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"name {name!r} is not one word")
    return name


def file_words(entry: dict[str, Any]) -> dict[str, Any]:
    """Return what a manifest says of a file of its directory."""
    path = entry["path"]
    # a path has one spelling, or a shard could be listed twice; pathlib takes 40 ms for ten thousand
    if not _ODD_PARTS.isdisjoint(path.split("/")) or not path.isprintable():
        raise ValueError(f"path {path!r} leaves the directory, or is no plain name")
    if not isinstance(entry["bytes"], int) or not isinstance(entry["sha256"], str):
        raise TypeError(f"{path}: a size and a digest are needed")
    policy, key_id = entry.get("policy", ""), entry.get("key_id", "")
    if not isinstance(policy, str) or not isinstance(key_id, str):
        raise TypeError(f"{path}: policy and key_id are texts")
    if not isinstance(entry.get("profile", ""), str):
        raise TypeError(f"{path}: profile is a text")
    if not _HEX.fullmatch(key_id + policy):
        raise ValueError(f"{path}: key_id and policy are digests")
    return entry


def stone_words(entry: dict[str, Any]) -> dict[str, Any]:
    """Return what a manifest says of a withdrawal."""
    texts = [
        entry[name] for name in ("path", "contribution", "contributor", "version", "withdrawn")
    ]
    if not all(isinstance(one, str) for one in texts) or not isinstance(entry["whole"], bool):
        raise TypeError("a tombstone is of texts, and says whether all was withdrawn")
    if not _ODD_PARTS.isdisjoint(entry["path"].split("/")):
        raise ValueError(f"path {entry['path']!r} leaves the directory")
    return entry
