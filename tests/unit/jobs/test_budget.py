"""Balances: every job once, whatever the sources show; and the site's own word."""

from __future__ import annotations

import datetime
import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from fakes.slurm_commands import FakeSlurm

from forgia_hpc.cli.agree import _spent, agree_on
from forgia_hpc.cli.budget import set_grant
from forgia_hpc.config.check import complete
from forgia_hpc.config.compose import compose_job
from forgia_hpc.errors import InputError
from forgia_hpc.jobs import budget
from forgia_hpc.jobs.agreement import has_agreed, note_agreed
from forgia_hpc.jobs.balance import Balance, Evidence, balance
from forgia_hpc.jobs.grant import Grant, parse_saldo, read_grant, statement, write_grant
from forgia_hpc.jobs.holds import Closed, Hold, Ledger
from forgia_hpc.jobs.next_link import link_price, link_warnings
from forgia_hpc.jobs.package import Plan
from forgia_hpc.jobs.payer import Account, Payer, payer_of
from forgia_hpc.rundir import RunDir
from forgia_hpc.schema.job import Kind, Launch
from forgia_hpc.slurm.accounting import Price, Shape
from forgia_hpc.slurm.cluster import load_cluster
from forgia_hpc.slurm.site import Accounting
from forgia_hpc.slurm.usage import Allocation

CLUSTER = load_cluster("leonardo_booster")
NOW = datetime.datetime(2026, 11, 22, 12, 0)
GRANT = Grant(
    account="acc",
    cluster="leonardo_booster",
    total=36500.0,
    unit="core-h",
    start=datetime.date(2026, 1, 1),
    end=datetime.date(2027, 1, 1),
    members={"rossi": 0.5},
)
NODE = Shape(nodes=1, cpus=32, gpus=4, mem_mb=494000, billing=32)
SALDO = """\
-----------------------------------------------------------------------------------
account        start         end         total   localCluster   totConsumed   totConsumed  monthTotal monthConsumed
                                      (local h) Consumed(local h)  (local h)            %   (local h)     (local h)
-----------------------------------------------------------------------------------
Acc_X       20260107    20270107       2000000        1205697       1205697          60.3     164383         99394
Other_1     20240711    20260430        640000         557186        557186          87.1          0             0
"""


def stamp(day: int, hour: int = 0) -> int:
    return int(datetime.datetime(2026, 11, day, hour).timestamp())


def ended(name: str, hours: float, *, end: int | None = None, **others: object) -> Allocation:
    until = stamp(20) if end is None else end
    facts = {"state": "COMPLETED", "user": "rossi", "job_id": name, "shape": NODE}
    seconds = int(hours * 3600)
    times = {"start": until - seconds, "end": until, "elapsed_s": seconds}
    return Allocation(**{**facts, "name": name, **times, **others})  # type: ignore[arg-type]


def alive(name: str, *, ran_h: float, limit_h: float, **others: object) -> Allocation:
    state = "RUNNING" if ran_h else "PENDING"
    times = {"elapsed_s": int(ran_h * 3600), "limit_s": int(limit_h * 3600)}
    facts = {"state": state, "user": "rossi", "job_id": name, "shape": NODE, "name": name}
    return Allocation(**{**facts, **times, **others})  # type: ignore[arg-type]


def hold(name: str, amount: float, **others: object) -> Hold:
    facts = {
        "run": name, "path": f"/nowhere/{name}", "number": 1, "names": (name,), "account": "acc",
        "cluster": "leonardo_booster", "unit": "core-h", "amount": amount, "user": "verdi",
        "holder": {}, "time_ns": 0,
    }  # fmt: skip
    return Hold(**{**facts, **others})  # type: ignore[arg-type]


def told(**evidence: object) -> Balance:
    return balance(GRANT, CLUSTER, Evidence(**evidence), NOW)  # type: ignore[arg-type]


def test_settled_in_flight_and_committed_are_added_up() -> None:
    found = told(
        ended=[ended("a", 2), ended("b", 1, state="REQUEUED")],
        living=[alive("c", ran_h=1, limit_h=4), alive("d", ran_h=0, limit_h=10)],
        open_holds=[hold("e", 100.0)],
    )
    whole = found.everybody
    assert (whole.settled, whole.in_flight, whole.committed) == (96, 32, 96 + 320 + 100)
    assert found.left == 36500 - 96 - 32 - 516
    assert found.members["verdi"].committed == 100


