"""Pure parsers of the live state: scontrol show assoc_mgr, sinfo by node, squeue."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from forgia_hpc.errors import SlurmSilentError
from forgia_hpc.slurm.caps import Bound
from forgia_hpc.slurm.rooms import Room

# sinfo -O pads its columns, and cuts what is longer
NODE_COLUMNS = {
    "NodeHost": 64,
    "StateLong": 32,
    "CPUsState": 40,
    "Memory": 20,
    "AllocMem": 20,
    "Gres": 200,
    "GresUsed": 200,
}
JOB_COLUMNS = "%T|%P|%D|%C|%e|%N|%r"
USABLE = frozenset({"idle", "mixed", "allocated", "completing", "planned"})
UNREADY = re.compile(r"[*!%@^$]")  # no answer, powering down or off for good, reboot, maintenance
_GPUS = re.compile(r"gpu:(?:[\w.-]+:)?(\d+)")
_PAIR = re.compile(r"(\w+)=(\S*)")
_BOUND = re.compile(r"(?P<limit>N|\d+)(?:\((?P<used>[\d.]+)\))?")
_LISTS = re.compile(r"(?:Grp|Max|Min)TRES\w*")
_COUNTS = re.compile(r"(?:Grp|Max)(?:Jobs|SubmitJobs)(?:PU|PA)?")


@dataclass(kw_only=True)
class Record:
    """A QOS or an association of the controller: its limits and what of them is in use.

    users and accounts: the per-user and per-account counts of a QOS, by uid and account.
    """

    name: str
    user: str = ""
    parent: str = ""
    bounds: dict[str, Bound] = field(default_factory=dict)
    users: dict[str, dict[str, Bound]] = field(default_factory=dict)
    accounts: dict[str, dict[str, Bound]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Book:
    """What `scontrol show assoc_mgr` told."""

    default_account: str = ""
    qos: dict[str, Record] = field(default_factory=dict)
    associations: tuple[Record, ...] = ()


def parse_assoc_mgr(text: str) -> Book:
    """Return users, associations and QOS of `scontrol show assoc_mgr flags=users,assoc,qos`."""
    qos: dict[str, Record] = {}
    associations: list[Record] = []
    default, record, into = "", Record(name=""), dict[str, Bound]()
    section = ""
    for line in text.splitlines():
        pairs = dict(_PAIR.findall(line))
        if "DefAccount" in pairs:
            default = pairs["DefAccount"]
        elif line.startswith("ClusterName="):
            record = Record(name=pairs["Account"], user=pairs["UserName"].partition("(")[0])
            associations.append(record)
            into = record.bounds
        elif line.startswith("QOS="):
            record = Record(name=pairs["QOS"].partition("(")[0])
            qos[record.name], into = record, record.bounds
        elif line.strip() in ("Account Limits", "User Limits"):
            section = line.split()[0]
        elif section and "=" not in line and line.strip():
            into = (record.users if section == "User" else record.accounts).setdefault(
                line.strip().partition("(")[0], {}
            )
        else:
            record.parent = pairs.get("ParentAccount", record.parent).partition("(")[0]
            into.update(_bounds(pairs))
    return Book(default_account=default, qos=qos, associations=tuple(associations))


def _bounds(pairs: Mapping[str, str]) -> Iterator[tuple[str, Bound]]:
    """Yield limits by name: MaxWallPJ in seconds, GrpTRES/cpu, and so on."""
    for key, value in pairs.items():
        if key == "MaxWallPJ":
            minutes = _bound(value).limit
            yield key, Bound(None if minutes is None else minutes * 60)
        elif _LISTS.fullmatch(key):
            for entry in filter(None, value.split(",")):
                name, _, text = entry.rpartition("=")
                yield f"{key}/{name}", _bound(text)
        elif _COUNTS.fullmatch(key):
            yield key, _bound(value)


def _bound(text: str) -> Bound:
    """Return `5(2)`, `N(2)` (no limit) or nothing as a bound."""
    found = _BOUND.fullmatch(text)
    if not found:
        return Bound(None)
    limit = None if found["limit"] == "N" else int(found["limit"])
    return Bound(limit, int(float(found["used"] or 0)))


def parse_rooms(text: str) -> list[Room]:
    """Return the nodes of `sinfo -h -N -p PARTITION -O …` with the widths of NODE_COLUMNS."""
    return [_room(_cut(line)) for line in text.splitlines() if line.strip()]


def _cut(line: str) -> dict[str, str]:
    found, at = {}, 0
    for name, width in NODE_COLUMNS.items():
        found[name] = line[at : at + width].strip()
        at += width
    return found


def _room(facts: Mapping[str, str]) -> Room:
    try:
        used, _, _, cpus = (int(part) for part in facts["CPUsState"].split("/"))
        mem_mb, used_mem_mb = int(facts["Memory"]), int(facts["AllocMem"])
    except ValueError as error:
        raise SlurmSilentError(f"sinfo's answer can't be read: {dict(facts)}") from error
    state = facts["StateLong"]
    word = state.lower().rstrip("*~#!%$@^-+")
    return Room(
        name=facts["NodeHost"],
        cpus=cpus,
        mem_mb=mem_mb,
        gpus=_gpus(facts["Gres"]),
        used_cpus=used,
        used_mem_mb=used_mem_mb,
        used_gpus=_gpus(facts["GresUsed"]),
        usable=word in USABLE and not UNREADY.search(state),
    )


def _gpus(text: str) -> int:
    return sum(int(number) for number in _GPUS.findall(text))


@dataclass(frozen=True, kw_only=True)
class Queued:
    """A job in the queue, ours or another's. end: when its walltime is over; None of a waiting one."""

    state: str
    partition: str
    cpus_per_node: int
    end: datetime.datetime | None
    nodes: tuple[str, ...]
    reason: str


def parse_queue(text: str) -> list[Queued]:
    """Return the jobs of `squeue -h -o <JOB_COLUMNS>`."""
    found = []
    for line in text.splitlines():
        state, partition, nodes, cpus, end, names, reason = line.split("|", 6)
        found.append(
            Queued(
                state=state,
                partition=partition,
                cpus_per_node=-(-int(cpus) // max(1, int(nodes))),
                end=_time(end),
                nodes=tuple(expand(names)),
                reason=reason,
            )
        )
    return found


def _time(text: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        return None  # N/A, Unknown: it has no end yet


def expand(names: str) -> list[str]:
    """Return the host names of Slurm's `n[1-3,07],m2`."""
    found = []
    for part in re.findall(r"[^,\[]+(?:\[[^\]]*\])?[^,\[]*", names):
        head, bracket, rest = part.partition("[")
        inside, _, tail = rest.partition("]")
        found += [f"{head}{number}{tail}" for number in _numbers(inside)] if bracket else [head]
    return found


def _numbers(text: str) -> Iterator[str]:
    for span in text.split(","):
        first, _, last = span.partition("-")
        for number in range(int(first), int(last or first) + 1):
            yield str(number).zfill(len(first))
