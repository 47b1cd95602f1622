"""A job cut off from all networks: what it touches is told, and a clean one is left in peace."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from forgia_hpc.jobs.straced import read_trace
from forgia_hpc.jobs.touched import Touch, merge
from forgia_hpc.node.apart import asked_name, name_servers
from forgia_hpc.schema.job import Kind

DIRTY = """
import os, socket, subprocess, urllib.request
from pathlib import Path

def load_weights():
    try:
        urllib.request.urlopen("https://weights.example.org/model.bin", timeout=3)
    except OSError as error:
        print(error)

def telemetry():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        try:
            wire.sendto(b"x", ("203.0.113.7", 8125))
        except OSError as error:
            print(error)

def settings():
    (Path.home() / ".settings").read_text()
    (Path.home() / ".written").write_text("x")

load_weights()
telemetry()
settings()
subprocess.run(["cat", str(Path.home() / ".read_by_cat")], check=True)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home outside of the temporary folder, where a job may do as it likes."""
    found = Path(f"/var/tmp/forgia-home-{os.getpid()}")
    found.mkdir()
    for name in (".settings", ".read_by_cat"):
        (found / name).write_text("mine")
    yield found
    shutil.rmtree(found)


def check(forgia, tmp_path: Path, home: Path, code: str):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "work.py").write_text(code)
    words = ("check", "--offline", "--json", "command", f"command.source={tmp_path / 'source'}")
    done = forgia(*words, "--", "python", "work.py", HOME=str(home))
    return done, json.loads(done.stdout)


def test_a_download_telemetry_and_files_of_the_home_are_caught_with_their_stacks(
    forgia, tmp_path: Path, home: Path
) -> None:
    done, said = check(forgia, tmp_path, home, DIRTY)
    assert done.returncode == 2
    assert said["clean"] is False
    found = {(one["what"], one["target"]): one for one in said["touched"]}
    wanted = {
        ("host", "weights.example.org:443"): "load_weights",
        ("host", "203.0.113.7:8125"): "telemetry",
        ("open", str(home / ".settings")): "settings",
        ("write", str(home / ".written")): "settings",
    }
    for key, function in wanted.items():
        assert any(frame.endswith(function) for frame in found.pop(key)["stack"]), key
    if said["traced"]:
        assert found.pop(("open", str(home / ".read_by_cat")))["program"].endswith("cat")
    assert found == {}


def test_a_clean_job_passes(forgia, tmp_path: Path, home: Path) -> None:
    code = "import json, tempfile; tempfile.TemporaryFile().write(b'x'); print('done')"
    done, said = check(forgia, tmp_path, home, code)
    assert (said["touched"], said["ended"], done.returncode) == ([], "completed", 0)


def test_a_name_that_another_program_looks_up_is_told(forgia, tmp_path: Path, home: Path) -> None:
    if not name_servers(Path("/etc/resolv.conf").read_text()):
        pytest.fail("this machine has no name server to stand in for")
    code = "import subprocess; subprocess.run(['getent', 'hosts', 'quiet.example.org'])"
    _, said = check(forgia, tmp_path, home, code)
    assert [(one["what"], one["target"]) for one in said["touched"]] == [
        ("host", "quiet.example.org")
    ]


def test_a_job_that_takes_long_is_asked_to_stop(forgia, tmp_path: Path, home: Path) -> None:
    words = ("check", "--offline", "--json", "--seconds", "4", "command", "--", "sleep", "600")
    done = forgia(*words, HOME=str(home))
    said = json.loads(done.stdout)
    assert (said["touched"], said["exit_code"], done.returncode) == ([], 6, 0)


def test_without_a_namespace_nothing_is_claimed(forgia, tmp_path: Path) -> None:
    fake = tmp_path / "bin" / "unshare"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n")
    fake.chmod(0o755)
    path = f"{fake.parent}{os.pathsep}{os.environ['PATH']}"
    done = forgia("check", "--offline", "command", "--", "true", PATH=path)
    assert done.returncode == 2
    assert "an empty network namespace is needed" in done.stderr


def test_the_plain_check_accepts_and_refuses(forgia) -> None:
    assert forgia("check", "command", "--", "true").stdout == "accepted\n"
    assert forgia("check", "command").returncode == 2


@pytest.mark.parametrize("kind", [Kind.train])
def test_a_training_is_cut_to_two_steps_of_one_rank(kind: Kind) -> None:
    from forgia_hpc.jobs.offline import shortened

    words = shortened(kind, ["cluster=dev", "resources.nodes=8", "model=telemetry_1m"])
    assert words[0] == "model=telemetry_1m"
    assert {"cluster=local", "train.steps=2", "resources.ranks_per_node=1"} <= set(words)
    assert not [word for word in words if "nodes=8" in word]


# --- strace's words -------------------------------------------------------------------------------

TRACE = """\
7 execve("/usr/bin/cat", ["cat"], 0x7ffe /* 20 vars */) = 0
7 openat(AT_FDCWD, "/usr/lib/libc.so", O_RDONLY|O_CLOEXEC) = 3
7 openat(AT_FDCWD, "/home/me/.netrc", O_RDONLY) = 3
7 openat(AT_FDCWD, "/home/me/absent", O_RDONLY) = -1 ENOENT (No such file or directory)
7 openat(AT_FDCWD, "notes", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 4
7 connect(5, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("198.51.100.4")}, 16) = -1
7 connect(5, {sa_family=AF_INET6, sin6_port=htons(9), inet_pton(AF_INET6, "2001:db8::1"), 28) = -1
7 connect(5, {sa_family=AF_INET6, sin6_port=htons(9), inet_pton(AF_INET6, "::ffff:127.0.0.1"), 28) = 0
7 connect(5, {sa_family=AF_UNIX, sun_path="/run/nscd"}, 16) = -1 ENOENT
"""


def test_straces_lines_are_read(tmp_path: Path) -> None:
    (tmp_path / "calls").write_text(TRACE)
    found = read_trace(tmp_path / "calls", ("/usr/",), Path("/runs/x"), 0.0)
    assert [(one.what, one.target) for one in found] == [
        ("open", "/home/me/.netrc"),
        ("write", "/runs/x/notes"),
        ("host", "198.51.100.4:443"),
        ("host", "2001:db8::1:9"),
    ]
    assert {one.program for one in found} == {"/usr/bin/cat"}


def test_what_python_and_strace_saw_is_told_once() -> None:
    by_python = Touch(what="open", target="/a", seen_by="python", stack=("x",))
    by_name = Touch(what="host", target="h.org", seen_by="names")
    asked = Touch(what="host", target="h.org:443", seen_by="python", stack=("y",))
    traced = [Touch(what="open", target=path, seen_by="strace") for path in ("/a", "/b")]
    assert [one.target for one in merge([by_name, asked, by_python], traced)] == [
        "h.org:443",
        "/a",
        "/b",
    ]


def test_a_dns_query_is_read() -> None:
    query = (
        b"\x12\x34\x01\x00\x00\x01" + bytes(6) + b"\x03www\x07example\x03org\x00\x00\x01\x00\x01"
    )
    assert asked_name(query) == "www.example.org"
    assert name_servers("# x\nnameserver 10.0.0.1\nnameserver fd00::1\nsearch a\n") == ["10.0.0.1"]
