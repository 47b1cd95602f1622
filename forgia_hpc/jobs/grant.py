"""What an account was granted: `grant.yaml` in its ledger, or the site's own word."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from forgia_hpc import process
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.rundir import write_text
from forgia_hpc.slurm.profile import Cluster

FORMAT = "forgia.grant_of_account/1"
_SHARES = "users by name, and shares above 0 that sum to at most 1"
_USER = re.compile(r"[\w.@+-]+")
_SALDO = re.compile(
    r"(?P<account>\S+)\s+(?P<start>\d{8})\s+(?P<end>\d{8})\s+(?P<total>[\d.]+)\s+(?P<local>[\d.]+)"
    r"\s+(?P<consumed>[\d.]+)\s+[\d.]+\s+(?P<month_total>[\d.]+)\s+(?P<month_consumed>[\d.]+)\s*"
)


@dataclass(frozen=True, kw_only=True)
class Grant:
    """So much of a unit, from a day to a day (the last one counts), on one cluster; members' shares of it."""

    account: str
    cluster: str
    total: float
    unit: str
    start: datetime.date
    end: datetime.date
    members: dict[str, float] = field(default_factory=dict)
    source: str = ""

    def month(self, day: datetime.date) -> tuple[datetime.date, datetime.date, float]:
        """Return the month of a day as far as the grant reaches (first day, day after), and its linear share.

        By days, and the last day not counted in the length, as `saldo` does: 164383 of 2,000,000 core-h
        for the 30 days of September from 2026-01-07 to 2027-01-07 (seen 2026-09-18).
        """
        first = day.replace(day=1)
        after = (first + datetime.timedelta(days=32)).replace(day=1)
        begin, until = max(first, self.start), min(after, self.end + datetime.timedelta(days=1))
        days = max(0, (until - begin).days)
        return begin, until, self.total * min(1.0, days / max(1, (self.end - self.start).days))


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What the site itself says of an account. It lags: running jobs are not in it, and it is renewed daily."""

    account: str
    start: datetime.date
    end: datetime.date
    total: float
    consumed: float
    month_total: float
    month_consumed: float


def read_grant(folder: Path) -> Grant | None:
    """Return the grant of a ledger, or None where nobody has set one.

    Raises:
        InputError: every field that is missing or wrong.
    """
    path = folder / "grant.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(
            _problem("grant.yaml", " ".join(str(error).split()), "readable YAML", path)
        ) from error
    if not isinstance(content, dict):
        raise InputError(_problem("grant.yaml", content, "a mapping is needed", path))
    return make_grant(content, str(path))


def make_grant(content: Mapping[str, Any], where: str = "") -> Grant:
    """Return a grant from its words.

    Raises:
        InputError: every field that is missing or wrong.
    """
    kinds: dict[str, Any] = {
        "account": str, "cluster": str, "total": (int, float), "unit": str,
        "from": datetime.date, "to": datetime.date,
    }  # fmt: skip
    problems = [
        _problem(key, content.get(key), f"{_said(kind)} is needed", where)
        for key, kind in kinds.items()
        # YAML's `true` is an int to Python, and its time of day a date
        if not isinstance(content.get(key), kind)
        or isinstance(content.get(key), bool | datetime.datetime)
    ]
    known = {*kinds, "members", "source", "format"}
    problems += [
        _problem(str(key), content[key], f"no such key; known: {', '.join(sorted(known))}", where)
        for key in content
        if key not in known
    ]
    members = content.get("members") or {}
    # nothing is ever more than NaN: it would refuse no job
    if not problems and not 0 < content["total"] < math.inf:
        problems.append(_problem("total", content["total"], "more than 0 is needed", where))
    if not problems and content["from"] > content["to"]:
        problems.append(_problem("from", content["from"], "a day before `to` is needed", where))
    if not isinstance(members, dict) or not _are_members(members):
        problems.append(_problem("members", members, _SHARES, where))
    if problems:
        raise InputError(problems)
    return Grant(
        account=content["account"],
        cluster=content["cluster"],
        total=float(content["total"]),
        unit=content["unit"],
        start=content["from"],
        end=content["to"],
        members={str(name): float(share) for name, share in members.items()},
        source=str(content.get("source", "")),
    )


def write_grant(folder: Path, grant: Grant) -> None:
    """Write the grant of a ledger, whole; the group may read it."""
    content = {
        "format": FORMAT,
        "account": grant.account,
        "cluster": grant.cluster,
        "total": grant.total,
        "unit": grant.unit,
        "from": grant.start,
        "to": grant.end,
        **({"members": grant.members} if grant.members else {}),
        "source": grant.source,
    }
    write_text(folder / "grant.yaml", yaml.safe_dump(content, sort_keys=False), mode=0o660)


def of_statement(said: Statement, cluster: Cluster, command: Sequence[str]) -> Grant:
    """Return the grant as the site states it."""
    return Grant(
        account=said.account,
        cluster=cluster.name,
        total=said.total,
        unit=cluster.accounting.unit,
        start=said.start,
        end=said.end,
        source=" ".join(command),
    )


def with_members(grant: Grant, shares: Mapping[str, float]) -> Grant:
    """Return the grant with these shares of its members.

    Raises:
        InputError: shares that are none.
    """
    if not _are_members(shares):
        raise InputError(_problem("--member", dict(shares), _SHARES, "the command line"))
    return replace(grant, members=dict(shares))


def statement(cluster: Cluster, account: str) -> Statement | None:
    """Ask the site's own command; None where the profile names none or it says nothing of this account."""
    argv = cluster.accounting.balance_cmd
    if not argv:
        return None
    try:
        answer = process.run(argv, timeout_s=30, env=cluster.environment())
    except (process.ProgramMissingError, process.ProgramSilentError):
        return None  # sacct and the ledger still count; the table says that the site did not
    return next(
        (s for s in parse_saldo(answer.stdout) if s.account.lower() == account.lower()), None
    )


def parse_saldo(text: str) -> list[Statement]:
    """Return the lines of `saldo -b`: account, start, end, total, consumed here, consumed, %, month, used in it.

    Columns as in CINECA's documentation (docs.hpc.cineca.it, "Introduction", read 2026-11).
    """
    return [
        Statement(
            account=found["account"],
            start=_day(found["start"]),
            end=_day(found["end"]),
            total=float(found["total"]),
            consumed=float(found["consumed"]),
            month_total=float(found["month_total"]),
            month_consumed=float(found["month_consumed"]),
        )
        for line in text.splitlines()
        if (found := _SALDO.fullmatch(line.strip()))
    ]


def _day(text: str) -> datetime.date:
    return datetime.date(int(text[:4]), int(text[4:6]), int(text[6:]))


def _are_members(members: Mapping[Any, object]) -> bool:
    """Whether each name could be a user's, and the shares are some."""
    named = all(_USER.fullmatch(str(name)) for name in members)
    return named and _are_shares(list(members.values()))


def _are_shares(shares: Sequence[object]) -> bool:
    numbers = [share for share in shares if isinstance(share, int | float) and share > 0]
    return len(numbers) == len(shares) and sum(numbers) <= 1 + 1e-9


def _said(kind: object) -> str:
    return {str: "a text", datetime.date: "a day (YYYY-MM-DD)"}.get(kind, "a number")  # type: ignore[call-overload, no-any-return]


def _problem(field_: str, got: object, limit: str, where: object) -> Problem:
    return Problem(field=field_, got=got, limit=limit, where=str(where), fix="forgia budget set")
