"""README and docs say what is so: links lead somewhere, commands parse and compose, example files load."""

from __future__ import annotations

import contextlib
import importlib
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
import torch

from forgia_hpc.cli.main import VERBS
from forgia_hpc.cli.main import forgia as group
from forgia_hpc.config.compose import compose_job
from forgia_hpc.config.expand import expand
from forgia_hpc.config.groups import groups
from forgia_hpc.data.ingest.load import load_source
from forgia_hpc.errors import InputError
from forgia_hpc.jobs.ensemble import user_code
from forgia_hpc.jobs.plan import Wish, make_plan
from forgia_hpc.models.table import resolve
from forgia_hpc.schema.job import Kind
from forgia_hpc.simulate.communicator import Alone
from forgia_hpc.simulate.members import from_json
from forgia_hpc.simulate.solvers import open_solver
from forgia_hpc.slurm.cluster import cluster_names, load_cluster

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = [CHECKOUT / "README.md", CHECKOUT / "CHANGELOG.md", *sorted(CHECKOUT.glob("docs/**/*.md"))]
CONTEXT = click.Context(group)

_FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_EXAMPLE = re.compile(r"(?:# @package _global_\n)?# mine/(\S+)\n")


@dataclass(frozen=True)
class Line:
    """A `forgia …` line of a page."""

    page: str
    words: tuple[str, ...]  # without `forgia`

    def __str__(self) -> str:
        return f"{self.page}: forgia {shlex.join(self.words)}"


def fences(text: str) -> list[str]:
    return _FENCE.findall(text)


def lines_of(page: str, block: str) -> Iterator[Line]:
    """Yield the command lines of a block; a prompt, variables before and a comment behind are no words."""
    for raw in block.replace("\\\n", " ").splitlines():
        words = re.sub(r"^\$ ", "", raw.strip())
        words = re.sub(r"^([A-Z_]+=\S* )+", "", words)
        if words.startswith("forgia "):
            yield Line(page, _until_pipe(shlex.split(words, comments=True))[1:])


def _until_pipe(words: list[str]) -> tuple[str, ...]:
    ends = [words.index(mark) for mark in ("|", "&&", "||", ";", ">", "&") if mark in words]
    return tuple(words[: min(ends, default=len(words))])


def every_line() -> list[Line]:
    return [
        line
        for page in PAGES
        for block in fences(page.read_text(encoding="utf-8"))
        for line in lines_of(page.name, block)
    ]


def inline_lines() -> list[Line]:
    """The lines in the middle of a sentence; `forgia VERB` and `forgia …` stand for any."""
    found = []
    for page in PAGES:
        prose = _FENCE.sub("", page.read_text(encoding="utf-8"))
        for span in _INLINE.findall(prose):
            words = " ".join(span.split()).split(" ")
            if words[0] == "forgia" and len(words) > 1 and words[1] not in ("VERB", "…"):
                found.append(Line(page.name, tuple(word for word in words[1:] if word != "…")))
    return found


# --- links ----------------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """Return the anchors of a page as GitHub makes them of its headings."""
    headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", text), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings
    }


def broken_links(page: Path, text: str) -> list[str]:
    prose = _INLINE.sub("", _FENCE.sub("", text))
    found = []
    for target in _LINK.findall(prose):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        inside = path == CHECKOUT or CHECKOUT in path.parents
        if not inside or not path.exists():
            found.append(f"{page.name}: {target}: no such file")
        elif anchor and anchor not in anchors(path.read_text(encoding="utf-8") if name else text):
            found.append(f"{page.name}: {target}: no such heading")
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_no_link_is_broken(page: Path) -> None:
    assert broken_links(page, page.read_text(encoding="utf-8")) == []


def test_a_broken_link_is_found() -> None:
    page = CHECKOUT / "docs" / "README.md"
    text = (
        "# Here\n[a](start.md) [b](#here) [c](https://x.y) [d](no.md) [e](start.md#no) [f](../../x)"
    )
    assert [line.split(": ")[1] for line in broken_links(page, text)] == [
        "no.md",
        "start.md#no",
        "../../x",
    ]


# --- commands -------------------------------------------------------------------------------------


def parse(words: tuple[str, ...]) -> None:
    """Parse a line as the command line does, without calling anything.

    Raises:
        click.UsageError: no such verb or option, or a word too many or too few.
    """
    command: click.Command = group
    path = "forgia"
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        path = f"{path} {rest[0]}"
        found = command.get_command(CONTEXT, rest.pop(0))
        if found is None:
            raise click.UsageError(f"no such command: {path}")
        command = found
    with contextlib.suppress(click.exceptions.Exit):  # --help
        command.make_context(path, rest, resilient_parsing=False)


