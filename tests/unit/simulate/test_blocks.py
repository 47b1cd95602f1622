"""Blocks of solved members, and the claims by which groups take theirs."""

from __future__ import annotations

import multiprocessing
import re
import resource
import signal
from pathlib import Path

import h5py
import numpy as np
import pytest
from fakes.simulated import schema

from forgia_hpc.errors import InputError
from forgia_hpc.rundir import RunDir
from forgia_hpc.simulate.block_rows import Rows, Unsound
from forgia_hpc.simulate.blocks import TIMES, Block, numbers_of, places
from forgia_hpc.simulate.claims import Claims, block_size
from forgia_hpc.simulate.collective import Together, check_parallel
from forgia_hpc.simulate.communicator import Alone
from forgia_hpc.simulate.findings import own_findings
from forgia_hpc.simulate.gather import gathered
from forgia_hpc.simulate.member import Output
from forgia_hpc.simulate.shares import Shares, cuts_of

STEPS = 3


def numbers(words, seed: int) -> dict:
    rng = np.random.default_rng(seed)
    return {
        one.name: rng.uniform(1, 9, one.shape).astype(one.dtype) for one in places(words, STEPS)
    }


@pytest.mark.parametrize("storage", ["f32", "f64", "i16"])
def test_a_row_comes_back_and_what_was_not_written_is_empty(tmp_path: Path, storage: str) -> None:
    words = schema(4, 5, storage=storage)
    given = numbers(words, 1)
    with Block(tmp_path / "a.h5", words, 3, STEPS) as block:
        sums = block.put(1, given)
        # a reader sees it while the writer has the file open, as after a kill
        with Rows(tmp_path) as rows:
            line = {"file": "a.h5", "row": 1, "sums": sums}
            for name, array in given.items():
                assert np.array_equal(rows.read(line, name), array)
    with h5py.File(tmp_path / "a.h5") as file:
        empty = file["fields/temperature"][0]
        assert (empty == -(2**15)).all() if storage == "i16" else np.isnan(empty).all()
        assert np.isnan(file[TIMES][2]).all()


def test_other_bytes_than_the_journals_are_unsound(tmp_path: Path) -> None:
    words = schema(4, 5)
    with Block(tmp_path / "a.h5", words, 2, STEPS) as block:
        sums = block.put(0, numbers(words, 1))
    line = {"file": "a.h5", "row": 0, "sums": sums}
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["fields/temperature"][0, 0, 0, 0] += 1
    with Rows(tmp_path) as rows:
        assert rows.read(line, TIMES).shape == (STEPS,)
        with pytest.raises(Unsound, match="differ"):
            rows.read(line, "fields/temperature")
    for broken in (b"", b"no HDF5", (tmp_path / "a.h5").read_bytes()[:2000]):
        (tmp_path / "a.h5").write_bytes(broken)
        with Rows(tmp_path) as rows, pytest.raises(Unsound):
            rows.read(line, TIMES)


def test_no_flipped_bit_of_a_header_passes_or_raises_anything_else(tmp_path: Path) -> None:
    words, path = schema(4, 5), tmp_path / "a.h5"
    given = numbers(words, 1)
    with Block(path, words, 2, STEPS) as block:
        sums = block.put(0, given)
    whole, line = path.read_bytes(), {"file": "a.h5", "row": 0, "sums": sums}
    chance = np.random.default_rng(0)
    for _ in range(1500):
        at, bit = int(chance.integers(min(len(whole), 4096))), int(chance.integers(8))
        damaged = bytearray(whole)
        damaged[at] ^= 1 << bit
        path.write_bytes(damaged)
        with Rows(tmp_path) as rows:
            for name, array in given.items():
                try:
                    found = rows.read(line, name)
                except Unsound:
                    continue
                assert (found.dtype, found.tobytes()) == (array.dtype, array.tobytes()), (at, bit)


