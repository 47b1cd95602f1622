"""Bodies of voxels: their volumes, and masks that are no body."""

from __future__ import annotations

import numpy as np
import pytest

from forgia_hpc.errors import InputError
from forgia_hpc.simulate.heat.masks import cylinder, sound, stepped


def test_a_cylinder_and_a_ring_have_their_volume() -> None:
    body = cylinder(0.05, 0.1, 2e-3)
    assert body.mask.shape == (50, 50, 50)
    assert body.mask.sum() * 8e-9 == pytest.approx(np.pi * 0.05**2 * 0.1, rel=1e-2)
    ring = cylinder(0.05, 0.1, 2e-3, inner=0.02)
    assert ring.mask.sum() * 8e-9 == pytest.approx(np.pi * (0.05**2 - 0.02**2) * 0.1, rel=1e-2)
    assert (ring.mask == ring.mask[:, ::-1, ::-1]).all()


def test_a_stepped_forging_from_the_bottom_up() -> None:
    body = stepped([(0.02, 0.06), (0.04, 0.03)], 1e-3)
    areas = body.mask.sum(axis=(1, 2))
    assert body.mask.shape == (60, 60, 60)
    assert len(set(areas[:20].tolist())) == len(set(areas[20:].tolist())) == 1
    assert areas[0] == pytest.approx(4 * areas[-1], rel=0.02)


def shell() -> np.ndarray:
    mask = np.ones((5, 5, 5), bool)
    mask[2, 2, 2] = False
    return mask


def apart() -> np.ndarray:
    mask = np.zeros((6, 4), bool)
    mask[:3], mask[4, 1] = True, True
    return mask


def corners() -> np.ndarray:
    return np.eye(2, dtype=bool)


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        (shell(), "got '1 closed holes, one at cell [2, 2, 2]', no holes"),
        (apart(), "got '2 bodies, one at cell [4, 1]', one body"),
        (corners(), "2 bodies"),  # a corner passes no heat
        (np.zeros((3, 3), bool), "something inside"),
        (np.ones((3, 3)), "a mask of True and False"),
    ],
)
def test_a_mask_that_is_no_body(mask, told) -> None:
    with pytest.raises(InputError) as caught:
        sound(mask)
    assert told in str(caught.value)


def test_a_bore_is_no_hole() -> None:
    mask = np.ones((5, 5, 5), bool)
    mask[:, 2, 2] = False
    assert sound(mask) is mask


@pytest.mark.parametrize(
    ("steps", "bore", "told"),
    [
        ([(0.1, 0.004)], 0.0, "at least 3 cells of 0.002 m in the thinnest part"),
        ([(0.1, 0.1)], 0.096, "choose a finer spacing"),
        ([(0.1, 0.1), (0.1, 0.02)], 0.03, "at least 3 cells"),
        ([], 0.0, "at least one step"),
    ],
)
def test_a_forging_too_thin_for_its_cells(steps, bore, told) -> None:
    with pytest.raises(InputError) as caught:
        stepped(steps, 2e-3, bore)
    assert told in str(caught.value)
