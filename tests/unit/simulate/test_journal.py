"""The journal: what was torn is no line, and takes no other along; what stands there decides."""

from __future__ import annotations

import resource
import signal
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forgia_hpc.errors import SealBrokenError
from forgia_hpc.rundir import RunDir
from forgia_hpc.simulate.journal import Journal, Lines, Reader, file_of, read_line, sealed_line
from forgia_hpc.simulate.progress import Ending, Progress, read_progress
from forgia_hpc.simulate.retry import KILLS, is_poison

FACT = {"what": "solved", "member": 3, "ending": "admitted", "why": "h\u00e4lt\n"}


def test_a_line_comes_back_as_it_was() -> None:
    line = sealed_line(FACT)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    found = read_line(line.rstrip(b"\n"))
    assert found == FACT


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_a_line_with_any_bit_flipped_is_none(place: int, bit: int) -> None:
    line = bytearray(sealed_line(FACT)[:-1])
    line[place % len(line)] ^= 1 << bit
    found = read_line(bytes(line))
    # of the frame before the checksum's text nothing is read
    assert found is None or found == FACT


def test_a_torn_line_takes_no_other_along(tmp_path: Path) -> None:
    path = tmp_path / "000-0.0.0.jsonl"
    with Journal(path) as journal:
        journal.write({"what": "begun", "member": 1}, {"what": "begun", "member": 2})
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        members = [line["member"] for line in Reader(path)]
        assert members == [1, 2][: whole[:cut].count(b"\n")]


def test_a_reader_gives_what_is_new(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    reader = Reader(path)
    assert list(reader) == []
    with Journal(path) as journal:
        journal.write({"what": "begun", "member": 1})
        assert [line["member"] for line in reader] == [1]
        assert list(reader) == []
        journal.write({"what": "begun", "member": 2})
        assert [line["member"] for line in reader] == [2]


def test_two_writers_of_one_name_are_refused(tmp_path: Path) -> None:
    with Journal(tmp_path / "a.jsonl"), pytest.raises(FileExistsError):
        Journal(tmp_path / "a.jsonl")


def test_what_a_full_disk_cut_is_told_again_once_there_is_room(tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands for the full disk: a write is cut in the middle of a line."""
    path = tmp_path / "a.jsonl"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with Journal(path) as journal:
        journal.write({"what": "begun", "member": 1})
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, before[1]))
        try:
            with pytest.raises(OSError, match="large"):
                journal.write({"what": "begun", "member": 2})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)
        journal.write({"what": "begun", "member": 2}, {"what": "begun", "member": 3})
    reader = Reader(path)
    assert [line["member"] for line in reader] == [1, 2, 3]
    assert reader.torn == 1


def solved(member: int, ending: str = "admitted") -> dict:
    return {"what": "solved", "member": member, "ending": ending}


def test_the_first_writers_word_counts_and_solved_beats_poison() -> None:
    found = Progress(3)
    found.take("b", solved(0, "rejected"))
    found.take("a", solved(0))
    found.take("a", {"what": "poison", "member": 1})
    found.take("c", solved(1))
    assert (found.settled(0).ending, found.settled(0).by) == (Ending.admitted, "a")
    assert found.settled(1).ending is Ending.admitted
    assert found.open_members() == [2]


def test_an_unsound_word_falls_whatever_the_order_of_the_files() -> None:
    unsound = ("z", {"what": "unsound", "member": 0, "writer": "a", "why": ""})
    for lines in ([("a", solved(0)), unsound], [unsound, ("a", solved(0))]):
        found = Progress(1)
        for by, line in lines:
            found.take(by, line)
        assert found.open_members() == [0]
        found.take("b", solved(0))
        assert found.settled(0).by == "b"


@pytest.mark.parametrize(
    ("failures", "retries", "poison"),
    [
        ([], 2, False),
        (["SIGSEGV"], 2, False),
        (["SIGSEGV", "SIGSEGV"], 2, True),
        (["SIGSEGV", "timeout"], 2, False),
        (["SIGSEGV", "timeout", "oom"], 2, True),
        (["SIGSEGV", "SIGKILL", "timeout"], 2, False),
        (["SIGSEGV"], 0, True),
        (["input"], 9, True),
        (["SIGKILL"] * (KILLS - 1), 0, False),
        (["SIGKILL"] * KILLS, 9, True),
    ],
)
def test_what_is_poison(failures: list[str], retries: int, poison: bool) -> None:
    assert is_poison(failures, retries) is poison


def test_lines_are_read_again_where_they_lie(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    told = {
        n: {"what": "solved", "member": n, "ending": "admitted", "why": "x" * n} for n in range(9)
    }
    for by in ("000-0", "001-0"):
        with Journal(file_of(run, by)) as journal:
            journal.write(*(told[n] for n in told if n % 2 == int(by[2])))
    found = read_progress(run, 10)
    with Lines(run) as lines:
        for number, line in told.items():
            word = found.settled(number)
            assert word is not None
            assert (word.ending, word.line) == (Ending.admitted, None)
            assert lines.read(word.by, word.at) == line
        assert found.open_members() == [9]
        with pytest.raises(SealBrokenError, match="no whole line at byte 5"):
            lines.read("000-0", 5)


def test_what_is_known_of_a_member_takes_bytes_not_kilobytes(tmp_path: Path) -> None:
    run, members = RunDir(tmp_path), 2_000
    findings = [
        {"check": f"check {n}", "value": n / 7, "limit": "x" * 60, "passed": True}
        for n in range(12)
    ]
    with Journal(file_of(run, "000-0")) as journal:
        for n in range(members):
            journal.write(
                {"what": "solved", "member": n, "ending": "admitted", "findings": findings}
            )
    tracemalloc.start()
    found = read_progress(run, members)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.counts(members) == {"admitted": members}
    assert held / members < 60
