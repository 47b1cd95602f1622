"""Two writers of one name, a lock of the dead, a full disk, a build that goes on: a clear error, nothing lost."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.telemetry import card, contribution

from forgia_hpc.data.card import card_from
from forgia_hpc.data.writer import seal, write_contribution
from forgia_hpc.data.writing import lock
from forgia_hpc.data.writing.appear import appearing
from forgia_hpc.errors import InputError, refused_by_system

KEY = "0123456789abcdef"


def write(into, key=KEY, **words):
    with appearing(into, overwrite=False, key=key) as part:
        return write_contribution(
            contribution(), card_from(card(), where="test"), part, shard_bytes=1000, **words
        )


def test_a_second_writer_is_told_who_the_first_is(tmp_path):
    with appearing(tmp_path / "mill", overwrite=False):
        with pytest.raises(InputError, match=f"is being written by process {os.getpid()}") as error:
            seal(contribution(), card(), tmp_path / "mill")
        assert error.value.problems[0].where == str(tmp_path / ".mill.lock")
    assert list(tmp_path.iterdir()) == [tmp_path / "mill"]


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path):
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        text=True,
        check=True,
    )
    words = {"host": os.uname().nodename, "pid": int(dead.stdout), "start_ticks": "1"}
    rest = {"user": "x", "job": "", "restart": 0}
    (tmp_path / ".mill.lock").write_text(json.dumps(words | rest))
    seal(contribution(), card(), tmp_path / "mill")
    assert [path.name for path in tmp_path.iterdir()] == ["mill"]


def test_a_lock_of_another_machine_is_left_alone_unless_its_job_began_again(tmp_path, monkeypatch):
    owner = {
        "host": "lrdn0001",
        "pid": 1,
        "start_ticks": "1",
        "user": "x",
        "job": "7",
        "restart": 0,
    }
    (tmp_path / ".mill.lock").write_text(json.dumps(owner))
    with pytest.raises(InputError, match="process 1 of x on lrdn0001"):
        seal(contribution(), card(), tmp_path / "mill")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    seal(contribution(), card(), tmp_path / "mill")


def test_a_lock_taken_in_the_same_moment_is_put_back(tmp_path):
    path = tmp_path / ".mill.lock"
    living = {"pid": 2}
    path.write_text(json.dumps(living))
    lock._take_away(path, {"pid": 1})
    assert json.loads(path.read_text()) == living
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_failed_build_has_sealed_is_kept(tmp_path):
    made = []

    def stop(name, _done, _count):
        made.append(name)
        if len(made) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "mill", told=stop)
    (part,) = tmp_path.glob(".mill.*.part")
    kept = {name: (part / "shards" / name).stat().st_ino for name in made}
    write(tmp_path / "mill")
    write(tmp_path / "whole", key="")
    assert {name: (tmp_path / "mill/shards" / name).stat().st_ino for name in made} == kept
    manifests = [(tmp_path / name / "manifest.json").read_bytes() for name in ("mill", "whole")]
    assert manifests[0] == manifests[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mill", "whole"]


def test_a_sealed_shard_that_was_damaged_since_is_made_again(tmp_path):
    with pytest.raises(ZeroDivisionError):
        write(tmp_path / "mill", told=lambda *_: 1 / 0)
    (shard,) = tmp_path.glob(".mill.*.part/shards/*.h5")
    broken = bytearray(shard.read_bytes())
    broken[len(broken) // 2] ^= 1
    shard.write_bytes(broken)
    write(tmp_path / "mill")
    write(tmp_path / "whole", key="")
    name = f"shards/{shard.name}"
    assert (tmp_path / "mill" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_what_was_refused_is_of_no_use_to_the_next_build(tmp_path):
    with pytest.raises(InputError), appearing(tmp_path / "mill", overwrite=False, key=KEY):
        raise InputError([])
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_may_not_grow_is_a_clear_error_and_what_was_sealed_stays(tmp_path):
    """RLIMIT_FSIZE stands for a full disk: errno differs, the way is the same."""
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from unit.data.test_build import write\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "def full(*_): resource.setrlimit(resource.RLIMIT_FSIZE, (4000, -1))\n"
        "try: write(Path(sys.argv[1]) / 'mill', told=full)\n"
        "except OSError as error: print(type(error).__name__)\n"
    )
    tests = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": tests},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "OSError\n", done.stderr
    assert len(list(tmp_path.glob(".mill.*.part/shards/*.h5"))) == 1
    write(tmp_path / "mill")
    assert [path.name for path in tmp_path.iterdir()] == ["mill"]
    assert done.stderr == ""
    assert refused_by_system(OSError(errno.ENOSPC, "no room", "x")) is not None
