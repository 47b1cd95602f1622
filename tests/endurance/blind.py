"""The second set of defects, tried as the first is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from endurance import defects_blind
from endurance.defects import Defects


class BlindDefects(Defects):
    """Trials of one patch each: the forty blind defects in their order, then their harmless changes."""

    defects: ClassVar[Sequence[Any]] = defects_blind.DEFECTS
    harmless: ClassVar[Sequence[Any]] = defects_blind.HARMLESS
