"""Holds under many hands at once: together they never promise more than there is."""

from __future__ import annotations

import datetime
import json
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

from forgia_hpc.errors import InputError
from forgia_hpc.jobs import budget, holds
from forgia_hpc.jobs.balance import Evidence
from forgia_hpc.jobs.budget import Wanted
from forgia_hpc.jobs.grant import Grant
from forgia_hpc.jobs.holder import myself
from forgia_hpc.jobs.holds import Hold, Ledger
from forgia_hpc.jobs.payer import Account
from forgia_hpc.rundir import RunDir, make_once
from forgia_hpc.slurm.accounting import Price
from forgia_hpc.slurm.cluster import load_cluster

TODAY = datetime.date.today()
CAP = 1000.0


def account(folder: Path, total: float = CAP) -> Account:
    grant = Grant(
        account="acc",
        cluster="leonardo_booster",
        total=total,
        unit="core-h",
        start=TODAY - datetime.timedelta(days=1),
        end=TODAY + datetime.timedelta(days=1),
    )
    cluster = load_cluster("leonardo_booster")
    return Account(
        ledger=Ledger(folder), grant=grant, cluster=cluster, told=Evidence(ended=(), living=())
    )


def wanted(runs: Path, name: str, amount: float) -> Wanted:
    return Wanted(run=RunDir(runs / name), price=Price(unit="core-h", amount=amount))


def one_hold(ledger: Ledger, name: str = "20260101-000000-train-aaaaaa", **others: object) -> Hold:
    facts: dict[str, object] = {
        "run": name,
        "path": f"/nowhere/{name}",
        "number": 1,
        "names": (f"forgia-{name}",),
        "account": "acc",
        "cluster": "leonardo_booster",
        "unit": "core-h",
        "amount": 10.0,
        "user": "rossi",
        "holder": myself(),
        "time_ns": time.time_ns(),
    }
    return ledger.take(Hold(**{**facts, **others}))  # type: ignore[arg-type]


def _submit_many(folder: Path, seed: int, start: float, out: Path) -> None:
    """Ask again and again for random amounts; some are given back, as after a refusal by Slurm."""
    chance, mine = random.Random(seed), account(folder)
    accepted = []
    time.sleep(max(0.0, start - time.time()))
    for number in range(12):
        amount = float(chance.randint(1, 120))
        asked = wanted(folder / "runs", f"r-{seed}-{number}", amount)
        try:
            hold = budget.take(mine, asked, agreed=True)
        except InputError:
            continue
        if chance.random() < 0.2:
            mine.ledger.close(hold, "Slurm refused it")
        else:
            accepted.append(amount)
    out.with_suffix(".part").write_text(json.dumps(accepted))
    out.with_suffix(".part").rename(out)
    while not (folder.parent / "all done").exists():
        time.sleep(0.02)  # a submitter that is gone without a job would hold nothing


def test_many_submitters_at_once_never_exceed_the_grant(tmp_path: Path) -> None:
    ledger, hands, start = tmp_path / "acc", 8, time.time() + 1.0
    context = multiprocessing.get_context("fork")
    outs = [tmp_path / f"{seed}.json" for seed in range(hands)]
    processes = [
        context.Process(target=_submit_many, args=(ledger, seed, start, out))
        for seed, out in enumerate(outs)
    ]
    for process in processes:
        process.start()
    while not all(out.exists() for out in outs):
        assert all(process.is_alive() for process in processes)
        time.sleep(0.05)
    accepted = [amount for out in outs for amount in json.loads(out.read_text())]
    stand, gone = Ledger(ledger).all()
    (tmp_path / "all done").touch()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert 0.8 * CAP < sum(accepted) <= CAP
    assert sorted(hold.amount for hold in stand) == sorted(accepted)  # a refused one holds nothing
    assert len(stand) + len(gone) == hands * 12
    assert [hold.slot for hold in stand] == sorted({hold.slot for hold in stand})


def test_a_slot_is_had_by_one_only_and_a_lost_answer_of_nfs_is_seen_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert make_once(tmp_path / "1.json", {"who": "a"})
    assert not make_once(tmp_path / "1.json", {"who": "b"})
    assert json.loads((tmp_path / "1.json").read_text()) == {"who": "a"}
    really = os.link

    def answer_lost(here: Path, there: Path) -> None:
        really(here, there)
        raise FileExistsError(17, "File exists", str(there))

    monkeypatch.setattr(os, "link", answer_lost)
    assert make_once(tmp_path / "2.json", {"who": "a"})


