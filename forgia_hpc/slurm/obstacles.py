"""Everything that stands in the way of a request, in the order in which Slurm looks at it.

Learnt by asking Slurm 22.05: what sbatch refuses; the partition's limits (with EnforcePartLimits=NO it accepts
what is over them, and the job pends for ever); limits of QOS and associations, of which those on time and
counts hold a job before anybody looks whether a node could take it; the nodes.
"""

from __future__ import annotations

from collections.abc import Iterator

from forgia_hpc.slurm.asked import Asked
from forgia_hpc.slurm.caps import Cap
from forgia_hpc.slurm.finding import Fate, Finding, Measure, clock, finding
from forgia_hpc.slurm.limits import PartitionLimits
from forgia_hpc.slurm.shortage import misfits, waits


def obstacles(asked: Asked, measure: Measure) -> list[Finding]:
    """Return everything that stands in the way of a request, in Slurm's order."""
    refused = [*_doors(asked, measure), *_submit_caps(measure)]
    partition = measure.limits.partitions.get(asked.partition or "")
    if partition is None:
        return [*refused, *_held(measure, early=True), *_held(measure, early=False)]
    down = partition.state == "DOWN"
    beyond = [*_beyond_partition(asked, partition, measure)]
    early = [*_held(measure, early=True)]
    held = [*early, *_held(measure, early=False)]
    ahead = bool(beyond and not down) or bool(early)
    unfit = [*misfits(asked, measure, tested_at_once=not ahead)]
    short = [] if unfit else [*waits(asked, partition, measure)]
    return [*refused, *beyond, *held, *unfit, *short]


def _doors(asked: Asked, measure: Measure) -> Iterator[Finding]:
    """What sbatch refuses whatever the limits: names that it doesn't know, doors that are shut."""
    limits, where = measure.limits, measure.where
    partition = limits.partitions.get(asked.partition or "")

    def refused(name: str, got: object, limit: str, fix: str = "") -> Finding:
        return finding(Fate.refused, "", (f"resources.{name}", got), limit, where, fix)

    if partition is None and asked.partition is not None:
        yield refused("partition", asked.partition, f"one of {', '.join(limits.partitions)}")
    elif partition is not None and partition.state in ("DRAIN", "INACTIVE"):
        limit = f"{partition.name} takes no jobs now: its state is {partition.state}"
        yield refused("partition", asked.partition, limit)
    if asked.account and measure.accounts is not None and asked.account not in measure.accounts:
        limit = f"you may charge {', '.join(measure.accounts) or 'no account'}"
        yield refused("account", asked.account, limit)
    allowed = _allowed_qos(measure, partition)
    if asked.qos and allowed is not None and asked.qos not in allowed:
        name = partition.name if partition else limits.name
        yield refused("qos", asked.qos, f"{name} allows {', '.join(sorted(allowed))}")
    if limits.max_array_size and asked.points > limits.max_array_size:
        yield refused("points", asked.points, f"an array holds {limits.max_array_size}")


def _allowed_qos(measure: Measure, partition: PartitionLimits | None) -> set[str] | None:
    """Return the QOS that sbatch takes; None where nothing is known of them."""
    if not measure.limits.qos:
        return None
    known = set(measure.limits.qos)
    if measure.own_qos is not None:
        known &= set(measure.own_qos)
    if partition and partition.allow_qos is not None:
        known &= set(partition.allow_qos)
    return known - set(partition.deny_qos if partition else ())


def _submit_caps(measure: Measure) -> Iterator[Finding]:
    for cap in measure.caps:
        over = cap.used + cap.need > cap.limit if cap.at_submit else _denied(cap)
        if over:
            yield _capped(Fate.refused, cap, measure.where)


def _denied(cap: Cap) -> bool:
    """Whether sbatch itself sees that the request is over this limit, and may refuse it."""
    return cap.strict and _alone(cap, cap.told)


def _alone(cap: Cap, need: int) -> bool:
    """Whether so much can't keep to this limit even when nothing else counts."""
    return need < cap.limit if cap.least else need > cap.limit


