"""Where the seconds of a command go: `with lap("seal"): …` counts where somebody holds the watch."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass
class Stopwatch:
    """Seconds by part, each without the parts inside it."""

    seconds: dict[str, float] = field(default_factory=dict)
    _inner: list[float] = field(default_factory=list)  # of the laps that are open

    @contextlib.contextmanager
    def lap(self, name: str) -> Iterator[None]:
        """Count the block under `name`."""
        self._inner.append(0.0)
        begun = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - begun
            own = took - self._inner.pop()
            self.seconds[name] = self.seconds.get(name, 0.0) + own
            if self._inner:
                self._inner[-1] += took


_HELD: ContextVar[Stopwatch | None] = ContextVar("stopwatch", default=None)


@contextlib.contextmanager
def held() -> Iterator[Stopwatch]:
    """Hold a watch for the block."""
    watch = Stopwatch()
    before = _HELD.set(watch)
    try:
        yield watch
    finally:
        _HELD.reset(before)


@contextlib.contextmanager
def lap(name: str) -> Iterator[None]:
    """Count the block, where a watch is held."""
    watch = _HELD.get()
    with watch.lap(name) if watch else contextlib.nullcontext():
        yield