def test_a_job_that_slurm_shows_is_not_counted_by_its_hold_again() -> None:
    running = told(ended=(), living=[alive("a", ran_h=1, limit_h=2)], open_holds=[hold("a", 64.0)])
    assert running.everybody.spoken_for == 64
    over = told(ended=[ended("a", 1)], living=(), open_holds=[hold("a", 64.0)])
    assert over.everybody.spoken_for == 32


def test_a_requeued_job_costs_what_it_spent_and_may_cost_all_again() -> None:
    found = told(
        ended=[ended("a", 2, state="REQUEUED")],
        living=[alive("a", ran_h=0, limit_h=2)],
        open_holds=[hold("a", 64.0)],
    )
    assert found.everybody.spoken_for == 128


def test_a_hold_with_more_to_come_stands_for_the_rest() -> None:
    sweep = hold("a", 320.0, more=True)
    found = told(ended=[ended("a", 1)], living=[alive("a", ran_h=1, limit_h=2)], open_holds=[sweep])
    assert found.everybody.spoken_for == 320
    later = told(ended=[ended("a.2", 1)], living=(), open_holds=[sweep])  # its next token
    assert later.everybody.spoken_for == 320
    foreign = told(ended=[ended("a.2", 1)], living=(), open_holds=[hold("a", 64.0)])
    assert foreign.everybody.spoken_for == 96


def test_a_sweep_that_has_ended_is_closed_by_its_end(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "acc")
    ledger.take(hold("forgia-x", 640.0, run="x", more=True))
    evidence = Evidence(ended=[ended("forgia-x", 1), ended("forgia-x.2", 2)], living=())
    account = Account(ledger=ledger, grant=GRANT, cluster=CLUSTER, told=evidence)
    assert budget.tidy(account) == 0
    budget.finish(RunDir(tmp_path / "x"), Payer(account=account))
    stand, gone = ledger.all()
    assert not stand
    assert gone[0].amount == 96


def test_a_closed_hold_counts_where_sacct_no_longer_shows_its_job() -> None:
    gone = Closed(hold=hold("a", 64.0), why="settled", amount=20.0)
    assert told(ended=(), living=(), closed_holds=[gone]).everybody.settled == 20
    assert told(ended=[ended("a", 1)], living=(), closed_holds=[gone]).everybody.settled == 32


def test_only_the_part_within_the_month_counts_for_it() -> None:
    over_midnight = ended("a", 10, end=stamp(1, 4))  # six hours of October, four of November
    found = told(ended=[over_midnight], living=())
    assert found.everybody.settled == 320
    assert found.everybody.month == pytest.approx(4 * 32)
    assert found.month_share == 36500 * 30 / 365


def test_of_the_sites_sum_and_ours_the_larger_holds() -> None:
    said = replace(parse_saldo(SALDO)[0], consumed=500.0, month_consumed=400.0)
    found = told(ended=[ended("a", 2)], living=(), site=said)
    assert (found.everybody.settled, found.everybody.month) == (500, 400)
    assert found.month_share == 164383
    low = told(ended=[ended("a", 20)], living=(), site=said)
    assert low.everybody.settled == 640


def test_a_job_without_a_limit_is_no_small_promise() -> None:
    found = told(ended=(), living=[alive("a", ran_h=1, limit_h=1, limit_s=None)])
    assert found.everybody.committed > 100_000


def test_without_sacct_it_says_what_is_missing() -> None:
    found = told(ended=None, living=())
    assert "no accounting" in found.missing[0]
    assert found.sources == ("squeue", "ledger")


# --- what is refused, and what may be agreed to ---------------------------------------------------


def asks(
    amount: float, *, agreed: bool = False, user: str = "verdi", **evidence: object
) -> list[str]:
    found = told(ended=evidence.get("ended", ()), living=())
    price = Price(unit="core-h", amount=amount)
    return [p.limit for p in budget.objections(found, price, agreed=agreed, user=user)]


def test_the_total_is_refused_whatever_is_agreed() -> None:
    assert "36500 core-h of 36500 are left" in asks(36501, agreed=True)[0]
    assert asks(36500, agreed=True) == []


def test_the_months_share_may_be_agreed_to() -> None:
    assert "this month's share of 3000" in asks(3001)[0]
    assert asks(3001, agreed=True) == []
    assert asks(3000) == []


def test_a_members_share_may_be_agreed_to() -> None:
    spent = [ended("a", 570, end=stamp(1) - 60)]  # 18240 core-h, before this month
    assert asks(20, user="rossi", ended=spent)[0].startswith("10 core-h of your share of 18250")
    assert asks(20, user="verdi", ended=spent) == []


