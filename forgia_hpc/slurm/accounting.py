"""What an allocation costs by the cluster's own rule: the same function prices a request and bills a job."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from forgia_hpc.schema.resources import Resources
from forgia_hpc.slurm.offer import Node
from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.slurm.site import Accounting

_UNITS = {"K": 2**-10, "M": 1.0, "G": 2**10, "T": 2**20, "P": 2**30}  # Slurm's sizes in MB (MiB)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What is held while a job runs: nodes, and of one node (a mean where they differ) CPUs, GPUs, MB."""

    nodes: int
    cpus: float
    gpus: float = 0.0
    mem_mb: float = 0.0
    partition: str | None = None
    billing: float | None = None  # Slurm's own billing figure, where it has one


@dataclass(frozen=True, kw_only=True)
class Price:
    """An amount in the site's unit, and what it is in each of the units people think in."""

    unit: str
    amount: float = 0.0
    core_h: float = 0.0
    node_h: float = 0.0
    gpu_h: float = 0.0
    by: str = "rule"  # rule | billing (Slurm's) | assumed (no rule is known: whole nodes) | free
    note: str = ""

    def __add__(self, other: Price) -> Price:
        """Return the sum of two prices of one cluster."""
        return replace(
            self,
            amount=self.amount + other.amount,
            core_h=self.core_h + other.core_h,
            node_h=self.node_h + other.node_h,
            gpu_h=self.gpu_h + other.gpu_h,
            by=self.by if self.by == other.by else "mixed",
            note=self.note or other.note,
        )

    def times(self, count: float) -> Price:
        """Return the price of `count` of these."""
        return replace(
            self,
            amount=self.amount * count,
            core_h=self.core_h * count,
            node_h=self.node_h * count,
            gpu_h=self.gpu_h * count,
        )

    @property
    def parts(self) -> dict[str, float]:
        """The amounts by unit, the site's own first; no GPU-h where no node has a GPU."""
        known = {"core-h": self.core_h, "node-h": self.node_h, "GPU-h": self.gpu_h}
        shown = {unit: amount for unit, amount in known.items() if amount or unit != "GPU-h"}
        return {
            unit: round(amount, 2) for unit, amount in {**shown, self.unit: self.amount}.items()
        }

    def __str__(self) -> str:
        """Return all units in one phrase: `384 core-h (12 node-h, 48 GPU-h)`."""
        parts = self.parts
        first = f"{parts.pop(self.unit):g} {self.unit}"
        # what rounds to nothing would only read as free
        rest = ", ".join(f"{amount:g} {unit}" for unit, amount in parts.items() if amount)
        said = f"{first} ({rest})" if rest else first
        return f"{said}, {self.note}" if self.note else said


def asked(resources: Resources, cluster: Cluster) -> Shape:
    """Return the shape of a request whose resources are complete."""
    node = cluster.node_of(resources.partition)
    # no --mem of our own: `whole_node` asks for all (--mem=0), `forbidden` gives it along with the cores
    whole = cluster.scheduler.mem_policy == "whole_node"
    shape = Shape(
        nodes=resources.nodes,
        cpus=(resources.ranks_per_node or 1) * (resources.cpus_per_rank or 1),
        gpus=resources.gpus_per_node or 0,
        mem_mb=(resources.mem_gb or 0) * 1024,
        partition=resources.partition,
    )
    return _whole(shape, node) if whole else shape


def allocated(tres: Mapping[str, str], partition: str | None = None) -> Shape:
    """Return the shape of an allocation as Slurm's TRES tell it."""
    nodes = max(1, int(tres.get("node", 1)))
    billing = tres.get("billing")
    return Shape(
        nodes=nodes,
        cpus=int(tres.get("cpu", 0)) / nodes,
        gpus=int(tres.get("gres/gpu", 0)) / nodes,
        mem_mb=megabytes(tres.get("mem", "0")) / nodes,
        partition=partition,
        billing=float(billing) if billing is not None else None,
    )


def parse_tres(text: str) -> dict[str, str]:
    """Return `billing=8,cpu=8,mem=4G,node=1` as a mapping."""
    return dict(part.split("=", 1) for part in text.split(",") if "=" in part)


