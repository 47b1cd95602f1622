from __future__ import annotations

import numpy as np
import pytest

from forgia_hpc.errors import InputError
from forgia_hpc.simulate.constraints import parse

INPUTS = {"a": np.array([1.0, 2.0, 3.0]), "b": np.array([3.0, 2.0, 0.0])}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("a < b", [True, False, False]),
        ("1 < a <= 2", [False, True, False]),
        ("abs(a - b) < 2", [False, True, False]),
        ("min(a, b, 1) >= max(0.5, 1)", [True, True, False]),
        ("a / b < 2", [True, True, False]),  # 3 / 0 is no number, and does not hold
        ("a ** 0.5 > +1", [False, True, True]),
        ("-a < -1.5", [False, True, True]),
        (
            "10 ** 400 > a",
            [True, True, True],
        ),  # in floating point, so that 9 ** 9 ** 9 costs nothing
    ],
)
def test_a_comparison_of_inputs(text: str, holds: list[bool]) -> None:
    assert parse(text, INPUTS, "x").holds(INPUTS).tolist() == holds


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch pwned') < 1",
        "(lambda: 1)() < 2",
        "a.real < 1",
        "a[0] < 1",
        "[x for x in a] < 1",
        "a < 'x'",
        "a < 1j",
        "True < a",
        "a == b",
        "a and b",
        "(a < b) < 1",
        "a @ b < 1",
        "a if 1 else b < 2",
        "(c := 1) < 2",
        "max(*a) < 1",
        "abs(a, b) < 1",
        "min(a) < 1",
        "abs < 1",
        "a < 1" + "0" * 400,
        "a < " + "(" * 300 + "1" + ")" * 300,
        "a <" * 300,
        "a\0 < 1",
        "a",
        "",
    ],
)
def test_everything_else_is_refused_and_never_run(text: str) -> None:
    with pytest.raises(InputError):
        parse(text, INPUTS, "ensemble.constraints[0]")


def test_an_unknown_input_is_named_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="no input radus; there are length, radius; did you mean"):
        parse("radus < length", ["radius", "length"], "x")
