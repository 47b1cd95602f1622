"""The limits of QOS and associations that one request meets, in the order in which Slurm applies them.

Slurm Resource Limits: partition QOS, job QOS, the user's association, its accounts upwards; where one kind of
limit is set at several places, the first counts. Seen on 22.05: a QOS's limit hides that of the association,
group limits of accounts each hold, and DenyOnLimit of the QOS makes sbatch refuse over the association's too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from forgia_hpc.slurm.asked import Asked
from forgia_hpc.slurm.limits import QosLimits


@dataclass(frozen=True)
class Bound:
    """A limit and how much of it is in use; a limit of None is none."""

    limit: int | None
    used: int = 0


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A QOS or an association with its limits by Slurm's own names: MaxWallPJ (s), GrpTRES/cpu, and so on."""

    name: str  # as people say it: "QOS normal", "account forgia_rossi"
    scope: str  # QOS | Assoc: how Slurm's reasons begin
    bounds: Mapping[str, Bound] = field(default_factory=dict)
    parent: bool = False  # an account above: its group limits hold, the others came down already


@dataclass(frozen=True, kw_only=True)
class Cap:
    """One limit against one request. spent: used up for good, as hours are; used: comes back.

    early: it holds a job before any node is looked at; the others count what the nodes gave.
    """

    word: str  # Slurm's reason
    whose: str
    what: str
    field: str
    limit: int
    need: int  # what the job will be counted for: an exclusive one for whole nodes
    told: int  # what it asks for, which is all that sbatch looks at
    used: int = 0
    spent: int = 0
    least: bool = False
    early: bool = False
    at_submit: bool = False  # sbatch refuses when it is used up
    strict: bool = False  # sbatch refuses what can never fit


# a limit of the association ↔ that of the QOS which hides it
_SAME = {"MaxJobs": "MaxJobsPU", "MaxSubmitJobs": "MaxSubmitJobsPU"}
_RESOURCES = {
    "cpu": ("Cpu", "cores", "resources.cpus_per_rank"),
    "node": ("Node", "nodes", "resources.nodes"),
    "mem": ("Mem", "MB of memory", "resources.mem_gb"),
    "gres/gpu": ("GRES", "GPUs", "resources.gpus_per_node"),
    "billing": ("Billing", "billing units", "resources"),
}
_WORDS = {  # family → (reason, plain words); {scope}, {R} and {r} as above
    "MaxTRESPJ": ("{scope}Max{R}PerJob{limit}", "{r} a job"),
    "MinTRESPJ": ("{scope}Min{R}", "{r} a job at least"),
    "MaxTRESPU": ("QOSMax{R}PerUser{limit}", "{r} a user"),
    "MaxTRESPA": ("Max{R}PerAccount", "{r} an account"),
    "GrpTRES": ("{scope}Grp{R}{limit}", "{r} of all its jobs together"),
    "GrpTRESMins": ("{scope}Grp{M}Minutes{mlimit}", "minutes of {r}"),
    "GrpTRESRunMins": ("{scope}Grp{M}RunMinutes{mlimit}", "minutes of {r} of running jobs"),
    "MaxTRESMinsPJ": ("{scope}Max{R}MinutesPerJob{limit}", "minutes of {r} a job"),
}
_COUNTS = {  # name → (reason, plain words, whether sbatch counts it)
    "MaxJobsPU": ("QOSMaxJobsPerUserLimit", "running jobs a user", False),
    "MaxJobsPA": ("MaxJobsPerAccount", "running jobs an account", False),
    "MaxJobs": ("AssocMaxJobsLimit", "running jobs", False),
    "GrpJobs": ("{scope}GrpJobsLimit", "running jobs of all", False),
    "MaxSubmitJobsPU": ("QOSMaxSubmitJobPerUserLimit", "queued and running jobs a user", True),
    "MaxSubmitJobsPA": ("MaxSubmitJobsPerAccount", "queued and running jobs an account", True),
    "MaxSubmitJobs": ("AssocMaxSubmitJobLimit", "queued and running jobs", True),
    "GrpSubmitJobs": ("{scope}GrpSubmitJobsLimit", "queued and running jobs of all", True),
}
DENY = "DenyOnLimit"


