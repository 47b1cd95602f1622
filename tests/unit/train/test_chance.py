from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch

from forgia_hpc.runtime.writer import Writer
from forgia_hpc.train.chance import load_chance, save_chance, seed_all


def draw() -> list[float]:
    numbers = [*torch.rand(3).tolist(), *np.random.rand(3).tolist(), random.random()]
    return [*numbers, torch.randn(1).item(), np.random.randn(), random.gauss(0, 1)]


def test_the_draws_go_on_where_they_were_saved(tmp_path: Path) -> None:
    seed_all(1)
    draw()  # an odd number of normal draws leaves a second one in store
    writer = Writer(tmp_path)
    save_chance(writer, 3)
    assert list(writer.files) == ["chance-3.json"]
    expected = [draw(), draw()]
    seed_all(2)
    load_chance(tmp_path, 3)
    assert [draw(), draw()] == expected


def test_every_seed_step_and_rank_draws_its_own() -> None:
    drawn = []
    for key in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0)):
        seed_all(*key)
        drawn.append(tuple(draw()))
    assert drawn[0] == drawn[4]
    assert len(set(drawn)) == 4
