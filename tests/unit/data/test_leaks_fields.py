"""Copies of simulated trajectories are told from members that are merely alike."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes.simulated import sealed_fields, simulated

from forgia_hpc.data.leaks.report import watch_leaks
from forgia_hpc.data.leaks.trajectories import compare
from forgia_hpc.data.manifest import load_manifest

MEMBERS, STEPS = 8, 6


def wave(number, rate=1.0):
    """A member of a smooth ensemble: neighbours differ by five percent."""
    z, x = np.meshgrid(np.linspace(0, 1, 12), np.linspace(0, 1, 16), indexing="ij")
    speed = 1 + 0.05 * number
    times = np.arange(STEPS)[:, None, None] * rate
    return np.sin(3 * speed * x + 0.4 * times) * np.exp(-speed * z * (1 + 0.1 * times))


def ensemble(last):
    """Smooth members, the last one, held out, as given; every other field is noise of its own."""
    made = simulated(12, 16, members=MEMBERS, steps=STEPS)
    fields = [wave(number) for number in range(MEMBERS - 1)] + [last]
    members = [
        replace(one, values={**one.values, "temperature": values.astype(np.float32)})
        for one, values in zip(made.trajectories, fields, strict=True)
    ]
    return replace(made, trajectories=members)


@pytest.mark.parametrize(("scale", "noise"), [(1.0, 0.0), (-3.0, 0.0), (0.2, 0.1), (-1.5, 0.316)])
def test_a_held_out_copy_of_a_training_trajectory_is_found(scale, noise, tmp_path):
    source = wave(3)
    added = noise * source.std() * np.random.default_rng(1).normal(size=source.shape)
    folder = sealed_fields(tmp_path, ensemble(scale * (source + added)))
    told = watch_leaks(folder, "all")
    (pair,) = told["trajectories"]
    assert {pair["a"]["member"], pair["b"]["member"]} == {"member-0003", "member-0007"}
    assert pair["field"] == "temperature"
    assert pair["scale"] == pytest.approx(scale, rel=0.1)
    (row,) = told["contaminated"]
    assert (row["split"], row["by"], row["share"]) == ("held_out_machines", "quench", 1.0)


def test_members_of_a_smooth_ensemble_are_no_copies(tmp_path):
    told = watch_leaks(sealed_fields(tmp_path, ensemble(wave(7))), "all")
    assert told["trajectories"] == told["contaminated"] == told["pairs"] == []


def test_nothing_agrees_with_a_constant():
    assert compare(np.ones((4, 5)), wave(1)[0][:4, :5]) == (0.0, 0.0)


def test_the_verb_tells_of_trajectories_too(forgia):
    data_root = Path(os.environ["FORGIA_DATA"])
    sealed_fields(data_root, ensemble(-2 * wave(3)))
    assert load_manifest(data_root / "quench").layout == "forgia.fields/1"
    done = forgia("data", "leaks", "quench", "--fail")
    assert done.returncode == 2
    assert "quench/member-0003 (train)" in done.stdout
    assert "has a copy in the training data of quench" in done.stdout
    found = json.loads(forgia("data", "leaks", "quench", "--json").stdout)["leaks"]
    assert found["trajectories"][0]["scale"] in (-2.0, -0.5)
