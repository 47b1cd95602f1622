"""Sweep overrides become points as Hydra would make them, composed once a family and typed all the same."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from forgia_hpc.config.compose import compose_job
from forgia_hpc.config.expand import MOST, expand, read_lines
from forgia_hpc.config.points import compose_points
from forgia_hpc.errors import InputError
from forgia_hpc.schema.job import Kind


def words_of(*overrides: str, lines: tuple[str, ...] = ()) -> list[str]:
    return [" ".join(one.own) for one in expand(overrides, lines)]


def test_the_product_of_all_sweeps_in_the_order_of_the_words() -> None:
    assert words_of("seed=range(2)", "label=x", "train.steps=choice(5,7)") == [
        "seed=0 train.steps=5",
        "seed=0 train.steps=7",
        "seed=1 train.steps=5",
        "seed=1 train.steps=7",
    ]
    assert words_of("parallel=glob(*,exclude=[zero2,zero3])") == [
        "parallel=zero0",
        "parallel=zero1",
    ]
    assert words_of("seed=sort(3,1,2)")[0] == "seed=1"
    assert words_of("label='a,b'") == [""]  # quoted: one value


def test_a_point_of_a_file_is_known_by_the_words_that_differ() -> None:
    lines = ("seed=1 label=x", "seed=2 label=x", "seed=2 label=x train.steps=3")
    assert words_of("cluster=dev", lines=lines) == ["seed=1", "seed=2", "seed=2 train.steps=3"]


def test_a_file_holds_one_line_of_overrides_a_point(tmp_path: Path) -> None:
    path = tmp_path / "points.txt"
    path.write_text("# mine\nseed=1 label='two words'\n\nseed=2  # the second\n")
    found = expand(["train.steps=5"], read_lines(path))
    assert [one.words for one in found] == [
        ("train.steps=5", "seed=1", "label=two words"),
        ("train.steps=5", "seed=2"),
    ]
    path.write_text("# nothing\n")
    with pytest.raises(InputError, match="one line of overrides a point"):
        read_lines(path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("seed=interval(0,1)",), "an interval has no points"),
        (("a b=1",), "not in Hydra's grammar"),
        ((f"seed=range({MOST + 1})",), f"at most {MOST} points"),
    ],
)
def test_what_is_no_sweep_is_refused(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        expand(words)


def test_every_point_is_what_hydra_alone_would_compose() -> None:
    asked = expand(
        [
            "data=demo,refinery",
            "experiment=demo",
            "optimizer.learning_rate=1e-3,3e-4",
            "resources.walltime='10:00:00','00:10:00'",
            "model.options.width=32,64",
            "launch=null,processes",
            "seed=range(3)",
        ]
    )
    jobs = compose_points(Kind.train, asked)
    for index in random.Random(7).sample(range(len(asked)), 8):
        assert jobs[index] == compose_job(Kind.train, asked[index].words)


def test_words_that_are_no_plain_values_are_composed_by_hydra_itself() -> None:
    asked = expand(["++label=x,y", "model.options={width: 32},{width: 64}"])
    jobs = compose_points(Kind.train, asked)
    assert [(job.label, job.model.options["width"]) for job in jobs] == [  # type: ignore[union-attr]
        ("x", 32),
        ("x", 64),
        ("y", 32),
        ("y", 64),
    ]


def test_points_share_no_section_that_is_completed_later() -> None:
    first, second = compose_points(Kind.command, expand(["seed=1,2"]))
    first.command.argv = ["changed"]  # type: ignore[union-attr]
    assert second.command.argv == []  # type: ignore[union-attr]


def test_each_wrong_point_tells_all_that_is_wrong_with_it() -> None:
    found = compose_points(Kind.train, expand(["train.steps=0,5,x", "resources.nodes=1,0"]))
    fields = [
        sorted(problem.field for problem in one.problems) if isinstance(one, InputError) else []
        for one in found
    ]
    steps, nodes = "train.steps", "resources.nodes"
    assert fields == [[steps], [nodes, steps], [], [nodes], [steps], [steps]]


def test_a_thousand_wrong_points_are_not_composed_one_by_one() -> None:
    found = compose_points(Kind.train, expand(["train.steps=0", "seed=range(1000)"]))
    assert all(isinstance(one, InputError) for one in found)
    assert "not checked" in str(found[-1])
