import pytest

from forgia_hpc.errors import InputError
from forgia_hpc.models.options import DECILES, parse_options

NANO = {"width": 64, "layers": 2, "heads": 4, "feed_forward": 256}


def problems(**changes):
    with pytest.raises(InputError) as caught:
        parse_options({**NANO, **changes})
    return {problem.field: problem for problem in caught.value.problems}


def test_the_defaults_fill_what_is_not_said():
    options = parse_options(NANO)
    assert (options.patch, options.quantiles, options.dropout) == (16, DECILES, 0.0)


def test_every_problem_is_told_at_once():
    found = problems(width=0, layers=1.5, dropout=1.0, colour="red", quantiles=[0.9, 0.1])
    assert set(found) == {
        f"model.options.{name}" for name in ("width", "layers", "dropout", "colour", "quantiles")
    }


def test_a_missing_name_is_told():
    with pytest.raises(InputError, match=r"model\.options\.heads: got nothing, is needed"):
        parse_options({"width": 64, "layers": 2, "feed_forward": 256})


@pytest.mark.parametrize(
    "levels", [[], [0.1, 0.9], [0.1, 0.5, 0.5], [0.0, 0.5], [0.5, 1.0], "0.5", [0.5, "0.9"], 0.5]
)
def test_levels_that_are_none_are_refused(levels):
    assert list(problems(quantiles=levels)) == ["model.options.quantiles"]


@pytest.mark.parametrize(("width", "heads"), [(65, 4), (12, 4), (10, 3)])
def test_a_width_that_the_heads_cannot_share_comes_with_one_that_fits(width, heads):
    fix = problems(width=width, heads=heads)["model.options.width"].fix
    assert parse_options({**NANO, "heads": heads, "width": int(fix.removeprefix("try width="))})


@pytest.mark.parametrize("value", [True, "64", None, -1])
def test_a_count_is_a_whole_number_and_not_a_flag(value):
    assert list(problems(width=value)) == ["model.options.width"]
