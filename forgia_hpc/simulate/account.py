"""What a campaign says of itself: in the dataset's manifest (the same after any course) and in campaign.json."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from forgia_hpc.digest import digest_of
from forgia_hpc.schema.simulation import Solver
from forgia_hpc.simulate.admission.told import trials_of
from forgia_hpc.simulate.kept import Kept
from forgia_hpc.simulate.member import Member
from forgia_hpc.simulate.members import Members
from forgia_hpc.simulate.progress import COUNTED, Ending, Progress, word_of
from forgia_hpc.simulate.refine import Difference, errors_of, factor_of
from forgia_hpc.simulate.retry import OUTSIDE


def left_out(members: Members, kept: Kept, progress: Progress) -> dict[str, Any]:
    """Return why members are not in the dataset, in words that don't hang on the course of the campaign."""
    found: dict[str, Any] = {}
    for one in members.members:
        if kept.ending(one) is Ending.admitted:
            continue
        line = kept.line(one)
        if line["what"] == "poison":
            found[one.id] = {"ending": "poison", "failure": _own_failure(one, progress)}
        else:
            checks = [told["check"] for told in line["findings"] if not told["passed"]]
            found[one.id] = {"ending": "rejected", "checks": checks}
    return found


def _own_failure(member: Member, progress: Progress) -> str:
    """Return the failure that repeats itself; kills from outside hang on the day."""
    kinds = progress.failures.get(member.number, [])
    own = Counter(sorted(kind for kind in kinds if kind not in OUTSIDE))
    return own.most_common(1)[0][0] if own else "killed"


def provenance(
    solver: Solver,
    members: Members,
    out: Mapping[str, Any],
    differences: Mapping[str, Difference],
    order: int | None = None,
) -> dict[str, Any]:
    """Return what the dataset's manifest says of how it was made."""
    return {
        "solver": {"name": solver.name, "kind": solver.kind.value, "digest": members.solver},
        "members": {
            "planned": sum(not one.level for one in members.members),
            "digest": digest_of([one.id for one in members.members]),
        },
        "left_out": dict(out),
        "probation": list(trials_of(solver)),
        "refinement": {
            "members": dict(differences),
            "errors": errors_of(differences.values(), factor_of(order)),
            "order": order,
            "factor": factor_of(order),
        },
    }


def counts(members: Sequence[Member], kept: Kept) -> dict[str, int]:
    """Return how many members were planned, and how they ended; refined ones apart."""
    found = Counter(
        word_of(ending, refined=bool(one.level))
        for one in members
        if (ending := kept.ending(one)) is not None
    )
    fine = sum(bool(one.level) for one in members)
    planned = {"planned": len(members) - fine, "refined_planned": fine}
    return {**planned, **{name: found[name] for name in COUNTED}}


def ending(told: Mapping[str, int], least_share: float) -> str:
    """Return how a sealed campaign has ended: with too few members its dataset is kept, and the job has failed."""
    return "completed" if told["admitted"] >= least_share * told["planned"] else "failed"


def warning(told: Mapping[str, int], errors: Mapping[str, Any]) -> dict[str, str]:
    """Return the `warning` on a dataset that has no error bars although they were asked for; else nothing."""
    fine = told["refined_planned"]
    if not fine or errors:
        return {}
    why = f"{told['refined']} of {fine} refined members were admitted"
    if told["refined"]:
        why += ", none of them beside an admitted member of level 0"
    return {"warning": f"no error bars: {why}"}


def course(members: Sequence[Member], kept: Kept, progress: Progress) -> dict[str, Any]:
    """Return how the campaign went: what was computed, what it cost, what was lost on the way."""
    seconds = sorted(one for one in progress.seconds if not math.isnan(one))
    admitted = (one.number for one in members if kept.ending(one) is Ending.admitted)
    known = sum(math.isnan(progress.seconds[number]) for number in admitted)
    twice = progress.several()
    failures = Counter(kind for kinds in progress.failures.values() for kind in kinds)
    return {
        "known": known,
        "computed": len(seconds),
        "solved_twice": len(twice),
        "differing": [number for number in twice if _differs(kept, number)],
        "torn_lines": progress.torn,
        "unsound": len(progress.unsound),
        "failures": dict(sorted(failures.items())),
        "member_s": {
            "total": round(sum(seconds), 3),
            "median": seconds[len(seconds) // 2] if seconds else None,
            "largest": seconds[-1] if seconds else None,
        },
    }


def _differs(kept: Kept, number: int) -> bool:
    """Whether a member that was solved twice gave other numbers: its solver is no pure function of its inputs."""
    sums = {digest_of(line["sums"]) for line in kept.lines(number) if "sums" in line}
    return len(sums) > 1


def nothing(out: Mapping[str, Any]) -> str:
    """Return why a campaign has nothing to seal."""
    reasons = Counter(
        f"{told['ending']} ({told.get('failure') or ', '.join(told['checks'])})"
        for told in out.values()
    )
    words = ", ".join(f"{count} {why}" for why, count in reasons.most_common(3))
    return f"no member was admitted: {words}; output/campaign/rejected has each"
