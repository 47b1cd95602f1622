"""The example files of a page of the documentation, written where $FORGIA_PATH finds them."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
_EXAMPLE = re.compile(r"^```[^\n]*\n(# mine/(\S+)\n.*?)^```", re.MULTILINE | re.DOTALL)


def examples(page: str, into: Path) -> Path:
    """Write the files of docs/<page> below `into` and return that."""
    for text, name in _EXAMPLE.findall((DOCS / page).read_text(encoding="utf-8")):
        path = into / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return into
