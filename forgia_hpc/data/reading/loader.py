"""Read ahead: one thread makes the next results while the consumer uses this one.

No worker processes: a batch would have to cross to the trainer through shared memory, which costs more
than making it (benchmarks/data), and a killed job would leave that memory behind. One thread is enough:
NumPy's copies and preadv(2) release the interpreter's lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")


class Loader(Generic[T]):
    """Results by number, from a ring of `ahead` places; closed by a `with` block.

    `make(number, slot)` runs in the thread. The slot, 0 … slots - 1, is the result's own until the
    consumer has taken the one after it: buffers that are made once a slot are never in use twice.
    """

    def __init__(self, make: Callable[[int, int], T], ahead: int = 2) -> None:
        """Take what makes a result; nothing is made before the first is asked for."""
        self.slots = (
            ahead + 2
        )  # the one in hand, and the one before it: a copy may still be under way
        self._make = make
        self._ahead = ahead
        self._changed = threading.Condition()
        self._ready: dict[int, T | BaseException] = {}
        self._next, self._end = 0, 0  # numbers still to be made: next … end - 1
        self._turn = 0  # grows when the consumer jumps: what was begun before is thrown away
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="batches", daemon=True)

    def __enter__(self) -> Loader[T]:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def take(self, number: int, last: int) -> T:
        """Return a result, and let the thread go on as far as `ahead`, but not beyond `last`.

        Raises:
            Exception: what the making of this result raised, in the thread.
            RuntimeError: the loader is closed.

        """
        with self._changed:
            if number not in self._ready and not self._next <= number < self._end:
                self._jump(number)
            self._end = max(min(number + self._ahead, last), number) + 1
            self._start()
            self._changed.notify_all()
            self._changed.wait_for(lambda: number in self._ready or self._closed)
            if number not in self._ready:
                raise RuntimeError("the loader is closed")
            found = self._ready.pop(number)
        if isinstance(found, BaseException):
            raise found
        return found

    def close(self, patience_s: float = 5.0) -> None:
        """End the thread at once, or after the read that it is in; a read that hangs is left behind."""
        with self._changed:
            self._closed = True
            self._ready.clear()
            self._changed.notify_all()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(patience_s)

    def _jump(self, number: int) -> None:
        """Begin anew at a number that was not expected."""
        self._ready.clear()
        self._next = number
        self._turn += 1

    def _start(self) -> None:
        if self._closed:
            raise RuntimeError("the loader is closed")
        if self._thread.ident is None:
            self._thread.start()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._next < self._end)
                if self._closed:
                    return
                number, turn = self._next, self._turn
            try:
                made: T | BaseException = self._make(number, number % self.slots)
            except BaseException as error:  # noqa: BLE001 - raised again where it is taken
                made = error
            with self._changed:
                if turn == self._turn and not self._closed:
                    self._ready[number] = made
                    self._next = number + 1
                self._changed.notify_all()
