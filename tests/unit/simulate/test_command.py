"""Members that a program solves: shell scripts that go right, and wrong in every way that a solver does."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from fakes.programs import MEMBER, below, gone, program, solved, solver

from forgia_hpc.errors import InputError, StoppedError
from forgia_hpc.schema.program import ProgramAxis, ProgramField, ProgramInput, ProgramVersion
from forgia_hpc.simulate.communicator import Alone
from forgia_hpc.simulate.member import MemberError

ROOT = Path(__file__).resolve().parents[3]


def refused(kind: str, tmp_path, script: str, **words) -> str:
    """Solve a member that must be refused for this kind of reason; return the sentence."""
    with pytest.raises(MemberError) as caught:
        solved(solver(script, **words), tmp_path / "member")
    assert caught.value.kind == kind, str(caught.value)
    assert gone(tmp_path / "member"), below(tmp_path / "member")
    return caught.value.why


def test_a_member_is_filled_run_read_and_checked(tmp_path):
    output, findings = solved(solver(), tmp_path / "member")
    expected = [[1100.0] * 4, [700.0] * 4, [300.0] * 4]
    assert output.fields["temperature"].tolist() == expected
    assert output.times.tolist() == [0.0, 1.0, 2.0]
    assert output.where == (slice(0, 4),)
    assert output.facts["seconds"] > 0
    assert sorted(findings) == [
        "falling_temperature",
        "finite",
        "high_temperature",
        "low_temperature",
    ]
    assert all(one.passed for one in findings.values())
    assert "solving for 4 cells" in (tmp_path / "member" / "command-0.log").read_text()


def test_schema_and_inputs_are_the_declared_ones():
    one = solver()
    assert [each.name for each in one.inputs()] == ["hot", "cold"]
    assert one.inputs()[1].default == 300.0
    assert one.schema().grid.axes[0].coordinates.tolist() == pytest.approx(
        [0.0125, 0.0375, 0.0625, 0.0875]
    )
    assert [each.name for each in one.schema().parameters] == ["hot", "cold"]


def test_the_finer_mesh_comes_back_on_the_grid_of_level_0(tmp_path):
    output, _ = solved(solver(), tmp_path / "member", level=1)
    assert "solving for 8 cells" in (tmp_path / "member" / "command-0.log").read_text()
    assert output.fields["temperature"].shape == (3, 4)


def test_nodes_of_a_finer_mesh_keep_their_own_values(tmp_path):
    grid = {"x": ProgramAxis(cells=3, high=0.1, nodes=True)}
    output, _ = solved(
        solver(grid=grid, extractor="fakes.program.nodes:extract"), tmp_path / "m", level=1
    )
    assert output.fields["temperature"].tolist() == [[0.0, 2.0, 4.0, 6.0]]


@pytest.mark.parametrize(
    ("script", "kind", "says"),
    [
        ("segfault.sh", "SIGSEGV", "killed by SIGSEGV"),
        ("failing.sh", "exit_code", "exit code 3: cannot open mesh"),
        ("nan.sh", "not_finite", "temperature: 1 of 12 values"),
        ("nothing.sh", "no_output", "there is no field.txt"),
        ("empty.sh", "unreadable_output", "IndexError"),
        ("truncated.sh", "unreadable_output", "cannot reshape"),
        ("late_error.sh", "error_in_log", "ended with 0 after it said: --> FATAL ERROR: singular"),
        ("fork.sh", "left_behind", "left processes running"),
        ("daemon.sh", "left_behind", "sleep"),
        ("nowhere.sh", "exit_code", "nowhere.sh"),
    ],
)
def test_what_goes_wrong_has_a_name(tmp_path, script, kind, says):
    assert says in refused(kind, tmp_path, script, failed=["FATAL ERROR"])


def test_a_missing_or_empty_file_is_no_output_before_anybody_reads_it(tmp_path):
    assert "is not there" in refused("no_output", tmp_path, "nothing.sh", leaves=["field.txt"])
    assert "is empty" in refused("no_output", tmp_path, "empty.sh", leaves=["field.txt"])


def test_a_member_that_hangs_is_ended_with_all_that_it_started(tmp_path):
    began = time.monotonic()
    assert "was ended after" in refused("timeout", tmp_path, "hang.sh", wall_s=0.5)
    assert time.monotonic() - began < 5
    assert "started" in (tmp_path / "member" / "command-0.log").read_text()


def test_a_program_deaf_to_sigterm_is_killed(tmp_path, monkeypatch):
    assert "was ended" in refused("timeout", tmp_path, "deaf.sh", wall_s=0.3)


def test_all_commands_share_one_wall_limit_and_the_first_failure_ends_them(tmp_path):
    commands = [["sh", "failing.sh"], ["sh", "good.sh"]]
    refused("exit_code", tmp_path, "", commands=commands)
    assert not (tmp_path / "member" / "command-1.log").exists()


def test_a_program_that_is_not_there(tmp_path):
    why = refused(
        "not_started", tmp_path, "", commands=[["no-such-solver", "@hot@"], ["sh", "good.sh"]]
    )
    assert why == "no-such-solver could not be started: No such file or directory"


def test_a_log_of_50_mb_leaves_its_beginning_and_its_end(tmp_path):
    solved(solver("loud.sh", log_mb=1), tmp_path / "member")
    log = (tmp_path / "member" / "command-0.log").read_bytes()
    assert len(log) < 2**20 + 100
    assert log.startswith(b"0123456789abcdef\n")
    assert b"bytes left out" in log
    assert log.endswith(b"solving for 4 cells\n")


def test_a_file_beyond_its_limit_ends_the_program(tmp_path):
    assert "over 1 MB" in refused("output_limit", tmp_path, "greedy.sh", file_mb=1)


def test_the_wish_to_stop_ends_the_program_and_is_no_failure_of_the_member(tmp_path):
    stop = threading.Event()
    timer = threading.Timer(0.4, stop.set)
    timer.start()
    with pytest.raises(StoppedError):
        solved(solver("hang.sh"), tmp_path / "member", stop=stop.is_set)
    timer.join()
    assert gone(tmp_path / "member")


def test_a_member_that_was_stopped_starts_anew_in_its_directory(tmp_path):
    solved(solver(), tmp_path / "member")
    (tmp_path / "member" / "case" / "half").touch()
    solved(solver(), tmp_path / "member")
    assert not (tmp_path / "member" / "case" / "half").exists()


def test_when_the_group_is_killed_its_program_and_its_forks_go_too(tmp_path):
    member = tmp_path / "member"
    code = (
        "import pathlib, sys; from fakes.programs import solved, solver;"
        f"solved(solver('hang.sh'), pathlib.Path({str(member)!r}))"
    )
    group = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    )
    until = time.monotonic() + 20
    while "sleep" not in below(member) and time.monotonic() < until:
        time.sleep(0.05)
    assert "sleep" in below(member)
    group.kill()
    group.wait()
    assert gone(member, 10), below(member)


def test_when_the_keeper_is_killed_nothing_stays_and_the_member_says_so(tmp_path):
    member = tmp_path / "member"

    def kill_keeper() -> None:
        until = time.monotonic() + 10
        while "sleep" not in below(member) and time.monotonic() < until:
            time.sleep(0.05)
        children = psutil.Process().children()
        next(one for one in children if "command.keeper" in " ".join(one.cmdline())).kill()

    killer = threading.Thread(target=kill_keeper)
    killer.start()
    with pytest.raises(MemberError, match="the keeper was killed") as caught:
        solved(solver("hang.sh"), member)
    killer.join()
    assert caught.value.kind == "SIGKILL"
    assert gone(member)


def test_a_range_and_a_trend_that_do_not_hold_are_findings(tmp_path):
    _, findings = solved(solver("too_hot.sh"), tmp_path / "member")
    assert not findings["high_temperature"].passed
    assert findings["high_temperature"].value == 9999.0
    fields = {"temperature": ProgramField(ucum="K", trend="rising")}
    _, findings = solved(solver(fields=fields), tmp_path / "member")
    assert not findings["rising_temperature"].passed


def test_the_plug_ins_own_check_is_asked(tmp_path):
    _, findings = solved(solver(check="fakes.program.case:energy"), tmp_path / "member")
    assert findings["energy"].passed
    assert findings["energy"].value == -3200.0


@pytest.mark.parametrize(
    ("extractor", "says"),
    [
        ("extract_twice", "pressure differ"),
        ("texts", "no real numbers"),
        ("backwards", "do not ascend"),
    ],
)
def test_what_an_extractor_may_not_return(tmp_path, extractor, says):
    own = f"fakes.program.case:{extractor}"
    assert says in refused("unreadable_output", tmp_path, "good.sh", extractor=own)


def test_a_program_sees_nothing_of_our_world(tmp_path, monkeypatch):
    for name in (
        "OMPI_COMM_WORLD_RANK",
        "PMIX_RANK",
        "SLURM_PROCID",
        "RANK",
        "PYTHONPATH",
        "FORGIA_GROUP",
    ):
        monkeypatch.setenv(name, "3")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    solved(solver("environment.sh", env={"OWN": "word"}), tmp_path / "member")
    seen = dict(
        line.split("=", 1)
        for line in (tmp_path / "member/case/environment").read_text().splitlines()
        if "=" in line
    )
    assert {"OWN", "PATH", "OMP_NUM_THREADS", "FORGIA_KEPT"} <= set(seen)
    assert not {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_PROCID", "RANK", "FORGIA_GROUP"} & set(
        seen
    )
    assert not seen.get("PYTHONPATH")


def test_a_program_gets_no_secret_but_the_one_it_names(tmp_path, monkeypatch):
    for name in ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "VENDOR_LICENSE_KEY"):
        monkeypatch.setenv(name, "hidden")
    solved(solver("environment.sh", secrets=["VENDOR_LICENSE_KEY"]), tmp_path / "member")
    seen = (tmp_path / "member/case/environment").read_text().splitlines()
    assert [line for line in seen if "hidden" in line] == ["VENDOR_LICENSE_KEY=hidden"]


def test_derived_values_fill_templates_and_are_all_used(tmp_path):
    commands = [["sh", "good.sh", "@slope@"]]
    solved(solver(commands=commands, derive="fakes.program.case:slope"), tmp_path / "member")
    with pytest.raises(InputError, match="unheard"):
        solved(solver(commands=commands, derive="fakes.program.case:too_much"), tmp_path / "other")


def test_inputs_that_derive_refuses_are_hopeless(tmp_path):
    one = solver(commands=[["sh", "good.sh", "@slope@"]], derive="fakes.program.case:slope")
    with pytest.raises(MemberError, match="13 is no temperature") as caught:
        solved(one, tmp_path / "member", inputs={"hot": 1100.0, "cold": 13.0})
    assert caught.value.kind == "input"


def test_the_version_is_compared_before_the_first_member():
    says = ProgramVersion(argv=["sh", "-c", "echo Version 2.20"], says="Version 2.20")
    solver(version=says).check_machine(Alone())
    says.says = "Version 2.21"
    with pytest.raises(InputError, match=r"Version 2\.21"):
        solver(version=says).check_machine(Alone())
    says.argv = ["no-such-solver", "-v"]
    with pytest.raises(InputError, match="no-such-solver is not on this machine"):
        solver(version=says).check_machine(Alone())


def test_an_executable_template_stays_one_and_bytes_are_copied(tmp_path, monkeypatch):
    package = tmp_path / "binary_program"
    (package / "files").mkdir(parents=True)
    (package / "__init__.py").touch()
    script = package / "files" / "run"
    script.write_text("#!/bin/sh\nexec sh good.sh @hot@ @cold@\n")
    script.chmod(0o755)
    (package / "files" / "good.sh").write_text(
        (ROOT / "tests/fakes/program/files/good.sh").read_text()
    )
    (package / "files" / "table.bin").write_bytes(b"\xff@hot@\x00")
    monkeypatch.syspath_prepend(tmp_path)
    solved(solver(commands=[["./run"]], templates="binary_program:files"), tmp_path / "member")
    assert (tmp_path / "member/case/table.bin").read_bytes() == b"\xff@hot@\x00"


def test_values_are_written_with_every_digit_or_as_asked(tmp_path):
    inputs = {"hot": 1100.1000000000001, "cold": 300.0}
    commands = [["sh", "-c", "echo @hot@ @cold@ > said; sh good.sh"]]
    with pytest.raises(MemberError):  # a shell counts in whole numbers
        solved(solver(commands=commands), tmp_path / "member", inputs=inputs)
    assert (tmp_path / "member/case/said").read_text() == "1100.1000000000001 300\n"
    with pytest.raises(MemberError):
        solved(solver(commands=commands, number=".6g"), tmp_path / "other", inputs=inputs)
    assert (tmp_path / "other/case/said").read_text() == "1100.1 300\n"


def test_a_static_field_needs_no_times(tmp_path):
    fields = {"temperature": ProgramField(ucum="K", time_varying=False)}
    output, _ = solved(
        solver(fields=fields, extractor="fakes.program.nodes:static"), tmp_path / "member"
    )
    assert output.times.tolist() == [0.0]
    assert np.array_equal(output.fields["temperature"], [1.0, 2.0, 3.0, 4.0])


def test_member_of_level_1_is_refused_where_no_template_could_make_it_finer(tmp_path):
    one = solver(templates="fakes.program:coarse", commands=[["sh", "fixed.sh"]])
    with pytest.raises(InputError, match="can't be made finer"):
        solved(one, tmp_path / "member", level=1)


def test_seed_and_member_can_be_filled_in(tmp_path):
    commands = [["sh", "-c", "echo @seed@ @member@ @ranks@ > said; sh good.sh"]]
    solved(solver(commands=commands), tmp_path / "member")
    assert (tmp_path / "member/case/said").read_text() == f"7 {MEMBER.id} 1\n"


def test_the_words_are_refused_together():
    with pytest.raises(InputError) as caught:
        program(
            commands=[[]],
            extractor="nothing",
            failed=["("],
            launcher="ibrun",
            number="x",
            log_mb=0,
            grid={"x": ProgramAxis(cells=0)},
            fields={"temperature": ProgramField(low="warm", trend="up")},
        )
    found = {problem.field.removeprefix("solver.program.") for problem in caught.value.problems}
    assert found == {
        *("commands", "extractor", "failed", "launcher", "number", "log_mb"),
        *("grid.x", "fields.temperature", "fields.temperature.trend"),
    }


def test_a_placeholder_for_nothing_and_an_input_for_nothing_are_refused_at_once():
    with pytest.raises(InputError, match=r"@warm@.*stands for nothing"):
        solver(commands=[["sh", "good.sh", "@warm@"]])
    with pytest.raises(InputError, match=r"inputs\.pressure.*stands in no command"):
        solver(inputs={**program().inputs, "pressure": ProgramInput()})
    with pytest.raises(InputError, match="a folder of files in a package"):
        solver(templates="fakes.program:nowhere")
    for beyond in ("fakes.program:../campaign", f"fakes.program:{Path(__file__).parent}"):
        with pytest.raises(InputError, match="a folder of files in a package"):
            solver(templates=beyond)  # neither sealed nor part of the digest
