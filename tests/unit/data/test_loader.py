from __future__ import annotations

import threading
import time

import pytest

from forgia_hpc.data.reading.loader import Loader


def test_results_come_in_order_and_so_many_ahead() -> None:
    made: list[int] = []
    seen = threading.Event()

    def make(number: int, _slot: int) -> int:
        made.append(number)
        if number == 3:
            seen.set()
        return number * 10

    with Loader(make, ahead=2) as loader:
        assert loader.take(1, last=9) == 10
        assert seen.wait(5)
        time.sleep(0.05)
        assert made == [1, 2, 3]
        assert [loader.take(number, last=9) for number in range(2, 10)] == [
            10 * number for number in range(2, 10)
        ]
    assert made == list(range(1, 10))


def test_a_slot_is_not_used_again_before_its_result_is_given_back() -> None:
    buffers: dict[int, list[int]] = {}

    def make(number: int, slot: int) -> list[int]:
        buffers.setdefault(slot, []).clear()
        buffers[slot].append(number)
        return buffers[slot]

    with Loader(make, ahead=3) as loader:
        before = loader.take(0, last=50)
        for number in range(1, 51):
            now = loader.take(number, last=50)
            assert (before, now) == ([number - 1], [number])
            before = now
    assert len(buffers) == loader.slots


def test_a_jump_begins_anew() -> None:
    with Loader(lambda number, _slot: number, ahead=2) as loader:
        assert [loader.take(number, last=99) for number in (1, 2, 50, 51, 7, 8)] == [
            1,
            2,
            50,
            51,
            7,
            8,
        ]


def test_an_exception_is_raised_where_its_result_is_taken() -> None:
    def make(number: int, _slot: int) -> int:
        if number == 2:
            raise ValueError("shard.h5: leaf 3 differs")
        return number

    with Loader(make) as loader:
        assert loader.take(1, last=5) == 1
        with pytest.raises(ValueError, match="leaf 3"):
            loader.take(2, last=5)
        assert loader.take(3, last=5) == 3


def test_closing_does_not_wait_for_what_was_never_wanted() -> None:
    begun, released = threading.Event(), threading.Event()

    def make(number: int, _slot: int) -> int:
        if number > 1:
            begun.set()
            released.wait(10)
        return number

    loader = Loader(make)
    assert loader.take(1, last=5) == 1
    assert begun.wait(5)
    started = time.monotonic()
    loader.close(patience_s=0.1)  # the read hangs: it is left behind
    assert time.monotonic() - started < 2
    with pytest.raises(RuntimeError, match="closed"):
        loader.take(2, last=5)
    released.set()


def test_a_loader_never_used_has_no_thread() -> None:
    threads = threading.active_count()
    with Loader(lambda number, _slot: number):
        assert threading.active_count() == threads
