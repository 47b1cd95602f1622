"""Words of a recipe's clock, checked without numpy and pyarrow: a login node has no time to wait for them."""

from __future__ import annotations

import re
import zoneinfo

SECOND = 10**9
EPOCHS = {"epoch_s": SECOND, "epoch_ms": 10**6, "epoch_us": 10**3, "epoch_ns": 1}
# a part of a format of strptime → fewest and most digits
WIDTHS = {"%Y": (4, 4), "%f": (1, 9)} | dict.fromkeys(("%y", "%d", "%m", "%H", "%M", "%S"), (1, 2))


def unknown_directives(form: str) -> list[str]:
    """Return what a format of strptime says that is not understood here."""
    return sorted(set(re.findall(r"%.", form)) - WIDTHS.keys())


def known(name: str) -> bool:
    """Whether this machine knows a zone."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return False
    return True
