"""What a sweep's files say comes back as it was."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from forgia_hpc.compact import applied, difference, numbers_of, spans
from forgia_hpc.rundir import make_once

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)


@given(st.lists(st.integers(0, 50), unique=True))
def test_numbers_keep_their_order_as_slurm_writes_them(numbers: list[int]) -> None:
    assert numbers_of(spans(numbers)) == tuple(numbers)


def test_runs_of_numbers_are_short() -> None:
    assert spans([0, 1, 2, 7, 9, 10]) == "0-2,7,9-10"


@given(st.lists(st.tuples(VALUES, VALUES), max_size=4))
def test_a_config_is_the_first_one_and_what_differs(pairs: list[tuple[object, object]]) -> None:
    base = {str(index): one for index, (one, _) in enumerate(pairs)}
    other = {str(index): two for index, (_, two) in enumerate(pairs)}
    found = applied(base, difference(base, other))
    assert repr(found) == repr(other)  # repr: True is not 1


def test_only_one_can_make_a_file(tmp_path: Path) -> None:
    path = tmp_path / "claims" / "1.json"
    path.parent.mkdir()
    assert make_once(path, {"who": 1})
    assert not make_once(path, {"who": 2})
    assert '"who": 1' in path.read_text()
    assert [entry.name for entry in path.parent.iterdir()] == ["1.json"]
