"""Three kinds of simulated machines: cycles, load steps, lags and couplings between channels. numpy only.

Each returns float64 (channel, step). The periods come from a few choices a kind, so that what is learnt on some
machines helps on others; phases, amplitudes, loads and noise are each machine's own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Machine = Callable[[np.random.Generator, int], Array]


def press(rng: np.random.Generator, steps: int) -> Array:
    """Return tonnage kN, ram position mm, motor current A, oil temperature Cel, vibration mm/s; step 10 s."""
    period = rng.choice((32, 48, 64))
    time = np.arange(steps)
    angle = 2 * np.pi * (time / period + rng.random())
    load = _jobs(rng, steps, period, (0.55, 0.7, 0.85, 1.0))
    strike = np.exp(4 * (-np.cos(angle) - 1))  # a narrow bump at the lower dead centre
    tonnage = rng.uniform(600, 900) * load * strike + 20
    position = rng.uniform(180, 260) * (1 + np.cos(angle)) / 2 + 5
    current = 18 + 0.09 * np.roll(tonnage, 2) + 6 * load * np.sin(angle) ** 2
    oil = 32 + _lag(18 * load, 240) + 3 * np.sin(2 * np.pi * time / 8640 + rng.random())
    vibration = 0.8 + 4.5 * load * np.roll(strike, 1) + 0.3 * np.sin(3 * angle) ** 2
    clean = np.stack([tonnage, position, current, oil, vibration])
    return _noisy(rng, clean, (12.0, 1.5, 1.0, 0.15, 0.12))


def furnace(rng: np.random.Generator, steps: int) -> Array:
    """Return three zone temperatures Cel, gas flow m3/h, oxygen %; step 15 min, batches and days."""
    batch = rng.choice((24, 32, 48))
    time = np.arange(steps)
    place = (time / batch + rng.random()) % 1.0
    charge = _jobs(rng, steps, batch, (0.8, 0.9, 1.0))
    profile = np.clip(np.minimum(place / 0.3, (1 - place) / 0.25), 0, 1)
    night = 0.5 * (1 + np.cos(2 * np.pi * (time / 96 + rng.uniform(-0.05, 0.05))))
    target = 640 + (rng.uniform(180, 240) * profile * charge) - 45 * night
    zones = [
        _lag(target, 1.5),
        _lag(np.roll(target, 1), 3.0) - 15,
        _lag(np.roll(target, 2), 5.0) - 35,
    ]
    heating = np.clip(np.gradient(zones[0]), 0, None)
    gas = 60 + 2.2 * heating + 0.06 * (zones[0] - 500) * charge
    oxygen = 6.5 - 0.022 * (gas - 60) + 0.4 * night
    return _noisy(rng, np.stack([*zones, gas, oxygen]), (4.0, 3.5, 3.0, 2.5, 0.12))


def compressor(rng: np.random.Generator, steps: int) -> Array:
    """Return pressure bar, flow m3/h, current A, outlet temperature Cel, vibration mm/s; step 60 s."""
    period = rng.choice((16, 24, 32))
    demand = _jobs(rng, steps, period, (0.45, 0.55, 0.65))
    place = (np.arange(steps) / period + rng.random()) % 1.0
    loaded = 1 / (1 + np.exp(-30 * (demand - place))) * (1 - np.exp(-place * 40))
    rise = np.where(place < demand, place / demand, (1 - place) / (1 - demand))
    pressure = rng.uniform(6.4, 6.8) + rng.uniform(0.7, 1.0) * rise
    flow = rng.uniform(380, 460) * loaded * (1 - 0.05 * (pressure - 6.5))
    current = 34 + rng.uniform(70, 90) * loaded * pressure / 7
    outlet = 62 + _lag(32 * loaded, 12)
    vibration = 1.1 + 1.4 * loaded + 0.25 * np.sin(2 * np.pi * place * 2)
    return _noisy(
        rng, np.stack([pressure, flow, current, outlet, vibration]), (0.03, 12.0, 3.0, 0.6, 0.1)
    )


MACHINES: dict[str, Machine] = {"press": press, "furnace": furnace, "compressor": compressor}


def _jobs(rng: np.random.Generator, steps: int, period: int, levels: tuple[float, ...]) -> Array:
    """Return a load that is constant over jobs of 8 to 24 cycles (step)."""
    lengths = rng.integers(8, 25, size=steps // (8 * period) + 1) * period
    load = np.repeat(np.array(levels)[rng.integers(len(levels), size=len(lengths))], lengths)
    return np.array(load[:steps], dtype=np.float64)


def _lag(signal: Array, steps: float) -> Array:
    """Return a first-order lag with a time constant in steps, as a sum over a finite memory."""
    memory = int(6 * steps) + 1
    weights = np.exp(-np.arange(memory) / steps)
    padded = np.concatenate([np.full(memory - 1, signal[0]), signal])
    smooth: Array = np.convolve(padded, weights / weights.sum(), mode="valid")
    return smooth


def _noisy(rng: np.random.Generator, clean: Array, sigma: tuple[float, ...]) -> Array:
    """Add white noise (channel); no channel here can be negative."""
    noise = rng.standard_normal(clean.shape) * np.array(sigma)[:, None]
    measured: Array = np.clip(clean + noise, 0.0, None)
    return measured
