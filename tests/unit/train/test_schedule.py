from __future__ import annotations

import pytest

from forgia_hpc.schema.training import Optimizer
from forgia_hpc.train.schedule import learning_rate


def test_it_warms_up_stays_and_decays() -> None:
    optimizer = Optimizer(learning_rate=1.0, warmup=0.1, decay=0.3)
    rates = [learning_rate(step, 100, optimizer) for step in range(1, 101)]
    assert rates[:10] == pytest.approx([0.1 * step for step in range(1, 11)])
    assert set(rates[9:71]) == {1.0}
    assert rates[70:] == pytest.approx([(30 - step) / 30 for step in range(30)])
    assert min(rates) > 0


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_run_of_few_steps_learns_in_each(steps: int) -> None:
    optimizer = Optimizer(learning_rate=1.0)
    assert all(0 < learning_rate(step, steps, optimizer) <= 1 for step in range(1, steps + 1))


def test_without_warm_up_and_decay_it_is_constant() -> None:
    optimizer = Optimizer(learning_rate=0.5, warmup=0, decay=0)
    assert {learning_rate(step, 7, optimizer) for step in range(1, 8)} == {0.5}