def caps(
    asked: Asked, holders: tuple[Holder, ...], *, strict: bool, whole: Asked | None = None
) -> list[Cap]:
    """Return every limit that holds for this request.

    Args:
        asked: the request.
        holders: QOS and associations in Slurm's order.
        strict: whether a QOS has DenyOnLimit.
        whole: what the request is counted for once it has its nodes, where that is more.
    """
    both = asked, whole or asked
    found: list[Cap] = []
    by_qos: set[str] = set()
    for holder in holders:
        mine = {
            name: bound
            for name, bound in holder.bounds.items()
            if bound.limit is not None and _SAME.get(name, name) not in by_qos
        }
        if holder.parent:
            mine = {name: bound for name, bound in mine.items() if name.startswith("Grp")}
        found += [cap for name in mine for cap in _cap(name, holder, both, strict=strict)]
        if holder.scope == "QOS":
            by_qos |= set(mine)
    return found


def _cap(name: str, holder: Holder, both: tuple[Asked, Asked], *, strict: bool) -> Iterator[Cap]:
    """Yield the cap of one named limit; none where the request does not say how much it needs."""
    bound = holder.bounds[name]
    family, _, resource = name.partition("/")
    said = _said(family, resource, holder)
    told, need = (_need(family, resource, asked) for asked in both)
    if said is None or told is None or need is None or bound.limit is None:
        return
    word, what, where = said
    minutes = family == "GrpTRESMins"
    running = holder.bounds.get(f"GrpTRESRunMins/{resource}", Bound(None)).used if minutes else 0
    yield Cap(
        word=word,
        whose=holder.name,
        what=what,
        field=where,
        limit=bound.limit,
        need=need,
        told=told,
        used=running if minutes else bound.used,
        spent=bound.used if minutes else 0,
        least=family == "MinTRESPJ",
        early=family == "MaxWallPJ" or family in _COUNTS,
        at_submit=family in _COUNTS and _COUNTS[family][2],
        strict=strict,
    )


def _said(family: str, resource: str, holder: Holder) -> tuple[str, str, str] | None:
    """Return Slurm's reason, the plain words and the field that mends it."""
    if family == "MaxWallPJ":
        return f"{holder.scope}MaxWallDurationPerJobLimit", "walltime", "resources.walltime"
    if family in _COUNTS:
        word, what, _ = _COUNTS[family]
        return word.format(scope=holder.scope), what, "resources.qos"
    known = _RESOURCES.get(resource.partition(":")[0])  # gres/gpu:a100 is one of gres/gpu
    if family not in _WORDS or known is None:
        return None
    short, plain, mends = known
    word, what = _WORDS[family]
    counted = short in ("Cpu", "Node")
    names = {
        "scope": holder.scope,
        "R": short,
        "M": "CPU" if short == "Cpu" else short,
        "limit": "Limit" if counted else "",
        "mlimit": "Limit" if short == "Cpu" else "",
    }
    return word.format(**names), what.format(r=plain), mends


def _need(family: str, resource: str, asked: Asked) -> int | None:
    if family == "MaxWallPJ":
        return asked.seconds
    if family in _COUNTS:
        return asked.points if _COUNTS[family][2] else 1
    total = asked.total(resource)
    if total is None or "Mins" not in family:
        return total
    return total * -(-asked.seconds // 60)


def bounds_of(qos: QosLimits) -> dict[str, Bound]:
    """Return the limits of a QOS as sacctmgr or a profile has them, none of it used."""
    by_resource = {
        "MaxTRESPJ": qos.max_tres_per_job,
        "MinTRESPJ": qos.min_tres_per_job,
        "MaxTRESPU": qos.max_tres_per_user,
        "MaxTRESPA": qos.max_tres_per_account,
        "GrpTRES": qos.group_tres,
        "GrpTRESMins": qos.group_tres_mins,
    }
    counts = {
        "MaxWallPJ": qos.max_wall_s,
        "MaxJobsPU": qos.max_jobs_per_user,
        "MaxSubmitJobsPU": qos.max_submit_per_user,
        "MaxJobsPA": qos.max_jobs_per_account,
        "MaxSubmitJobsPA": qos.max_submit_per_account,
        "GrpJobs": qos.group_jobs,
        "GrpSubmitJobs": qos.group_submit,
    }
    tres = {
        f"{family}/{name}": Bound(limit)
        for family, limits in by_resource.items()
        for name, limit in limits.items()
    }
    return tres | {name: Bound(limit) for name, limit in counts.items() if limit is not None}
