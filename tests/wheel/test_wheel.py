"""The wheel: nothing is missing, nothing is too much, and it works from `/` without a checkout."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from forgia_hpc import sources
from forgia_hpc.rundir import RunDir

pytestmark = pytest.mark.wheel
CHECKOUT = Path(__file__).resolve().parents[2]
ENVIRONMENT_OF_THE_RANK = (
    "import os, pathlib; "
    "print(pathlib.Path(f'/proc/{os.getppid()}/environ').read_text().replace(chr(0), chr(10)))"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as a release does, apart from pip's isolated environment."""
    out = tmp_path_factory.mktemp("dist")
    argv = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = out.iterdir()
    return found


@pytest.fixture(scope="module")
def content(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel alone into a fresh environment that sees our dependencies; return its `bin`."""
    root = tmp_path_factory.mktemp("fresh") / "venv"
    venv.create(root, symlinks=True)
    python = root / "bin" / "python"
    argv = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*argv, "--no-index", "--no-deps", str(wheel)], check=True)
    (site,) = (root / "lib").glob("python*/site-packages")
    others = sysconfig.get_path("purelib")
    (site / "others.pth").write_text(f"import site; site.addsitedir({others!r})\n")
    return root / "bin"


@pytest.fixture(params=["wheel", "editable"])
def bin_dir(request: pytest.FixtureRequest) -> Path:
    """Return where `forgia` is: of the wheel, and of the editable install that runs these tests."""
    if request.param == "wheel":
        return request.getfixturevalue("installed")
    return Path(sys.executable).parent


def call(bin_dir: Path, *words: str, code: int = 0, cwd: str | Path = "/") -> str:
    """Run `forgia` of an installation as a person does who has no checkout; return its stdout."""
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(bin_dir / "forgia"), *words],
        cwd=cwd,
        env={**clean, "PATH": f"{bin_dir}{os.pathsep}/usr/bin{os.pathsep}/bin"},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=240,
    )
    assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def files_of(folder: str) -> dict[str, Path]:
    """Return the checkout's files of a folder, tracked and new; what git ignores is no source."""
    argv = [
        "git",
        "-c",
        f"safe.directory={CHECKOUT}",
        "ls-files",
        "-z",
        "-co",
        "--exclude-standard",
    ]
    said = subprocess.run([*argv, folder], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    return {
        name: CHECKOUT / name for name in said.stdout.split("\0") if (CHECKOUT / name).is_file()
    }


# --- what is in it --------------------------------------------------------------------------------


def test_every_module_is_in_the_wheel(content: dict[str, bytes]) -> None:
    """By the file system, not by git: a line of .gitignore that drops a package must fail here."""
    package = CHECKOUT / "forgia_hpc"
    wanted = {
        path.relative_to(CHECKOUT).as_posix(): path.read_bytes() for path in package.rglob("*.py")
    }
    assert wanted
    code = {
        name: data
        for name, data in content.items()
        if name.startswith("forgia_hpc/") and not name.startswith("forgia_hpc/_shipped/")
    }
    assert {name: data for name, data in code.items() if name.endswith(".py")} == wanted
    assert code.keys() - wanted.keys() == files_of("forgia_hpc").keys() - wanted.keys()


@pytest.mark.parametrize("folder", sources.FOLDERS)
def test_the_outer_folders_are_shipped_whole_and_nothing_else(
    folder: str, content: dict[str, bytes]
) -> None:
    wanted = files_of(folder)
    assert wanted
    head = "forgia_hpc/_shipped/"
    found = {
        name.removeprefix(head): data
        for name, data in content.items()
        if name.startswith(f"{head}{folder}/")
    }
    assert found.keys() == wanted.keys()
    assert [name for name in wanted if found[name] != wanted[name].read_bytes()] == []


def test_no_data_no_tests_and_nothing_large(content: dict[str, bytes]) -> None:
    tops = {name.partition("/")[0] for name in content}
    assert {re.sub(r"-[0-9].*\.dist-info", ".dist-info", top) for top in tops} == {
        "forgia_hpc",
        "forgia_hpc.dist-info",
    }
    shipped = {name.split("/")[2] for name in content if name.startswith("forgia_hpc/_shipped/")}
    assert shipped == set(sources.FOLDERS)
    suffixes = (".h5", ".pack", ".csv", ".parquet", ".safetensors", ".pt", ".pyc", ".so")
    assert [name for name in content if name.endswith(suffixes)] == []
    assert [name for name in content if "/tests/" in name or "/test_" in name] == []
    assert {name: len(data) for name, data in content.items() if len(data) > 500_000} == {}


# --- that it works --------------------------------------------------------------------------------


def test_the_wheel_wins_over_the_checkout(installed: Path) -> None:
    argv = [installed / "python", "-P", "-c", "import forgia_hpc; print(forgia_hpc.__file__)"]
    said = subprocess.run(argv, cwd="/", capture_output=True, text=True, check=True).stdout
    assert Path(said.strip()).is_relative_to(installed.parent)


def test_programs_of_the_dev_slurm_stay_programs(installed: Path) -> None:
    (site,) = (installed.parent / "lib").glob("python*/site-packages")
    for name in ("up", "down", "inside"):
        path = site / "forgia_hpc" / "_shipped" / "slurm" / "dev" / name
        assert path.stat().st_mode & stat.S_IXUSR, path
    done = subprocess.run(
        [path.with_name("up"), "--help"], cwd="/", capture_output=True, check=True
    )
    assert b"four-node Slurm" in done.stdout


def test_help_and_config_groups_are_the_same_everywhere(installed: Path) -> None:
    editable = Path(sys.executable).parent
    for words in (["--help"], ["config", "show", "train", "--groups"], ["config", "show", "train"]):
        said = call(installed, *words)
        assert said == call(editable, *words)
        assert said.strip()
    assert "telemetry_nano" in call(installed, "config", "show", "train", "--groups")


def test_a_dry_run_prints_the_script(bin_dir: Path) -> None:
    asked = ["resources.account=someproject", "resources.walltime=00:30:00"]
    words = ["cluster=leonardo_booster", *asked, "--dry-run"]
    text = call(bin_dir, "submit", "train", *words)
    assert text.startswith("#!/bin/bash\n")
    assert "#SBATCH --account=someproject\n" in text
    (last,) = [line for line in text.splitlines() if line.startswith("exec ")]
    assert f"exec {bin_dir}/python" in last
    assert "-m forgia_hpc.node.batch" in last


def test_a_job_started_in_a_checkout_runs_the_sealed_code(bin_dir: Path, tmp_path: Path) -> None:
    """Were the checkout imported anywhere between the shell and the rank, the job would not complete."""
    checkout = tmp_path / "checkout"
    (checkout / "forgia_hpc").mkdir(parents=True)
    (checkout / "forgia_hpc" / "__init__.py").write_text("raise SystemExit('the checkout ran')\n")
    words = ["run", "command", "--json", "--", "python", "-c", ENVIRONMENT_OF_THE_RANK]
    said = json.loads(call(bin_dir, *words, cwd=checkout))
    run = RunDir(Path(said["path"]))
    assert said["state"] == "completed"
    assert f"PYTHONPATH={run.code}" in (run.logs / "rank-0.log").read_text().splitlines()
    assert Path(json.loads(run.job.read_text())["python"]).parent == bin_dir


def test_wheel_and_checkout_seal_the_same_code(installed: Path) -> None:
    runs = [
        RunDir(Path(json.loads(call(each, "run", "command", "--json", "--", "true"))["path"]))
        for each in (installed, Path(sys.executable).parent)
    ]
    of_wheel, of_checkout = (json.loads(run.manifest.read_text())["code"] for run in runs)
    assert of_wheel == of_checkout
    assert "forgia_hpc/node/batch.py" in of_wheel


def test_a_dataset_is_made_and_checked(bin_dir: Path, tmp_path: Path) -> None:
    call(bin_dir, "data", "ingest", "demo_press")
    assert (tmp_path / "data" / "demo_press" / "manifest.json").is_file()
    assert "demo_press: sound" in call(bin_dir, "data", "check", "demo_press")