def test_a_full_disk_leaves_no_half_of_a_file(tmp_path: Path) -> None:
    words = schema(40, 50)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(OSError, match="large"):
            Block(tmp_path / "a.h5", words, 20, STEPS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert not (tmp_path / "a.h5").exists()


def test_fields_of_another_shape_are_named(tmp_path: Path) -> None:
    words = schema(4, 5)
    fields = {one.name: np.zeros(one.shape(words.grid, STEPS)) for one in words.fields}
    fields["velocity"] = fields["velocity"][:, :2]
    found, why = numbers_of(words, fields, {"bath": np.zeros(STEPS)}, np.arange(3.0))
    assert not found
    assert why.startswith("velocity: float64 (3, 2, 5, 2) instead of (3, 4, 5, 2)")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"fields": {}}, "there is no field temperature"),
        ({"signals": {}}, "there is no signal bath"),
        ({"signals": {"bath": np.zeros(2)}}, "bath: (2,) instead of one value a step"),
        ({"times": np.array([0.0, 2.0, 2.0])}, "times are not finite and rising"),
        ({"times": np.array([0.0, 1.0, np.nan])}, "times are not finite and rising"),
        ({"times": np.zeros(())}, "times are not finite and rising"),
    ],
)
def test_what_a_solver_has_not_left_rejects_its_member_and_not_the_dataset(change, told) -> None:
    words = schema(4, 5)
    fields = {one.name: np.zeros(one.shape(words.grid, STEPS)) for one in words.fields}
    left = {
        "fields": fields,
        "signals": {"bath": np.zeros(STEPS)},
        "times": np.arange(3.0),
        **change,
    }
    found, why = numbers_of(words, left["fields"], left["signals"], left["times"])
    assert not found
    assert why.startswith(told)


def _take_all(folder: Path, by: str, out) -> None:
    claims = Claims(RunDir(folder), "0.0")
    out.put([block.name for block in claims.blocks() if claims.take(block, by)])


def test_a_block_has_one_holder(tmp_path: Path) -> None:
    claims = Claims(RunDir(tmp_path), "0.0")
    claims.plan(range(100), 3, {4: ["SIGSEGV"]})
    context = multiprocessing.get_context("spawn")
    out = context.SimpleQueue()
    takers = [
        context.Process(target=_take_all, args=(tmp_path, f"{n:03d}-0.0.0", out)) for n in range(3)
    ]
    for one in takers:
        one.start()
    taken = [name for _ in takers for name in out.get()]
    for one in takers:
        one.join()
    assert sorted(taken) == [block.name for block in claims.blocks()]
    assert [n for block in claims.blocks() for n in block.members] == list(range(100))
    assert claims.blocks()[1].failures == {4: ("SIGSEGV",)}
    assert {claims.holder(name) for name in taken} <= {f"{n:03d}-0.0.0" for n in range(3)}


class Counted(Claims):
    """Claims that count how often somebody asks for a block's holder."""

    asked = 0

    def holder(self, name: str) -> str | None:
        self.asked += 1
        return super().holder(name)


def test_a_process_a_block_asks_for_each_block_but_once(tmp_path: Path) -> None:
    """Two groups in turns, each block a new process's: what is taken is not gone through again."""
    members, groups = 200, 2
    claims = Counted(RunDir(tmp_path), "0.0")
    claims.plan(range(members), 1, {})
    taken = []
    for turn in range(members + groups):
        group = turn % groups
        round_ = claims.round(group, groups)
        block = round_.next()
        if block is not None:
            assert claims.take(block, f"{group:03d}-0.0.{turn}")
            round_.remember()
            taken += block.members
    assert sorted(taken) == list(range(members))
    assert taken[:4] == [0, 100, 1, 101]  # each group its own share first
    assert claims.asked <= (groups + 1) * members


def test_a_group_whose_place_a_power_cut_has_emptied_begins_again(tmp_path: Path) -> None:
    claims = Claims(RunDir(tmp_path), "0.0")
    claims.plan(range(3), 1, {})
    first = claims.round(0, 1)
    block = first.next()
    assert block is not None
    assert claims.take(block, "a")
    first.remember()
    (claims.folder / "at-0").write_text("", encoding="utf-8")
    again = claims.round(0, 1).next()
    assert again is not None
    assert again.members == (1,)


def test_what_comes_back_can_be_taken_once(tmp_path: Path) -> None:
    claims = Claims(RunDir(tmp_path), "0.0")
    claims.plan([], 1, {})
    claims.give_back(0, [7, 9], {9: ["oom"]})
    (block,) = claims.given_back()
    assert (block.members, dict(block.failures)) == ((7, 9), {9: ("oom",)})
    assert claims.take(block, "a")
    assert not claims.take(block, "b")
    assert list(claims.given_back()) == []
    assert [one.name for one in claims.given_back(taken=True)] == [block.name]


@pytest.mark.parametrize(
    ("asked", "members", "groups", "size"),
    [(5, 100, 2, 5), (0, 100, 2, 3), (0, 10_000, 2, 64), (0, 10, 100, 1), (0, 0, 1, 1)],
)
def test_size_of_a_block(asked: int, members: int, groups: int, size: int) -> None:
    assert block_size(asked, members, groups) == size


