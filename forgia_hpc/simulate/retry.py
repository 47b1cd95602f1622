"""Whether a member that failed is tried again: by what its failures were, never by their number alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

# not the member's doing, as far as anybody can tell: a signal from outside, a node that went down
OUTSIDE = frozenset({"SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "lost"})
HOPELESS = frozenset({"input"})  # no retry mends an input that the solver refuses
IDENTICAL = 2  # the same failure so often is the member's own
KILLS = 8  # from outside so often in a row, it is the member all the same


def is_own(failure: str) -> bool:
    """Whether a failure is the member's own doing."""
    return failure not in OUTSIDE


def is_poison(failures: Sequence[str], retries: int) -> bool:
    """Whether a member with these failures is given up; `retries` are its tries after the first own failure."""
    own = [kind for kind in failures if is_own(kind)]
    if len(failures) - len(own) >= KILLS or not HOPELESS.isdisjoint(own):
        return True
    repeated = max(Counter(own).values(), default=0) >= IDENTICAL
    return repeated or len(own) > retries


def spoken(failures: Sequence[str]) -> str:
    """Return failures as a person reads them: `2 times SIGSEGV, once timeout`."""
    words = {1: "once"}
    return ", ".join(
        f"{words.get(count, f'{count} times')} {kind}" for kind, count in Counter(failures).items()
    )