def test_another_unit_is_no_price_of_this_grant() -> None:
    found = told(ended=(), living=())
    price = Price(unit="GPU-h", amount=1)
    assert "bills GPU-h" in budget.objections(found, price, agreed=True, user="x")[0].limit


# --- grant and site -------------------------------------------------------------------------------


def test_saldo_is_read_as_cineca_prints_it() -> None:
    first, second = parse_saldo(SALDO)
    assert (first.account, first.total, first.consumed) == ("Acc_X", 2_000_000, 1_205_697)
    assert (first.month_total, first.month_consumed) == (164_383, 99_394)
    assert second.end == datetime.date(2026, 4, 30)


def test_the_months_share_is_saldos() -> None:
    grant = replace(
        GRANT, total=2e6, start=datetime.date(2026, 1, 7), end=datetime.date(2027, 1, 7)
    )
    assert int(grant.month(datetime.date(2026, 9, 18))[2]) == 164_383
    course = replace(
        GRANT, total=39000, start=datetime.date(2024, 3, 14), end=datetime.date(2024, 8, 31)
    )
    assert int(course.month(datetime.date(2024, 6, 28))[2]) == 6882
    assert course.month(datetime.date(2024, 9, 1))[2] == 0


def test_the_site_is_asked_by_its_own_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeSlurm(tmp_path / "bin")
    fake.says("saldo", SALDO)
    monkeypatch.setenv("PATH", str(fake.directory), prepend=":")
    site = replace(CLUSTER, accounting=Accounting(balance_cmd=("saldo", "-b")))
    assert statement(site, "acc_x").account == "Acc_X"  # type: ignore[union-attr]
    assert statement(site, "unknown") is None
    absent = replace(CLUSTER, accounting=Accounting(balance_cmd=("no-such-command",)))
    assert statement(absent, "acc_x") is None


def test_a_grant_comes_back_as_it_was_written(tmp_path: Path) -> None:
    assert read_grant(tmp_path) is None
    write_grant(tmp_path, GRANT)
    assert read_grant(tmp_path) == GRANT


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"total": -1}, "total"),
        ({"total": "many"}, "total"),
        ({"total": float("nan")}, "total"),
        ({"total": float("inf")}, "total"),
        ({"from": datetime.datetime(2026, 10, 1, 10)}, "from"),
        ({"from": "soon"}, "from"),
        ({"from": datetime.date(2028, 1, 1)}, "from"),
        ({"members": {"a": 0.7, "b": 0.4}}, "members"),
        ({"members": {"a": 0}}, "members"),
        ({"limit": 3}, "limit"),
    ],
)
def test_a_wrong_grant_is_refused(tmp_path: Path, change: dict[str, object], field: str) -> None:
    write_grant(tmp_path, GRANT)
    path = tmp_path / "grant.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **change}))
    with pytest.raises(InputError) as caught:
        read_grant(tmp_path)
    assert [problem.field for problem in caught.value.problems] == [field]


# --- who is watched -------------------------------------------------------------------------------


def test_without_a_ledger_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORGIA_LEDGER", raising=False)
    assert "no ledger" in payer_of("acc", CLUSTER).why
    assert "no account" in payer_of(None, CLUSTER).why
    assert payer_of("acc", load_cluster("local")).why == ""
    monkeypatch.setenv("FORGIA_LEDGER", str(tmp_path))
    assert "no grant" in payer_of("acc", CLUSTER).why
    (tmp_path / "acc").mkdir()
    write_grant(tmp_path / "acc", replace(GRANT, cluster="dev"))
    assert "is for dev" in payer_of("ACC", CLUSTER).why


def test_an_account_cannot_lead_out_of_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGIA_LEDGER", str(tmp_path))
    for name in ("../other", "a\nb", "a b", "$HOME"):
        with pytest.raises(InputError, match="no dot in front"):
            payer_of(name, CLUSTER)


def test_a_hold_is_closed_with_what_its_job_was_billed(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "acc")
    ledger.take(hold("forgia-x", 64.0))
    evidence = Evidence(ended=[ended("forgia-x", 1)], living=(), read_s=time.time())
    account = Account(ledger=ledger, grant=GRANT, cluster=CLUSTER, told=evidence)
    assert budget.tidy(account) == 1
    assert budget.tidy(account) == 0
    closed = json.loads((tmp_path / "acc" / "holds" / "00000001.closed.json").read_text())
    assert (closed["why"], closed["amount"], closed["job_ids"]) == ("settled", 32, ["forgia-x"])


