"""The verdict on a plan where Slurm can't be asked, is silent, or says no."""

from __future__ import annotations

from typing import Any

import pytest

from forgia_hpc.errors import InputError, Problem, SlurmSilentError
from forgia_hpc.jobs import foresee
from forgia_hpc.jobs.package import Plan
from forgia_hpc.jobs.plan import Wish, make_plan
from forgia_hpc.schema.job import Kind
from forgia_hpc.slurm.finding import Fate, Finding
from forgia_hpc.slurm.verdict import Verdict


def plan(*overrides: str) -> Plan:
    return make_plan(
        Wish(kind=Kind.command, overrides=overrides, argv=["python", "x.py"], dry=True)
    )


LEONARDO = (
    "cluster=leonardo_booster",
    "resources.account=AIFAC_L01",
    "resources.walltime=00:10:00",
)


def test_off_the_cluster_it_fits_and_the_live_state_is_not_checked() -> None:
    found = foresee.foresee(plan(*LEONARDO))
    assert found is not None
    assert found.fate is Fate.fits
    assert found.unchecked == ("live state: this machine is not the cluster",)


def test_without_slurm_there_is_no_verdict() -> None:
    assert foresee.foresee(plan("cluster=local")) is None


def test_a_silent_slurm_is_never_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: Any, **__: Any) -> None:
        raise SlurmSilentError("Slurm did not answer: squeue gave no answer in 10 s")

    monkeypatch.setattr(foresee, "read_measure", silent)
    monkeypatch.setattr(foresee, "is_here", lambda _: True)
    found = foresee.foresee(plan(*LEONARDO))
    assert found is not None
    assert found.fate is Fate.fits
    assert "gave no answer in 10 s" in found.unchecked[0]
    foresee.refuse_hopeless(found)


def hopeless(fate: Fate) -> Verdict:
    problem = Problem(field="resources.nodes", got=5, limit="usr has 4", fix="ask for 4 or fewer")
    return Verdict(
        fate=fate, because="x", findings=(Finding(fate=fate, reason="R", problem=problem),)
    )


def test_what_never_starts_is_refused_unless_forced_and_a_refusal_always() -> None:
    with pytest.raises(InputError, match="wait for ever: usr has 4"):
        foresee.refuse_hopeless(hopeless(Fate.never))
    foresee.refuse_hopeless(hopeless(Fate.never), force=True)
    for force in (False, True):
        with pytest.raises(InputError, match="sbatch would refuse it"):
            foresee.refuse_hopeless(hopeless(Fate.refused), force=force)


def test_what_waits_is_submitted() -> None:
    foresee.refuse_hopeless(Verdict(fate=Fate.waits, because="x"))


def test_what_was_chosen_and_what_is_unwise_is_in_the_plan() -> None:
    found = plan(*LEONARDO, "resources.nodes=80", "resources.cpus_per_rank=2")
    assert found.chosen == "resources.qos=boost_qos_bprod chosen: 80 nodes need it"
    assert [one.field for one in found.warnings] == ["resources.cpus_per_rank"]


def test_many_requests_are_refused_together_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Plan] = []

    def judged(one: Plan) -> Verdict:
        asked.append(one)
        return hopeless(Fate.never)

    monkeypatch.setattr(foresee, "foresee", judged)
    one, other = plan(*LEONARDO), plan(*LEONARDO, "resources.nodes=2")
    with pytest.raises(InputError) as caught:
        foresee.foresee_all({"a": one, "b": other, "c": one})
    assert [each.field for each in caught.value.problems] == [
        f"{name}: resources.nodes" for name in "abc"
    ]
    assert len(asked) == 2  # of the same request Slurm is asked once


@pytest.mark.parametrize(
    ("reason", "fate"),
    [("QOSMaxSubmitJobPerUserLimit", Fate.waits), ("QOSMaxWallDurationPerJobLimit", None)],
)
def test_what_is_sent_bit_by_bit_waits_for_room_in_the_queue(
    reason: str, fate: Fate | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = Problem(field="resources.qos", got="normal", limit="full")
    full = Finding(fate=Fate.refused, reason=reason, problem=problem)
    verdict = Verdict(fate=Fate.refused, because="full", findings=(full,))
    monkeypatch.setattr(foresee, "foresee", lambda _: verdict)
    one = plan(*LEONARDO)
    if fate is None:
        with pytest.raises(InputError, match="sbatch would refuse it"):
            foresee.foresee_all({"": one}, fed=True)
        return
    assert foresee.foresee_all({"": one}, fed=True)[""].fate is fate
    with pytest.raises(InputError, match="sbatch would refuse it"):
        foresee.foresee_all({"": one})