def _held(measure: Measure, *, early: bool) -> Iterator[Finding]:
    """Limits of QOS and associations that hold an accepted job."""
    for cap in measure.caps:
        if cap.early is not early or cap.at_submit or _denied(cap):
            continue
        if _alone(cap, cap.need) or (not cap.least and cap.spent + cap.need > cap.limit):
            yield _capped(Fate.never, cap, measure.where)
        elif not cap.least and cap.spent + cap.used + cap.need > cap.limit:
            yield _capped(Fate.waits, cap, measure.where)


def _capped(fate: Fate, cap: Cap, where: str) -> Finding:
    """Say a limit in words: whose, of what, how much is left."""
    in_use = cap.spent + cap.used
    limit, need = _amount(cap, cap.limit), _amount(cap, cap.need)
    if cap.least:
        said = f"{cap.whose} needs {limit} {cap.what.removesuffix(' at least')} at least"
    else:
        taken = f", {in_use} in use" if in_use else ""
        what = "" if cap.what == "walltime" else f" {cap.what}"
        said = f"{cap.whose} allows {limit}{what}{taken}"
    wait = fate is Fate.waits or (cap.at_submit and cap.need <= cap.limit)
    side = "more" if cap.least else "less" if cap.what == "walltime" else "fewer"
    fix = "" if wait else f"ask for {limit} or {side}"
    return finding(fate, cap.word, (cap.field, need), said, where, fix)


def _amount(cap: Cap, number: int) -> int | str:
    return clock(number) if cap.what == "walltime" else number


def _beyond_partition(
    asked: Asked, partition: PartitionLimits, measure: Measure
) -> Iterator[Finding]:
    """What is over the partition's own limits: refused or accepted and never started, by EnforcePartLimits."""
    fate = Fate.never if measure.limits.enforce_part_limits == "NO" else Fate.refused
    qos = measure.limits.qos.get(asked.qos or "")
    flags = qos.flags if qos else ()

    def beyond(reason: str, name: str, got: object, limit: str, fix: str) -> Finding:
        return finding(fate, reason, (f"resources.{name}", got), limit, measure.where, fix)

    name, most = partition.name, partition.max_nodes
    if most and "PartitionMaxNodes" not in flags and asked.nodes > most:
        yield beyond(
            "PartitionNodeLimit", "nodes", asked.nodes, f"{name} allows {most}", _or_fewer(most)
        )
    elif asked.nodes > partition.total_nodes:
        has = partition.total_nodes
        yield beyond(
            "PartitionNodeLimit", "nodes", asked.nodes, f"{name} has {has}", _or_fewer(has)
        )
    if asked.nodes < partition.min_nodes and "PartitionMinNodes" not in flags:
        least = partition.min_nodes
        yield beyond(
            "PartitionNodeLimit", "nodes", asked.nodes, f"{name} needs {least}", f"ask for {least}"
        )
    longest = partition.max_time_s
    if longest and "PartitionTimeLimit" not in flags and asked.seconds > longest:
        text = clock(longest)
        limit, fix = f"{name} allows {text}", f"ask for {text} or less"
        yield beyond("PartitionTimeLimit", "walltime", clock(asked.seconds), limit, fix)
    cores, has = asked.nodes * asked.cpus, _cores(partition)
    if cores > has and asked.nodes <= partition.total_nodes:
        limit = f"{name} has {has} cores for its jobs"
        yield beyond("PartitionConfig", "cpus_per_rank", cores, limit, _or_fewer(has))
    memory = partition.max_mem_per_node_mb
    if memory and asked.mem_mb and asked.mem_mb > memory:
        gb = memory // 1024
        limit = f"{name} gives a job {memory} MB a node"
        yield beyond("MaxMemPerLimit", "mem_gb", asked.mem_mb // 1024, limit, _or_fewer(gb))


def _cores(partition: PartitionLimits) -> int:
    """Return the cores that jobs of a partition may have altogether."""
    most = partition.max_cpus_per_node
    return min(partition.total_cpus, most * partition.total_nodes) if most else partition.total_cpus


def _or_fewer(most: int) -> str:
    return f"ask for {most} or fewer"
