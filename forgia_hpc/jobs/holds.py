"""Holds: what a submission may cost, put down in the account's ledger before Slurm is asked.

`$FORGIA_LEDGER/<account>/holds/<slot>.json` is made by link(2), so only one can have a slot, and slots have no
gap: who has slot 7 knows that 1 to 6 exist. That makes a total order. Each submitter counts the holds before its
own, so of two at once the later one sees the earlier, and together they cannot overrun. A hold is never removed:
its end is `<slot>.closed.json` beside it. No locks and no database, which a parallel file system does not keep.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from forgia_hpc.errors import InputError, Problem
from forgia_hpc.jobs.holder import user_name
from forgia_hpc.jobs.submission import alive
from forgia_hpc.rundir import make_once, read_json

FORMAT = "forgia.hold/1"
CHUNK = 500  # holds of one archive
SEEN_S = 60  # nfs(5), acdirmax: so long a client may not see a name that another one has made


@dataclass(frozen=True, kw_only=True)
class Hold:
    """One promise: at most `amount` of the account's unit, for the jobs of these names.

    more: further jobs may come under it (a sweep that is fed bit by bit), so that it stands until it is closed.
    """

    run: str
    path: str
    number: int  # of the submission of that run
    names: tuple[str, ...]
    account: str
    cluster: str
    unit: str
    amount: float
    user: str
    holder: dict[str, Any]  # host, pid, start_ticks: of the submitter
    time_ns: int
    more: bool = False
    slot: int = 0

    def covers(self, name: str) -> bool:
        """Whether a job of this name is paid by it: of a hold with more to come, every later token of its run."""
        return name in self.names or (self.more and name.rpartition(".")[0] in self.names)


@dataclass(frozen=True, kw_only=True)
class Closed:
    """The end of a hold: why, and what its jobs were billed."""

    hold: Hold
    why: str
    amount: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ledger:
    """The directory of one account: its grant and its holds."""

    folder: Path

    @property
    def _holds(self) -> Path:
        return self.folder / "holds"

    def prepare(self) -> None:
        """Make the directory, writable for the project's group.

        Raises:
            InputError: the place is not ours to write to.
        """
        try:
            for path in (self.folder, self._holds):
                if not path.is_dir():
                    path.mkdir(parents=True, exist_ok=True)
                    path.chmod(0o2770)  # setgid: what anybody makes here belongs to the group
            if not os.access(self._holds, os.W_OK):
                raise PermissionError(13, "not writable", str(self._holds))
        except OSError as error:
            fix = f"ask its owner for group write: chmod -R g+ws {self.folder}"
            limit = f"the ledger can't be written ({error.strerror})"
            raise InputError(
                Problem(field="FORGIA_LEDGER", got=str(self.folder), limit=limit, fix=fix)
            ) from error

    def take(self, hold: Hold) -> Hold:
        """Put down a hold in the next free slot, durably, and return it with its slot."""
        self.prepare()
        slot = self.last_slot() + 1
        content = {"format": FORMAT, **asdict(hold)}
        while True:
            content["slot"] = slot
            if make_once(self._slot(slot), content):
                return Hold(**{**asdict(hold), "names": hold.names, "slot": slot})
            slot += 1  # taken by somebody meanwhile: it is before us now

    def last_slot(self) -> int:
        """Return the highest slot that can be seen; a stale listing shows too low a number, never too high."""
        return max((int(name) for name in self._names() if name.isdigit()), default=0)

    def close(self, hold: Hold, why: str, *, amount: float = 0.0, **facts: object) -> bool:
        """End a hold; the first who does so counts. Return whether it was us."""
        content = {
            "why": why,
            "amount": amount,
            "by": user_name(),
            "time_ns": time.time_ns(),
            **facts,
        }
        return make_once(self._slot(hold.slot, "closed"), content)

    def before(self, slot: int) -> tuple[list[Hold], list[Closed]]:
        """Return every hold in a slot below, open and closed.

        Raises:
            InputError: a slot that must be there can't be read: nothing may be promised.
        """
        names = set(self._names())
        stand: list[Hold] = []
        gone: list[Closed] = []
        number = 1
        while number < slot:
            if number % CHUNK == 1 and number + CHUNK <= slot and _archive(number) in names:
                gone += self._archived(number)
                number += CHUNK
                continue
            hold = self._read(number)
            if f"{number:08d}.closed" in names:
                gone.append(_ended(hold, read_json(self._slot(number, "closed"))))
            else:
                stand.append(hold)
            number += 1
        return stand, gone

    def archive(self) -> int:
        """Put each full block of closed holds into one file, so that a year's ledger is read at once."""
        names, made = set(self._names()), 0
        for first in range(1, self.last_slot() - CHUNK + 2, CHUNK):
            block = range(first, first + CHUNK)
            if _archive(first) in names or any(f"{n:08d}.closed" not in names for n in block):
                continue
            ends = {n: read_json(self._slot(n, "closed")) for n in block}
            holds = [{"hold": asdict(self._read(n)), "end": ends[n]} for n in block]
            made += make_once(self._holds / f"{_archive(first)}.json", {"holds": holds})
        return made

    def _archived(self, first: int) -> list[Closed]:
        content = read_json(self._holds / f"{_archive(first)}.json")
        return [_ended(_hold(one["hold"]), one["end"]) for one in content["holds"]]

    def all(self) -> tuple[list[Hold], list[Closed]]:
        """Return every hold that can be seen, open and closed."""
        return self.before(self.last_slot() + 1)

    def _names(self) -> Iterable[str]:
        """Return the names in the folder without their ending; unfinished ones begin with a dot."""
        with contextlib.suppress(FileNotFoundError):
            return [
                p.stem for p in self._holds.iterdir() if p.suffix == ".json" and p.name[0] != "."
            ]
        return []

    def _slot(self, number: int, what: str = "") -> Path:
        return self._holds / f"{number:08d}{'.' + what if what else ''}.json"

    def _read(self, number: int) -> Hold:
        """Return the hold of a slot that is known to be taken."""
        path, until = self._slot(number), time.monotonic() + SEEN_S
        while True:
            try:
                return _hold(json.loads(path.read_text(encoding="utf-8")))
            except FileNotFoundError as error:
                # we hold a later slot, so this one exists; this client has not been told yet
                if time.monotonic() > until:
                    raise _unreadable(path, "it does not show up") from error
                time.sleep(0.2)
            except (ValueError, LookupError, OSError) as error:
                raise _unreadable(path, f"can't be read: {error}") from error


def _archive(first: int) -> str:
    return f"archive-{first:08d}"


def _hold(content: Mapping[str, Any]) -> Hold:
    known = {key: content[key] for key in Hold.__dataclass_fields__}
    return Hold(**{**known, "names": tuple(content["names"])})


def _ended(hold: Hold, told: dict[str, Any]) -> Closed:
    return Closed(hold=hold, why=told["why"], amount=told["amount"], facts=told)


def _unreadable(path: Path, limit: str) -> InputError:
    fix = "nothing is promised while a hold can't be read: put it back from a backup, or ask its owner"
    return InputError(
        Problem(field="ledger", got=path.name, limit=limit, where=str(path.parent), fix=fix)
    )


def submitter_gone(hold: Hold) -> bool:
    """Whether the submitter is known to be dead: only its own machine can tell."""
    return hold.holder.get("host") == os.uname().nodename and not alive(hold.holder)