def megabytes(text: str) -> float:
    """Return a size as Slurm writes it (`4G`, `3144K`, `1.5T`, plain MB) in its MB, which are MiB."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGTP]?)[nc]?", text.strip())
    return float(found[1]) * _UNITS[found[2] or "M"] if found else 0.0


def billed(shape: Shape, cluster: Cluster, seconds: float) -> Price | None:
    """Return what the site charges for a shape over a time; None on a machine that bills nothing at all."""
    if not cluster.slurm:
        return None
    account, node = cluster.accounting, cluster.node_of(shape.partition)
    hours = seconds / 3600
    partition = cluster.partition(shape.partition or cluster.default_partition or "")
    if partition and partition.free:
        held = _converted(account.unit, 0.0, hours * shape.nodes * _share(shape, node), node)
        return replace(held, amount=0.0, by="free", note="free of charge")
    whole = bool(partition and partition.exclusive)
    rate = _rate(_whole(shape, node) if whole else shape, account)
    if rate is None:  # no rule, or one without its figures
        unit = _unit(account, node)
        priced = _converted(unit, None, hours * shape.nodes, node, account)
        return replace(priced, by="assumed", note="whole nodes assumed: no billing rule is known")
    if shape.billing is not None and _agrees(shape.billing, rate, account):
        rate = shape.billing
        priced = _of_amount(account, hours * rate, hours * shape.nodes, node)
        return replace(priced, by="billing")
    return _of_amount(account, hours * rate, hours * shape.nodes, node)


def price(resources: Resources, cluster: Cluster) -> Price | None:
    """Return what one job may cost at most: its whole walltime, in one attempt."""
    return billed(asked(resources, cluster), cluster, resources.walltime_seconds)


def ceiling(
    points: Iterable[Resources], cluster: Cluster, *, retries: int = 0, attempts: int = 1
) -> Price | None:
    """Return what many jobs may cost together: the points of a sweep or the links of a chain.

    Each may run `attempts` times as planned (links of one job) and each of these be tried `retries` times more.
    """
    prices = [found for each in points if (found := price(each, cluster)) is not None]
    if not prices:
        return None
    total = prices[0]
    for each in prices[1:]:
        total += each
    return total.times(attempts * (1 + retries))


def _rate(shape: Shape, account: Accounting) -> float | None:
    """Return the site's units an hour by its rule; None where the rule or a figure of it is not known."""
    if account.formula == "node_hours" and account.per_node_hour:
        return shape.nodes * account.per_node_hour
    if account.formula == "max_share" and account.per_unit_hour:
        shares = [
            wanted / unit
            for wanted, unit in (
                (shape.cpus, account.unit_cpus),
                (shape.gpus, account.unit_gpus),
                (shape.mem_mb, account.unit_mem_mb),
            )
            if unit
        ]
        if any(
            shares
        ):  # a rule of GPUs alone says nothing of a job without: it still holds its node
            # 1 - 1e-9: a mean over nodes must not be lifted to the next unit by its last digit
            rounded = [math.ceil(s - 1e-9) for s in shares] if account.whole_units else shares
            return shape.nodes * account.per_unit_hour * max(rounded)
    return None


def _agrees(billing: float, rate: float, account: Accounting) -> bool:
    """Whether Slurm's figure is the rule's: sites show other things under that name, e.g. their priorities.

    Slurm rounds its weights and cuts the sum to a whole number (seen on 22.05: 15 where the rule gives 15.92).
    """
    fine = account.formula == "max_share" and account.unit == "core-h" and not account.whole_units
    return fine and math.floor(rate * 0.999) <= billing <= math.ceil(rate * 1.01)


def _whole(shape: Shape, node: Node | None) -> Shape:
    """Return the shape with whole nodes. All memory costs a node, also where nobody knows how much that is."""
    if node is None:
        return shape
    return replace(shape, cpus=node.cpus, gpus=node.gpus, mem_mb=node.mem_mb or shape.mem_mb)


def _share(shape: Shape, node: Node | None) -> float:
    """Return the largest share of a node that is held."""
    if node is None:
        return 1.0
    gpus = shape.gpus / node.gpus if node.gpus else 0.0
    memory = shape.mem_mb / node.mem_mb if node.mem_mb else 0.0
    return min(1.0, max(shape.cpus / node.cpus, gpus, memory))


def _unit(account: Accounting, node: Node | None) -> str:
    """Return the unit that whole nodes can be told in without a price of the node."""
    countable = account.per_node_hour or (account.unit == "core-h" and node)
    return account.unit if countable else "node-h"


def _of_amount(account: Accounting, amount: float, held_node_h: float, node: Node | None) -> Price:
    """Return a billed amount in all units: a node-hour is what a full node is charged an hour."""
    full = account.per_node_hour
    return _converted(account.unit, amount, amount / full if full else held_node_h, node, account)


def _converted(
    unit: str,
    amount: float | None,
    node_h: float,
    node: Node | None,
    account: Accounting | None = None,
) -> Price:
    core_h = node_h * node.cpus if node else 0.0
    gpu_h = node_h * node.gpus if node else 0.0
    own = {"core-h": core_h, "node-h": node_h, "GPU-h": gpu_h}
    if amount is None:
        per_node = account.per_node_hour if account else None
        amount = node_h * per_node if per_node and account else own.get(unit, node_h)
    own[unit] = amount  # a site's GPU-h may be of two GPUs (LUMI's MI250X): its own word holds
    return Price(
        unit=unit,
        amount=amount,
        core_h=own["core-h"],
        node_h=own["node-h"],
        gpu_h=own["GPU-h"],
    )


def hundredths(amount: float) -> str:
    """Return an amount in hundredths, never more than there is."""
    return f"{math.floor(round(max(0.0, amount) * 100, 6)) / 100:.10g}"