def test_an_h5py_without_mpi_is_named_where_ranks_should_write_together() -> None:
    with pytest.raises(InputError, match=r"h5py .* of this environment has no MPI"):
        check_parallel()


def test_ranks_that_share_a_grid_leave_no_gap_and_have_nothing_twice() -> None:
    words = schema(4, 6)
    for cuts, whole in (
        ([((0, 2), (0, 6)), ((2, 4), (0, 6))], True),
        ([((0, 2), (0, 6)), ((2, 4), (0, 3)), ((2, 4), (3, 6))], True),
        ([((0, 4), (0, 6)), ((4, 4), (0, 6))], True),  # a rank without cells
        ([((0, 2), (0, 6)), ((3, 4), (0, 6))], False),
        (
            [((0, 2), (0, 6)), ((0, 2), (0, 6))],
            False,
        ),  # as many cells as there are, and half of them missing
        ([((0, 3), (0, 6)), ((2, 4), (0, 6))], False),
    ):
        assert Shares(words, tuple(cuts)).are_whole == whole, cuts
    assert cuts_of(words, (slice(1, 3), slice(None))) == ((1, 3), (0, 6))


@pytest.mark.parametrize("storage", ["f32", "f64", "i16"])
def test_a_gap_is_allowed_outside_of_the_body_alone(storage: str) -> None:
    words = schema(4, 5, storage=storage)
    given = numbers(words, 1)
    gap = -(2**15) if storage == "i16" else np.nan
    given["fields/inside"][:] = 1.0
    given["fields/inside"][0, 0] = 0.0
    for name in ("temperature", "velocity", "stress"):
        given[f"fields/{name}"][:, 0, 0] = gap
    given["fields/conductivity"][0, 0] = np.nan
    assert not list(own_findings(words, given, ""))
    given["fields/velocity"][1, 2, 3, 0] = gap
    given["fields/conductivity"][3, 4] = np.nan
    given["signals/bath"][1] = np.nan
    given["fields/inside"][1, 1] = np.nan
    found = {one.limit.split()[0]: one.value for one in own_findings(words, given, "")}
    assert found == {
        "fields/velocity": 1, "fields/conductivity": 1, "signals/bath": 1, "fields/inside": 1
    }  # fmt: skip


class Two(Alone):
    """The first of two ranks; the other has sent these cells."""

    size = 2

    def __init__(self, other: object) -> None:
        self.other = other

    def gather(self, one: object) -> list[object]:
        return [one, self.other]


def halves(words, spoil) -> tuple[Output, object]:
    """Return two ranks' halves of a member; `spoil` changes the second one's fields."""
    given = {name: array for name, array in numbers(words, 1).items() if name.startswith("fields/")}
    parts = []
    for cut in (slice(0, 2), slice(2, 4)):
        own = {}
        for one in words.fields:
            at = (slice(None), cut) if one.time_varying else (cut,)
            own[one.name] = given[f"fields/{one.name}"][at]
        parts.append(((cut, slice(0, 5)), own))
    spoil(parts[1][1])
    where, own = parts[0]
    signals = {"bath": np.ones(STEPS, np.float32)}
    times = np.arange(STEPS, dtype=float)
    return Output(fields=own, signals=signals, where=where, times=times), parts[1]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda fields: None, ""),
        (lambda fields: fields.pop("velocity"), "there is no field velocity"),
        (lambda fields: fields.update(velocity=np.ones((3, 2))), r"velocity: float64 \(3, 2\) instead"),
    ],
)  # fmt: skip
def test_what_one_rank_has_not_left_is_named_and_no_rank_dies_of_it(spoil, why: str) -> None:
    words = schema(4, 5)
    output, other = halves(words, spoil)
    found = gathered(words, output, Two(other))
    said = numbers_of(words, found, output.signals, np.asarray(output.times))[1]
    assert re.match(why, said) if why else said == ""


@pytest.mark.parametrize("lacks", ["fields", "signals"])
def test_ranks_that_write_together_leave_out_a_member_that_lacks_something(
    tmp_path: Path, lacks: str
) -> None:
    words = schema(4, 5)
    output, _ = halves(words, lambda fields: None)
    getattr(output, lacks).pop({"fields": "velocity", "signals": "bath"}[lacks])
    assert Together(Alone(), tmp_path, words).put(None, output, passed=True) is None
