"""What a person guesses on the command line is understood: sides, units, inputs set anew."""

from __future__ import annotations

from typing import Any

import pytest

from forgia_hpc.config.compose import compose_job
from forgia_hpc.config.expand import expand
from forgia_hpc.config.points import compose_points
from forgia_hpc.config.spelling import freed, spelled
from forgia_hpc.errors import InputError
from forgia_hpc.schema.job import Kind, SimulateJob


def job(*words: str) -> SimulateJob:
    found = compose_job(Kind.simulate, words)
    assert isinstance(found, SimulateJob)
    return found


def sides(*words: str) -> dict[str, Any]:
    found: dict[str, Any] = job("solver=heat_box", *words).solver.options["boundaries"]
    return found


@pytest.mark.parametrize("side", ["x+", "'x+'", '"x+"'])
def test_one_word_of_a_side_is_set_and_the_others_stay(side: str) -> None:
    found = sides(f"solver.options.boundaries.{side}.h=5 kW/(m2.K)")
    assert found["x+"] == {"law": "convection", "h": "5 kW/(m2.K)", "ambient": "bath"}
    assert found["x-"] == sides()["x-"]


@pytest.mark.parametrize("side", ["x+", "x-"])
@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("{law: fixed, temperature: 300}", {"law": "fixed", "temperature": 300}),
        ("[{law: convection, h: 9, ambient: 20}]", [{"law": "convection", "h": 9, "ambient": 20}]),
        ("symmetry", "symmetry"),
    ],
)
def test_another_law_takes_the_place_of_the_one_before(side: str, written: str, read: Any) -> None:
    assert sides(f"solver.options.boundaries.{side}={written}")[side] == read


def test_an_input_drawn_in_another_way_keeps_nothing_of_the_one_before() -> None:
    found = job(
        "ensemble.inputs.transfer={values: [1 kW/(m2.K), 2000]}", "ensemble.inputs.radius.low=35 mm"
    )
    assert found.ensemble.inputs["transfer"] == {"values": ["1 kW/(m2.K)", 2000]}
    assert found.ensemble.inputs["radius"] == {"low": "35 mm", "high": "60 mm"}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2 kW/(m2.K)", "2 kW/(m2.K)"),
        ("'2 kW/(m2.K)'", "2 kW/(m2.K)"),
        ("1.5e3 W/(m2 K)", "1.5e3 W/(m2 K)"),
        ("850 °C", "850 °C"),
        ("-.5 %", "-.5 %"),
        ("1e5", 1e5),
        ("7", 7),
        ("{low: 1 kW/(m2.K), high: 2 kW/(m2.K)}", {"low": "1 kW/(m2.K)", "high": "2 kW/(m2.K)"}),
        ("{low: '1 kW/(m2.K)', high: 3}", {"low": "1 kW/(m2.K)", "high": 3}),
    ],
)
def test_a_number_with_a_unit_needs_no_quotes(written: str, read: Any) -> None:
    assert job(f"ensemble.inputs.bath={written}").ensemble.inputs["bath"] == read


def test_a_program_gets_another_input() -> None:
    words = ("solver=openfoam_cooling", "solver.program.inputs.depth={ucum: m, low: 0.1}")
    found = job(*words, "solver.program.inputs.ambient.low=150").solver.program.inputs
    assert (found["depth"].ucum, found["depth"].low, found["depth"].default) == ("m", 0.1, None)
    assert (found["ambient"].low, found["ambient"].high) == (150, 400)
    assert job(words[0], f"+{words[1]}").solver.program.inputs["depth"] == found["depth"]


def test_sides_and_units_are_swept() -> None:
    words = ("solver=heat_box", "solver.options.boundaries.x+.h=5,7 kW/(m2.K)", "seed=1,2")
    jobs = compose_points(Kind.simulate, expand(words))
    found = [one.solver.options["boundaries"]["x+"]["h"] for one in jobs]  # type: ignore[union-attr]
    assert found == [5, 5, "7 kW/(m2.K)", "7 kW/(m2.K)"]


def test_other_words_stay_as_they_are() -> None:
    kept = ["train.steps=5", "label='2 kW/(m2.K)'", "~ensemble.inputs.radius", "cluster=dev", "bla"]
    assert spelled(kept) == kept
    assert freed("command.env.RATE=1e-3") == "++command.env.RATE='1e-3'"
    for word in ("solver.options.boundaries.x+.h=5", "ensemble.inputs.a=2 kW/(m2.K)"):
        assert freed(freed(word)) == freed(word)


def test_what_needs_quotes_is_told_with_the_very_line() -> None:
    with pytest.raises(InputError) as caught:
        job("ensemble.constraints=[radius < half_height]")
    assert """'ensemble.constraints=["…"]'""" in caught.value.problems[0].fix


@pytest.mark.parametrize(
    "text",
    [
        "AISI 304 L", "steel 42 CrMo4", "Run 3 of 5", "/data/run 2 b/x", "2026-01-01 10:00 h",
        "1 000 Pa", "2 x + 3 y", "a: 10 mm",
    ],
)  # fmt: skip
def test_a_number_within_a_text_is_left_alone(text: str) -> None:
    word = f"solver.options.grade={text}"
    assert spelled([word]) == [f"++{word}"]


@pytest.mark.parametrize(
    ("written", "quoted"),
    [
        ("20 °C", "'20 °C'"),
        ("[1 mm,2 mm]", "['1 mm','2 mm']"),
        ("{low: 1 kW/(m2.K), high: '2 W'}", "{low: '1 kW/(m2.K)', high: '2 W'}"),
        ("{h1:3 mm}", "{h1:3 mm}"),  # as a clock's `10:00 h`: with a blank it is one
        ("{h1: 3 mm}", "{h1: '3 mm'}"),
    ],
)
def test_a_whole_quantity_is_quoted_wherever_it_stands(written: str, quoted: str) -> None:
    assert spelled([f"solver.options.a={written}"]) == [f"++solver.options.a={quoted}"]


def test_what_takes_away_stays_as_it_is() -> None:
    word = "~solver.program.inputs.initial"
    assert spelled([word]) == [word]
    with pytest.raises(InputError, match="got 'initial', a number, or the name of an input"):
        job("solver=openfoam_cooling", word)  # it is gone, and a field still names it


def test_a_unit_may_be_empty() -> None:
    found = job("solver=openfoam_cooling", "solver.program.fields.temperature.ucum=")
    assert found.solver.program is not None
    assert found.solver.program.fields["temperature"].ucum == ""


@pytest.mark.parametrize(
    "word",
    [
        "solver.program.inputs.x={ucum: m}, y: {ucum: s}",
        "solver.options.boundaries.x+=symmetry, z: 3",
        "solver.options.boundaries.x+=symmetry, adiabatic",
        "solver.program.inputs.x=choice(1,2)",
    ],
)
def test_a_value_does_not_break_out_of_its_braces(word: str) -> None:
    with pytest.raises(InputError) as found:
        job("solver=heat_box" if "options" in word else "solver=openfoam_cooling", word)
    assert [problem.field for problem in found.value.problems] == [word.partition("=")[0]]