def test_a_requeued_attempt_is_no_end(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "acc")
    ledger.take(hold("forgia-x", 64.0))
    evidence = Evidence(ended=[ended("forgia-x", 1, state="REQUEUED")], living=())
    account = Account(ledger=ledger, grant=GRANT, cluster=CLUSTER, told=evidence)
    assert budget.tidy(account) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("X", "--cluster", "lisa"), "disabled"),
        (("X", "--cluster", "dev", "--member", "", "0.3"), "users by name"),
        (("X", "--cluster", "dev", "--member", " ", "0.3"), "users by name"),
        (("", "--cluster", "dev"), "a name is needed"),
    ],
)
def test_what_is_no_grant_is_not_written(
    words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGIA_LEDGER", str(tmp_path))
    dates = ("--total", "4", "--from", "2026-01-01", "--to", "2026-12-31")
    with pytest.raises(InputError, match=said):
        set_grant.main([*words, *dates], standalone_mode=False)
    assert not list(tmp_path.rglob("grant.yaml"))


def test_a_spent_month_is_a_warning_and_not_a_refusal() -> None:
    calm = told(ended=[ended("a", 10)])
    spent_ = told(ended=[ended("a", 100)])  # 3200 core-h of 3000
    assert _spent(calm) == ()
    (warning,) = _spent(spent_)
    assert warning.got == "107%"
    assert "the month's share is spent" in warning.limit


def test_a_next_link_that_may_be_refused_in_the_night_is_told_in_time() -> None:
    found = told(ended=[ended("a", 10)], living=())  # 320 core-h of the month's 3000
    asked = Price(unit="core-h", amount=1500)

    def said(link: Price | None, *, agreed: bool = False) -> list[str]:
        warned = link_warnings(found, asked, link, agreed=agreed, user="verdi")
        return [str(one) for one in warned]

    assert said(None) == []
    assert said(Price(unit="core-h", amount=1180)) == []
    (line,) = said(asked)
    assert "a next link, 1500 core-h" in line
    assert "after this job 1180 core-h of this month's share of 3000 are left" in line
    assert "--yes" in line
    assert said(asked, agreed=True) == []
    (line,) = said(Price(unit="core-h", amount=36000), agreed=True)  # a yes is none to the total
    assert "of 36500 are left" in line
    assert "--yes" not in line


def test_the_submission_itself_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeSlurm(tmp_path / "bin")
    for program in ("squeue", "sacct", "saldo"):
        fake.says(program, "")
    monkeypatch.setenv("PATH", f"{fake.directory}:{os.environ['PATH']}")
    monkeypatch.setenv("FORGIA_LEDGER", str(tmp_path / "ledger"))
    today = datetime.date.today()
    dates = {"start": today, "end": today + datetime.timedelta(days=1)}
    (tmp_path / "ledger" / "acc").mkdir(parents=True)
    write_grant(tmp_path / "ledger" / "acc", replace(GRANT, **dates))
    asked = Price(unit="core-h", amount=20_000)

    def warned(link: Price | None) -> list[str]:
        payer = agree_on(asked, "acc", CLUSTER, yes=True, silent=True, link=link)
        return [one.limit for one in payer.warnings]

    assert warned(None) == []
    (line,) = warned(asked)
    assert "after this job 16500 core-h of 36500 are left" in line
    assert warned(Price(unit="core-h", amount=16_500)) == []


def test_only_what_goes_on_by_another_job_has_a_link() -> None:
    def link(kind: Kind, resubmit: str, *words: str) -> Price | None:
        job = compose_job(kind, ["cluster=leonardo_booster", "resources.account=acc", *words])
        scheduler = replace(CLUSTER.scheduler, resubmit=resubmit)
        cluster = replace(CLUSTER, scheduler=scheduler)
        job = replace(job, resources=complete(job.resources, cluster))
        facts = {"run": RunDir(Path("/nowhere")), "data": {}, "launch": Launch.srun}
        return link_price([Plan(job=job, cluster=cluster, **facts)])

    words = ("command.argv=[x]", "resources.walltime=01:00:00")
    saves = (*words, "command.resumable=true", "command.progress=states")
    assert link(Kind.command, "singleton", *words) is None
    assert link(Kind.command, "requeue", *saves) is None
    told_ = link(Kind.command, "singleton", *saves)
    assert told_ is not None
    assert told_.amount == 32.0


def test_a_later_attempt_needs_somebodys_word(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.path.mkdir()
    note_agreed(run, agreed=False)
    assert not has_agreed(run)
    note_agreed(run)
    note_agreed(run)
    assert has_agreed(run)
    assert len(run.events()) == 1