def misfits(line: Line) -> list[str]:
    """Return what does not compose in a line that describes a job."""
    own = line.words[: line.words.index("--")] if "--" in line.words else line.words
    plain = [word for word in own if "=" in word and not word.startswith("-")]
    kinds = [Kind(word) for word in own if word in Kind.__members__]
    if own[0] == "rerun":  # its KIND stands in the run
        kinds = [Kind.train]
    if own[:2] == ("data", "plan"):  # a training's, unless it says another --purpose
        kinds = kinds or [Kind.train]
    if not kinds:
        return [f"{word}: in a line without KIND" for word in plain]
    problems = [
        f"cluster {name} is unknown"
        for key, _, name in (word.partition("=") for word in plain)
        if key == "cluster" and name not in cluster_names()
    ]
    try:
        if kinds[0] is Kind.chain:
            for word in plain:  # of one member, whose kind stands in the file
                expand([word.rpartition(":")[2]])
        elif own[0] == "sweep":
            expand(plain)
            compose_job(kinds[0], expand(plain)[0].words)
        else:
            compose_job(kinds[0], plain)
    except InputError as error:
        problems += [str(problem) for problem in error.problems]
    return problems


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Write the example files of the pages into one root of $FORGIA_PATH; return them by name."""
    found = {}
    for page in PAGES:
        for block in fences(page.read_text(encoding="utf-8")):
            named = _EXAMPLE.match(block)
            if named:
                path = tmp_path / "mine" / named[1]
                assert not path.exists(), f"{named[1]} stands in two blocks"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block, encoding="utf-8")
                found[named[1]] = path
    monkeypatch.setenv("FORGIA_PATH", str(tmp_path / "mine"))
    return found


@pytest.mark.parametrize("line", every_line(), ids=str)
def test_every_line_parses_and_composes(line: Line, mine: dict[str, Path]) -> None:
    parse(line.words)
    assert misfits(line) == []


@pytest.mark.parametrize("line", inline_lines(), ids=str)
def test_every_line_in_a_sentence_parses(line: Line) -> None:
    with contextlib.suppress(click.MissingParameter):  # in a sentence a verb may stand by its name
        parse(line.words)


@pytest.mark.parametrize(
    "words", ["fly", "status --reconcile", "data fly", "submit fly", "report", "logs --rank x RUN"]
)
def test_a_wrong_command_is_found(words: str) -> None:
    with pytest.raises(click.UsageError):
        parse(tuple(words.split()))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("run train train.stepz=3", "train.stepz"),
        ("run train model=big", "model"),
        ("submit train cluster=nowhere", "cluster"),
        ("status train.steps=3", "KIND"),
        ("run train train.steps=-1", "train.steps"),
    ],
)
def test_a_line_that_does_not_compose_is_found(words: str, told: str) -> None:
    assert any(told in problem for problem in misfits(Line("", tuple(words.split()))))


def test_lines_are_read_as_a_shell_reads_them() -> None:
    block = "$ A=1 forgia run train \\\n  'a={b: c}' | tail  # so\nnot forgia x\nforgia status"
    words = [line.words for line in lines_of("", block)]
    assert words == [("run", "train", "a={b: c}"), ("status",)]


def every_command() -> list[str]:
    found = []
    for verb in VERBS:
        command = group.get_command(CONTEXT, verb)
        members = command.list_commands(CONTEXT) if isinstance(command, click.Group) else [""]
        found += [f"{verb} {name}".strip() for name in members]
    return found


@pytest.mark.parametrize("name", every_command())
def test_every_verb_is_documented(name: str) -> None:
    said = [" ".join(line.words) + " " for line in (*every_line(), *inline_lines())]
    assert any(words.startswith(f"{name} ") for words in said)


# --- example files --------------------------------------------------------------------------------


def test_the_example_files_load(mine: dict[str, Path]) -> None:
    known = {**groups(Kind.simulate), **groups(Kind.train)}
    for name, path in mine.items():
        folder, *_ = name.split("/")
        if folder == "slurm":
            assert load_cluster(path.stem).name == path.stem
        elif folder == "datasets":
            card, recipe = load_source(path.parent.name)
            assert card.name == path.parent.name
            assert recipe is not None
        elif folder == "configs":
            assert path.stem in known[path.parent.name]
            kind = Kind.simulate if path.parent.name in ("solver", "ensemble") else Kind.train
            compose_job(kind, [f"{path.parent.name}={path.stem}"])
        else:
            assert path.suffix == ".py"
    assert {name.split("/")[0] for name in mine} == {
        "my_bar",
        "my_models.py",
        "my_slab.py",
        "my_solvers.py",
        "configs",
        "slurm",
        "datasets",
    }


def test_the_example_ensemble_is_frozen_and_its_solver_solves(mine: dict[str, Path]) -> None:
    plan = make_plan(Wish(kind=Kind.simulate, overrides=["solver=ball", "ensemble=balls"]))
    members = from_json(plan.data["members"])
    assert len(members.members) == 200
    with user_code():
        solver = open_solver(plan.job.solver)  # type: ignore[attr-defined]
    case = solver.prepare(members.members[0], Alone(), mine["my_solvers.py"].parent)
    solver.run(case, lambda: False)
    output = solver.extract(case)
    assert [one.passed for one in solver.check(case, output)] == [True]
    sys.modules.pop("my_solvers")


def test_the_example_model_learns(mine: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(mine["my_models.py"].parent))
    importlib.invalidate_caches()
    job = compose_job(Kind.train, ["model=my_linear"])
    torch.manual_seed(0)
    model = resolve(job.model.family)(dict(job.model.options), context=96, horizon=16)
    sys.modules.pop("my_models")
    steps = torch.arange(112) + torch.arange(8)[:, None]
    series = 500 + 30 * torch.sin(steps / 5)
    series[0, 90:100] = torch.nan
    series[1] = 7.0
    context, target, group_ids = series[:, :96], series[:, 96:], torch.arange(8)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = model(context, target, group_ids)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    forecast = model.forecast(context, group_ids, 16)
    assert forecast.shape == (8, 3, 16)
    assert bool(torch.isfinite(forecast).all())
    assert bool((forecast.diff(dim=1) >= 0).all())