def test_a_refused_submission_leaves_no_hold(tmp_path: Path) -> None:
    mine = account(tmp_path / "acc")
    with pytest.raises(InputError, match="1000 core-h of 1000 are left"):
        budget.take(mine, wanted(tmp_path, "r1", 1001), agreed=True)
    stand, gone = mine.ledger.all()
    assert (stand, [end.why for end in gone]) == ([], ["refused"])


def test_a_hold_of_a_killed_submitter_ends_by_evidence(tmp_path: Path) -> None:
    mine = account(tmp_path / "acc")
    asked = wanted(tmp_path, "r1", 900)

    def hold_and_wait() -> None:
        budget.take(mine, asked, agreed=True)
        time.sleep(60)

    child = multiprocessing.get_context("fork").Process(target=hold_and_wait)
    child.start()
    while not mine.ledger.last_slot():
        time.sleep(0.01)
    with pytest.raises(InputError):  # while it lives, it counts
        budget.take(mine, wanted(tmp_path, "r2", 200), agreed=True)
    os.kill(child.pid or 0, signal.SIGKILL)
    child.join()
    budget.take(mine, wanted(tmp_path, "r3", 200), agreed=True)
    assert [hold.run for hold in mine.ledger.all()[0]] == ["r3"]


def test_a_hold_of_another_machine_does_not_end_by_its_age(tmp_path: Path) -> None:
    mine = account(tmp_path / "acc")
    elsewhere = {"host": "another.machine", "pid": 1, "start_ticks": "1"}
    one_hold(mine.ledger, holder=elsewhere, amount=900.0, time_ns=1)
    with pytest.raises(InputError):
        budget.take(mine, wanted(tmp_path, "r2", 200), agreed=True)


def test_an_open_submission_keeps_its_hold_though_the_submitter_is_dead(tmp_path: Path) -> None:
    mine = account(tmp_path / "acc")
    run = RunDir(tmp_path / "20260101-000000-train-aaaaaa")
    run.path.mkdir()
    dead = {**myself(), "start_ticks": "1"}
    one_hold(mine.ledger, run.name, path=str(run.path), holder=dead)
    (run.path / "submissions").mkdir()
    claimed = {"name": f"forgia-{run.name}", "time_ns": time.time_ns(), "holder": dead}
    (run.path / "submissions" / "1.json").write_text(json.dumps(claimed))
    assert budget.tidy(mine) == 0  # sbatch may have been asked
    run.event("submission_lost", name=f"forgia-{run.name}", number=1)
    assert budget.tidy(mine) == 1


def test_an_exception_before_sbatch_frees_the_hold(tmp_path: Path) -> None:
    mine = account(tmp_path / "acc")
    with (
        pytest.raises(OSError, match="full"),
        budget.held(mine, wanted(tmp_path, "r1", 5), agreed=True),
    ):
        raise OSError(28, "disk full")
    stand, gone = mine.ledger.all()
    assert not stand
    assert gone[0].why.startswith("it was never sent")


def test_a_ledger_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "acc").write_text("not a directory")
    with pytest.raises(InputError, match="FORGIA_LEDGER"):
        Ledger(tmp_path / "acc").prepare()


def test_the_ledger_belongs_to_the_group(tmp_path: Path) -> None:
    one_hold(Ledger(tmp_path / "acc"))
    assert (tmp_path / "acc" / "holds").stat().st_mode & 0o7777 == 0o2770
    assert (tmp_path / "acc" / "holds" / "00000001.json").stat().st_mode & 0o777 == 0o640


def test_a_hold_that_cannot_be_read_stops_every_promise(tmp_path: Path) -> None:
    mine = account(tmp_path / "acc")
    one_hold(mine.ledger)
    (tmp_path / "acc" / "holds" / "00000001.json").write_text("{")
    with pytest.raises(InputError, match=r"00000001\.json"):
        budget.take(mine, wanted(tmp_path, "r2", 1), agreed=True)


def test_a_block_of_closed_holds_is_read_from_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holds, "CHUNK", 4)
    ledger = Ledger(tmp_path / "acc")
    taken = [one_hold(ledger, f"r{number}") for number in range(10)]
    for hold in (*taken[:4], *taken[5:]):
        ledger.close(hold, "settled", amount=float(hold.slot))
    before = ledger.all()
    assert ledger.archive() == 1  # the second block has an open hold, the third is not full
    assert ledger.all() == before
    for hold in taken[:4]:
        (
            tmp_path / "acc" / "holds" / f"{hold.slot:08d}.json"
        ).unlink()  # they are not read any more
    assert ledger.all() == before
    assert ledger.before(5)[1] == before[1][:4]
    assert ledger.archive() == 0
