"""The command line as users and scripts meet it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from forgia_hpc.cli.main import VERBS
from forgia_hpc.cli.main import forgia as group
from forgia_hpc.slurm.cluster import cluster_names

HEAVY = {"torch", "deepspeed", "mpi4py", "h5py", "chronos", "transformers"}


def every_command() -> dict[str, click.Command]:
    context = click.Context(group)
    found: dict[str, click.Command] = {}
    for verb in VERBS:
        command = group.get_command(context, verb)
        assert command is not None
        parts = command.list_commands(context) if isinstance(command, click.Group) else [""]
        for name in parts:  # members of a group may be imported when they are called
            member = command.get_command(context, name) if name else command
            assert member is not None
            found[f"{verb} {name}".strip()] = member
    return found


def test_the_options_are_frozen() -> None:
    """Scripts depend on them: a change here is a change for everybody."""
    found = {
        name: sorted(
            option
            for parameter in command.params
            if isinstance(parameter, click.Option)
            for option in parameter.opts
        )
        for name, command in every_command().items()
    }
    assert found == json.loads((Path(__file__).parent / "options.json").read_text())


@pytest.mark.parametrize("name", sorted(every_command()))
def test_every_verb_explains_itself_with_an_example(name: str) -> None:
    command = every_command()[name]
    assert command.help
    if name != "completion":
        assert command.epilog
        assert f"forgia {name.split(maxsplit=1)[0]}" in command.epilog


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        [
            "submit",
            "command",
            "cluster=leonardo_booster",
            "resources.account=a",
            "resources.walltime=00:30:00",
            "--dry-run",
            "--",
            "x",
        ],
        [
            "submit",
            "train",
            "cluster=leonardo_booster",
            "resources.account=a",
            "resources.walltime=00:30:00",
            "--dry-run",
        ],
        [
            "submit",
            "simulate",
            "cluster=leonardo_booster",
            "resources.account=a",
            "resources.walltime=00:30:00",
            "--dry-run",
        ],
        ["status"],
        ["cluster", "list"],
        ["config", "show", "train"],
    ],
)
def test_nothing_heavy_is_imported_on_the_login_node(words: list[str]) -> None:
    code = (
        "import sys\nfrom forgia_hpc.cli import main\nsys.argv = ['forgia', *sys.argv[1:]]\n"
        "try:\n    main.main()\nexcept SystemExit as end:\n    code = end.code\n"
        "sys.stderr.write('LOADED ' + ' '.join(m for m in sys.modules if '.' not in m))\nsys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stderr.rpartition("LOADED ")[2].split())
    assert not HEAVY & loaded
    if (
        "simulate" in words
    ):  # an ensemble's design is NumPy's and SciPy's work; solvers compile on the node
        assert "scipy" in loaded
        assert "numba" not in loaded
    if words == ["--help"]:
        assert not {"rich", "hydra", "omegaconf", "submitit", "numpy", "yaml"} & loaded


def test_the_dry_run_prints_the_script_alone_on_stdout(forgia) -> None:
    words = ["submit", "train", "cluster=leonardo_booster", "resources.account=AIFAC_L01"]
    done = forgia(*words, "resources.walltime=00:30:00", "--dry-run", PATH="/nowhere")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("#!/bin/bash\n")
    assert "exec " in done.stdout.strip().splitlines()[-1]
    assert "may cost up to 16 core-h (0.5 node-h, 2 GPU-h)" in done.stderr
    assert "not checked here" in done.stderr
    assert not Path(os.environ["FORGIA_RUNS"]).exists()


def test_every_problem_is_told_at_once_with_exit_code_2(forgia) -> None:
    words = [
        "submit",
        "train",
        "cluster=leonardo_booster",
        "resources.nodes=80",
        "data.dataset=nope",
    ]
    done = forgia(*words, "resources.walltime=30:00:00", "--json")
    assert done.returncode == 2
    problems = json.loads(done.stdout)["problems"]
    fields = {problem["field"] for problem in problems}
    assert {"resources.account", "resources.nodes", "resources.walltime"} <= fields
    assert all(set(problem) == {"field", "got", "limit", "where", "fix"} for problem in problems)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words", [["submit"], ["submit", "bogus"], ["nosuch"], ["budget", "release", "acc", "x"]]
)
def test_wrong_words_are_one_json_object_too(forgia, words: list[str]) -> None:
    done = forgia(*words, "--json")
    assert done.returncode == 2
    (problem,) = json.loads(done.stdout)["problems"]
    assert problem["limit"]
    assert problem["fix"].endswith("--help")


def test_a_programs_own_json_is_not_ours(forgia) -> None:
    done = forgia("submit", "command", "resources.nodes=0", "--", "x", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "resources.nodes" in done.stderr


def test_an_interpolation_of_another_type_is_told(forgia) -> None:
    words = ["submit", "train", "resources.nodes=${oc.env:ODD}", "--dry-run"]
    done = forgia(*words, ODD="hunter2")
    assert done.returncode == 2
    assert "resources.nodes" in done.stderr
    assert "hunter2" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["submit", "train", "cluster=leonardo"], "one of alps, dev, "),
        (["submit", "command"], "a program is needed"),
        (["submit", "train", "--", "python"], "only a command job takes a program"),
        (["submit", "evaluate"], "a train run is needed"),
        (["submit", "evaluate", "evaluate.run=nope"], "no such run"),
        (["run", "train", "data.dataset=nope"], "no readable manifest.json"),
        (["submit", "prepare", "prepare.contributions=[nope]"], "one of consortium"),
        (["submit", "command", "cluster=dev", "--", "x"], "FORGIA_DEV_SLURM is not set"),
        (["status", "nope"], "no such run"),
        (["logs", "nope"], "no such run"),
        (["cancel"], "at least one is needed"),
        (["data", "info", "nope"], "forgia data ingest nope"),
        (["submit", "command", "--after", "nope", "--", "x"], "no such run"),
        (["nonsense"], "No such command"),
        (["run", "nonsense"], "is not one of"),
        (["run", "chain"], "a chain is many jobs; forgia submit chain chain=…"),
    ],
)
def test_bad_input_is_one_clear_line(forgia, words: list[str], says: str) -> None:
    done = forgia(*words)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_kind_that_does_not_run_here_is_not_offered(forgia) -> None:
    assert "evaluate|command}" in forgia("run", "--help").stdout
    assert "command|chain}" in forgia("submit", "--help").stdout


def test_a_gpu_that_is_not_there_verifies_nothing(forgia) -> None:
    words = ["verify", "V13", "--backend", "torch", "--device", "cuda"]
    done = forgia(*words, CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "--device: got 'cuda', torch sees no GPU here" in done.stderr
    assert done.stdout == ""


def test_completion_knows_verbs_groups_options_and_runs(forgia, tmp_path: Path) -> None:
    def offered(*words: str) -> set[str]:
        line = ["forgia", *words]
        done = forgia(
            _FORGIA_COMPLETE="bash_complete",
            COMP_WORDS=" ".join(line),
            COMP_CWORD=str(len(line) - 1),
        )
        return {each.partition(",")[2] for each in done.stdout.splitlines()}

    assert {"submit", "status"} <= offered("s")
    assert offered("submit", "tr") == {"train"}
    assert offered("submit", "train", "parallel=zero") == {f"parallel=zero{n}" for n in range(4)}
    assert {f"cluster={name}" for name in cluster_names()} == offered("submit", "train", "cluster=")
    assert "resources.walltime=" in offered("submit", "train", "resources.w")
    forgia("submit", "command", "--", "true")
    (run,) = Path(os.environ["FORGIA_RUNS"]).iterdir()
    assert offered("logs", run.name[:4]) == {run.name}


def test_config_show_prints_a_config_that_composes_to_itself(forgia) -> None:
    said = json.loads(forgia("config", "show", "train", "train.steps=7", "--json").stdout)
    assert said["format"] == "forgia.config/1"
    assert said["config"]["train"]["steps"] == 7
    assert "zero3" in said["groups"]["parallel"]


def test_doctor_tells_what_is_there(forgia) -> None:
    said = json.loads(forgia("doctor", "--json").stdout)
    weights = {entry["what"]: entry["weight"] for entry in said["findings"]}
    assert weights["python"] == weights["torch"] == weights["deepspeed"] == "ok"


def test_doctor_finds_a_stale_lock(forgia, tmp_path: Path) -> None:
    lock = tmp_path / "ext" / "deepspeed_shm_comm" / "lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    os.utime(lock, (0, 0))
    done = forgia("doctor", "--json", TORCH_EXTENSIONS_DIR=str(tmp_path / "ext"))
    assert done.returncode == 2
    assert any(str(lock) in entry["fix"] for entry in json.loads(done.stdout)["findings"])


def test_no_colours_in_a_pipe(forgia) -> None:
    assert "\x1b[" not in forgia("cluster", "list").stdout + forgia("status", "nope").stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    line = f"{sys.executable} -m forgia_hpc.cli.main config show train | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr


def test_doctor_tells_of_half_sealed_runs(forgia) -> None:
    left = Path(os.environ["FORGIA_RUNS"]) / ".20260101-000000-train-abcdef.part"
    left.mkdir(parents=True)
    os.utime(left, (0, 0))
    findings = json.loads(forgia("doctor", "--json").stdout)["findings"]
    assert [entry["weight"] for entry in findings if entry["what"] == "leftovers"] == ["note"]
