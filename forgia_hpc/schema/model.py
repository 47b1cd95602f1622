"""Which model, and its shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(kw_only=True)
class Model:
    """A family of models/names.py, or the user's own class by import path."""

    name: str = "telemetry_nano"
    family: str = (
        "telemetry"  # a key of models/names.py, or "module:Class" found under $FORGIA_PATH
    )
    options: dict[str, Any] = field(
        default_factory=dict
    )  # the family's own; checked by the family's dataclass
