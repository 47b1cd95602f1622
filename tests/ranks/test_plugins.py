"""The plug-ins that are shipped: each reproduces a known solution with the real program, and makes a dataset."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest
import yaml
from fakes.pages import examples
from fakes.programs import MEMBER, gone, running
from omegaconf import OmegaConf

from forgia_hpc.schema.simulation import Solver
from forgia_hpc.simulate.communicator import Alone
from forgia_hpc.simulate.member import MemberError
from forgia_hpc.simulate.solvers import check_machine, open_solver

pytestmark = pytest.mark.ranks

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "solver"


def opened(name: str):
    words = OmegaConf.merge(OmegaConf.structured(Solver), OmegaConf.load(CONFIGS / f"{name}.yaml"))
    solver = open_solver(OmegaConf.to_object(words))
    check_machine(solver, Alone())
    return solver


def solved(solver, directory: Path, level: int = 0, **inputs: float):
    directory.mkdir()
    own = {one.name: one.default for one in solver.inputs()} | inputs
    case = solver.prepare(replace(MEMBER, inputs=own, level=level), Alone(), directory)
    solver.run(case, lambda: False)
    output = solver.extract(case)
    failed = [one for one in solver.check(case, output) if not one.passed]
    return output, failed


@pytest.mark.parametrize("level", [0, 1])
def test_calculix_finds_lames_cylinder(tmp_path, level):
    """a=1, b=2, p=1, nu=.3, plane strain: hoop(a) = 5/3, E u(a) = 1.906667."""
    inputs = {"pressure": 1.0, "young": 1.0, "poisson": 0.3, "expansion": 0.0}
    output, failed = solved(opened("calculix_cylinder"), tmp_path / "member", level, **inputs)
    assert not failed
    # ccx makes a wedge of 2 degrees of an axisymmetric element: 1e-4 is what that costs
    assert output.fields["stress_hoop"][-1, 0] == pytest.approx(5 / 3, rel=2e-4)
    assert output.fields["displacement"][-1, 0] == pytest.approx(1.906667, rel=2e-4)
    assert output.fields["stress_radial"][-1, 0] == pytest.approx(-1, abs=2e-3)
    assert output.times.tolist() == [share / 8 for share in range(1, 9)]
    halfway = output.fields["stress_hoop"][3] / output.fields["stress_hoop"][-1]
    assert halfway == pytest.approx(np.full(33, 0.5), rel=1e-4)


def test_calculix_finds_the_warm_hollow_cylinder(tmp_path):
    """A logarithmic temperature, 1 inside, 0 outside: hoop (1 - nu) / (E alpha) = -0.611986 and +0.388014."""
    inputs = {"pressure": 0.0, "difference": 1.0, "young": 1.0, "poisson": 0.3, "expansion": 1.0}
    output, failed = solved(opened("calculix_cylinder"), tmp_path / "member", **inputs)
    assert not failed
    ends = output.fields["stress_hoop"][-1, [0, -1]] * 0.7
    assert ends == pytest.approx([-0.611986, 0.388014], abs=1e-4)
    radius = np.linspace(1, 2, 33)
    expected = 1 - np.log(radius) / np.log(2)
    assert output.fields["temperature"][-1] == pytest.approx(expected, abs=1e-5)


def test_an_error_of_ccx_is_one_of_the_member(tmp_path):
    with pytest.raises(MemberError) as caught:
        solved(opened("calculix_cylinder"), tmp_path / "member", young=-1.0)
    assert caught.value.kind in ("exit_code", "error_in_log"), str(caught.value)


def plate(biot: float, fourier: float, places: np.ndarray) -> np.ndarray:
    """Return theta of a plate of half-thickness 1 that cools by convection: its series."""
    theta = np.zeros_like(places)
    for number in range(40):
        low, high = number * np.pi, number * np.pi + np.pi / 2
        for _ in range(100):
            root = (low + high) / 2
            low, high = (low, root) if root * np.tan(root) > biot else (root, high)
        share = 4 * np.sin(root) / (2 * root + np.sin(2 * root))
        theta += share * np.exp(-(root**2) * fourier) * np.cos(root * places)
    return theta


@pytest.mark.parametrize("biot", [0.1, 1.0, 10.0])
def test_openfoam_cools_a_bar_as_the_series_says(tmp_path, biot):
    """The product of two plates. Half a width 0.05 m; after 200 s the Fourier number is 0.5."""
    places = (np.arange(32) + 0.5) / 32
    assert plate(1.0, 0.5, np.array([0.0, 1.0])) == pytest.approx(
        [0.77252638, 0.50452193], abs=1e-8
    )
    inputs = {
        "initial": 1100.0,
        "ambient": 300.0,
        "conductivity": 30.0,
        "heat_transfer": biot * 30 / 0.05,
        "heat_capacity": 30 * 200 / (0.5 * 0.05**2),
    }
    output, failed = solved(opened("openfoam_cooling"), tmp_path / "member", **inputs)
    assert not failed
    theta = (output.fields["temperature"] - 300) / 800
    assert output.times.tolist() == list(range(0, 201, 20))
    for step, moment in list(enumerate(output.times))[1:]:
        line = plate(biot, 0.5 * moment / 200, places)
        assert np.abs(theta[step] - np.outer(line, line)).max() < 2.5e-3, moment
    line = plate(biot, 0.5, places)
    assert np.abs(theta[-1] - np.outer(line, line)).max() < 3e-4


def test_openfoam_lets_taylors_vortices_decay(tmp_path):
    """nu .01, k 1, t 10: the velocity falls to .8187307531 of the first, within 0.002 on 48 x 48 cells."""
    solver = opened("openfoam_taylor_green")
    output, failed = solved(solver, tmp_path / "member", viscosity=0.01, speed=1.0)
    assert not failed
    first, last = output.fields["velocity"][0], output.fields["velocity"][-1]
    factor = float((last * first).sum() / (first**2).sum())
    assert factor == pytest.approx(0.8187307531, abs=2e-3)
    assert np.abs(last - 0.8187307531 * first).max() < 3e-3


@pytest.mark.parametrize(
    ("solver", "ensemble", "members"),
    [("calculix_cylinder", "cylinder", 4), ("openfoam_cooling", "bar_cooling", 2)],
)
def test_a_campaign_of_a_plug_in_makes_a_dataset(forgia, tmp_path, solver, ensemble, members):
    done = forgia(
        *("run", "simulate", f"solver={solver}", f"ensemble={ensemble}", "--json"),
        *(f"ensemble.members={members}", "ensemble.refine_share=0.5"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    run = Path(json.loads(done.stdout)["path"])
    told = json.loads((run / "result.json").read_text())["simulate"]
    assert (told["admitted"], told["rejected"], told["poison"]) == (members, 0, 0)
    assert told["refined"] == members // 2
    shards = sorted((tmp_path / "data").rglob("*.h5"))
    stored = 0
    for path in shards:
        with h5py.File(path) as shard:
            stored += shard.attrs["n_trajectories"]
    assert stored == members


@pytest.mark.parametrize("solver", ["my_bar", "my_slab"])
def test_the_solvers_of_the_documentation_make_a_dataset(forgia, tmp_path, solver):
    mine = examples("solvers.md", tmp_path / "mine")
    inputs = {
        "my_bar": ("hot={low: 600 K, high: 900 K}", "rate=0.5"),
        "my_slab": ("left={low: 300 K, high: 400 K}", "right=500 K"),
    }[solver]
    done = forgia(
        *("run", "simulate", f"solver={solver}", "ensemble=own", "--json"),
        *(f"ensemble.inputs.{one}" for one in inputs),
        *("ensemble.members=4", "ensemble.refine_share=0", "ensemble.dataset=mine"),
        FORGIA_PATH=str(mine),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    run = Path(json.loads(done.stdout)["path"])
    assert json.loads((run / "result.json").read_text())["simulate"]["admitted"] == 4


def campaign(forgia, mine: Path, *words: str):
    examples("solvers.md", mine)
    return forgia(
        *("run", "simulate", "solver=my_bar", "ensemble=own", "--json", "ensemble.members=2"),
        *("ensemble.inputs.hot={low: 600 K, high: 900 K}", "ensemble.inputs.rate=0.5"),
        *("ensemble.refine_share=0", "ensemble.dataset=mine", *words),
        FORGIA_PATH=str(mine),
    )


def the_run(tmp_path: Path) -> Path:
    return next((tmp_path / "runs").iterdir())


def test_another_version_ends_the_campaign_before_its_first_member(forgia, tmp_path):
    version = "solver.program.version={argv: [python3, -V], says: Python 2.7}"
    done = campaign(forgia, tmp_path / "mine", version)
    assert done.returncode != 0
    assert "a version that says 'Python 2.7' is needed" in done.stdout + done.stderr
    assert not (tmp_path / "data" / "mine").exists()
    assert not (the_run(tmp_path) / "output" / "campaign" / "rejected").exists()


def test_members_that_leave_nothing_are_kept_with_the_reason_and_make_no_dataset(forgia, tmp_path):
    done = campaign(forgia, tmp_path / "mine", "solver.program.leaves=[result.txt]")
    assert done.returncode != 0
    rejected = sorted((the_run(tmp_path) / "output" / "campaign" / "rejected").iterdir())
    assert len(rejected) == 2
    for kept in rejected:
        reason = json.loads((kept / "reason.json").read_text())
        assert reason["ending"] == "poison"
        assert reason["failures"] == "2 times no_output"
        assert reason["why"] == "python3 ended with 0, and result.txt is not there"
        assert (kept / "case" / "field.txt").stat().st_size
        assert (kept / "command-0.log").exists()
    assert not list((tmp_path / "data").rglob("*.h5"))


def test_a_group_and_its_keeper_killed_at_once_leave_nobody(forgia, tmp_path, monkeypatch):
    monkeypatch.setenv("FORGIA_PATH", str(examples("solvers.md", tmp_path / "mine")))
    words = ("solver=my_bar", "ensemble=own", "ensemble.members=2", "ensemble.refine_share=0")
    inputs = ("ensemble.inputs.hot={low: 600 K, high: 900 K}", "ensemble.inputs.rate=0.5")
    commands = (
        "solver.program.commands=[[sh,-c,'(setsid sleep 300 &) ; sleep 300'],[python3,bar.py]]"
    )
    job = subprocess.Popen(
        [sys.executable, "-m", "forgia_hpc.cli.main", "run", "simulate", *words, *inputs, commands],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        first = asleep(tmp_path / "runs", 2)
        keeper = next(one for one in psutil.process_iter() if is_keeper(one, tmp_path))
        group = keeper.parent()
        for process in (group, keeper):
            process.kill()
        second = asleep(tmp_path / "runs", 2, without=first)  # the member is solved again
        assert not first & set(running(tmp_path / "runs"))
    finally:
        forgia("cancel", the_run(tmp_path).name)
        job.wait(60)
    assert gone(tmp_path / "runs", 20), second


def asleep(directory: Path, count: int, without: Collection[int] = ()) -> set[int]:
    """Wait until so many `sleep` run below the directory; return them."""
    until = time.monotonic() + 60
    found: set[int] = set()
    while len(found) < count and time.monotonic() < until:
        time.sleep(0.1)
        found = {pid for pid, name in running(directory).items() if name == "sleep"} - set(without)
    assert len(found) == count, running(directory)
    return found


def is_keeper(process: psutil.Process, directory: Path) -> bool:
    """Whether this is the keeper of a member below the directory."""
    try:
        words, place = " ".join(process.cmdline()), process.cwd()
    except psutil.Error:
        return False
    return "command.keeper" in words and Path(place).is_relative_to(directory)


def test_each_plug_in_is_thirty_lines_of_yaml():
    found = [
        path
        for path in CONFIGS.glob("*.yaml")
        if yaml.safe_load(path.read_text())["kind"] == "command"
    ]
    assert len(found) == 3
    assert all(len(path.read_text().splitlines()) <= 30 for path in found)
