"""The optional family: refused where the package is missing; in the peers tier, the package itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from forgia_hpc.errors import InputError
from forgia_hpc.models.field_shape import FieldShape, Scales
from forgia_hpc.models.physicsnemo import PhysicsNemoModel

ROOT = Path(__file__).parents[3]
LEARNS = ROOT / "tests/fakes/learns_physicsnemo.py"


def shape(axes=2):
    return FieldShape(axes=("z", "y", "x")[-axes:], grid=(8,) * axes, channels=("t",),
                      values=Scales(mean=(0.0,), std=(1.0,)), increments=(1.0,))  # fmt: skip


def made(axes=2, **options):
    return PhysicsNemoModel(options, context=1, horizon=1, shape=shape(axes))


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "physicsnemo", None)
    with pytest.raises(InputError, match="needs the Python package physicsnemo") as caught:
        made(model="FNO")
    assert "pip install nvidia-physicsnemo" in str(caught.value)


@pytest.mark.parametrize(
    ("axes", "options", "said"),
    [
        (2, {"model": "GraphCast"}, "one of FNO, AFNO"),
        (3, {"model": "AFNO"}, "takes 2 axes, and the fields have 3"),
        (2, {"widths": 3}, r"model\.options\.widths"),
    ],
)
def test_what_it_cannot_be_is_refused_before_the_package_is_asked(axes, options, said):
    with pytest.raises(InputError, match=said):
        made(axes, **options)


@pytest.mark.peers
def test_their_models_learn_and_step_as_ours_do():
    python = os.environ.get("FORGIA_PHYSICSNEMO")
    assert python, "FORGIA_PHYSICSNEMO must name a python that has ours and nvidia-physicsnemo 2.2"
    words = [python, "-W", "ignore", str(LEARNS)]
    ours = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, env=ours, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "all of them learn" in done.stdout
