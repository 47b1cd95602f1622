"""The functions of a plug-in whose programs are the shell scripts of files/."""

from __future__ import annotations

import numpy as np

from forgia_hpc.simulate.member import Finding


def extract(left):
    """Read field.txt: `steps cells`, then the numbers."""
    words = (left.directory / "field.txt").read_text().split()
    steps, cells = int(words[0]), int(words[1])
    numbers = np.array(words[2:], np.float64).reshape(steps, cells)
    return {"times": np.arange(steps, dtype=float), "temperature": numbers}


def extract_twice(left):
    """Return a field that nobody declared."""
    return {**extract(left), "pressure": np.zeros(4)}


def texts(left):
    return {"times": [0.0], "temperature": np.array([["a", "b", "c", "d"]])}


def backwards(left):
    return {**extract(left), "times": [1.0, 0.0, 2.0]}


def slope(inputs, level):
    if inputs["cold"] == 13:
        raise ValueError("13 is no temperature")
    return {"slope": (inputs["hot"] - inputs["cold"]) / 4}


def too_much(inputs, level):
    return {"slope": 1.0, "unheard": 2.0}


def energy(inputs, fields):
    rise = float(fields["temperature"][-1].sum() - fields["temperature"][0].sum())
    return [Finding(check="energy", value=rise, limit="no rise", passed=rise <= 0)]
