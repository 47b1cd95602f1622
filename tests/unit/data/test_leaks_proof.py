"""What an overlay proves: long agreement everywhere, and nothing else."""

import numpy as np
import pytest

from forgia_hpc.data.leaks.proof import octaves, prove

COUNT = 1000
LIMIT = -40.0
STEPS = np.arange(COUNT)


def wander(seed, keep, count=COUNT):
    noise = np.random.default_rng(seed).normal(size=count)
    for step in range(1, count):
        noise[step] += keep * noise[step - 1]
    return noise


def noisy(values, share, seed=9):
    return values + share * values.std() * np.random.default_rng(seed).normal(size=len(values))


@pytest.mark.parametrize("keep", [0.0, 0.9, 0.99])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_noisy_copy_is_proven(keep, sign):
    signal = wander(1, keep)
    proof = prove(signal, 3 * sign * noisy(signal, 0.2), sign)
    assert proof.holds(LIMIT)
    assert not prove(signal, 3 * sign * noisy(signal, 0.2), -sign).holds(LIMIT)


@pytest.mark.parametrize("keep", [0.0, 0.9, 0.99, 1.0])
def test_unrelated_signals_prove_as_little_as_chance_allows(keep):
    chances = [
        prove(wander(seed, keep), wander(seed + 500, keep), 1.0).log_chance for seed in range(200)
    ]
    # of 200, one is as unlikely as 1 in 200; e**-12 would be a wrong count of what is independent
    assert min(chances) > -12
    assert np.mean(np.array(chances) < np.log(0.05)) < 0.12


@pytest.mark.parametrize(
    "shape",
    [
        np.sin(STEPS / 7),
        STEPS % 40,
        STEPS % 64 < 9,
        STEPS,
        np.ones(COUNT),
        STEPS > 437,
        (STEPS > 301) + 2.0 * (STEPS > 702),
    ],
)
def test_what_many_have_in_common_proves_nothing(shape):
    shape = np.asarray(shape, float)
    assert not prove(shape, 5 * shape + 1, 1.0).holds(LIMIT)


def test_a_jump_in_unrelated_noise_is_not_enough():
    jump = 60.0 * (STEPS > 437)
    proof = prove(jump + wander(1, 0.5), jump + wander(2, 0.5), 1.0)
    assert not proof.holds(LIMIT)
    assert proof.spread < 0.3


@pytest.mark.parametrize("count", [1, 4, 5, 7, 100, 511])
def test_octaves_cover_every_frequency_once(count):
    seen = np.concatenate([np.arange(count)[band] for band in octaves(count)])
    np.testing.assert_array_equal(seen, np.arange(count))
