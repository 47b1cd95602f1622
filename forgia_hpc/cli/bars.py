"""Progress of long work, on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from forgia_hpc.cli.output import console


@contextmanager
def bar_of(name: str) -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that is told (what, done, total); the bar goes when the work is over."""
    from rich.progress import Progress

    with Progress(console=console(stderr=True), transient=True) as bars:
        task = bars.add_task(name, total=None)

        def told(what: str, done: int, total: int) -> None:
            bars.update(task, completed=done, total=total, description=what)

        yield told
