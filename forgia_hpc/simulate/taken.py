"""What the first rank of a group does for all: it claims members, writes what they left, and journals it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from forgia_hpc.data.fields.layout import Array, Schema
from forgia_hpc.rundir import RunDir, read_json, write_json
from forgia_hpc.runtime.stop import StopFlag
from forgia_hpc.schema.job import SimulateJob
from forgia_hpc.schema.simulation import Workers
from forgia_hpc.simulate import claims
from forgia_hpc.simulate.admission.gate import member_audits
from forgia_hpc.simulate.block_files import BlockFiles, Row
from forgia_hpc.simulate.blocks import Block, numbers_of
from forgia_hpc.simulate.claims import Claims
from forgia_hpc.simulate.findings import as_number, own_findings, plain
from forgia_hpc.simulate.journal import Journal, Line, campaign_of, file_of
from forgia_hpc.simulate.known import Known
from forgia_hpc.simulate.member import Member
from forgia_hpc.simulate.members import Members
from forgia_hpc.simulate.retry import is_poison, spoken
from forgia_hpc.simulate.returns import (
    IGNORED,
    beside_rejected,
    give_saved,
    keep_saved,
    put_rejected,
    saved_members,
)
from forgia_hpc.simulate.standing import check_grows
from forgia_hpc.simulate.target import check_product

if TYPE_CHECKING:
    from forgia_hpc.simulate.group import Told


class Taken:
    """The members that this group has taken, and everything that is written of them."""

    def __init__(self, job: SimulateJob, run: RunDir, members: Members, schema: Schema) -> None:
        """Open journal, claims, and what a sealed dataset knows already."""
        self._job, self._schema = job, schema
        self._launch = os.environ["FORGIA_LAUNCH"]
        self._group, self._groups = (int(part) for part in os.environ["FORGIA_GROUP"].split("/"))
        self._campaign = campaign_of(run)
        self._work = self._campaign / "work" / self._launch
        self._members = members.members
        self._claims = Claims(run, os.environ["FORGIA_TURN"])
        self._journal = Journal(file_of(run, self._launch))
        self._known = Known(Path(members.into), schema)
        self._distrusted = self._claims.distrusted()
        check_grows(members, schema)
        check_product(run, members, schema)
        self._failures: dict[int, list[str]] = {}
        self._again: list[int] = []
        self._event = run.event
        self._waiting = saved_members(self._campaign)  # to go on from what they saved
        self._given = ""  # the mark of what the present member had saved
        self._facts: list[Line] = []  # to be written with the next begin, in one call
        self._files = BlockFiles(self._campaign / "blocks", schema, self._launch)
        self._order = self._take_all()

    def __enter__(self) -> Taken:
        """Say that this group is ready."""
        job, step = (os.environ.get(f"SLURM_{word}_ID") for word in ("JOB", "STEP"))
        mine = {"step": f"{job}.{step}"} if os.environ["FORGIA_STEP"] and step else {}
        told = {"what": "opened", "pid": os.getpid(), "node": os.uname().nodename}
        self._journal.write(told | mine)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what is not written yet, and close everything."""
        try:
            if kind is None:
                self._flush()
                shutil.rmtree(self._work, ignore_errors=True)
        finally:
            self._files.close()
            self._known.__exit__(kind, error, trace)
            self._journal.__exit__(kind, error, trace)

    def has_more(self, stop: StopFlag) -> bool:
        """Whether there is a member to solve, and no wish to stop; it is claimed, but not begun."""
        if not self._again and not stop.requested:
            self._again += [one for one in (next(self._order, None),) if one is not None]
        return bool(self._again) and not stop.requested

    def next(self, stop: StopFlag) -> int | None:
        """Return the next member to solve, its empty directory made; None: no more, or we must stop."""
        if not self.has_more(stop):
            return None
        number = self._again.pop()
        self._ready(self._members[number])
        begun = {"what": "begun", "member": number, "at": round(time.time(), 3)}
        self._flush(begun | ({"given": self._given} if self._given else {}))
        return number

    def _flush(self, *more: Line) -> None:
        """Write the facts that wait, in one call; they wait on where the disk was full."""
        if self._facts or more:
            self._journal.write(*self._facts, *more)
            self._facts.clear()

    def _take_all(self) -> Iterator[int]:
        """Yield members to solve, block by block: what came back first, then ours, then what others leave."""
        round_ = self._claims.round(self._group, self._groups)
        fresh = self._job.ensemble.launch is Workers.fresh
        while (block := self._next_block(round_)) is not None:
            if fresh:
                round_.remember()
            self._files.turn_to(block)
            self._failures |= {number: list(kinds) for number, kinds in block.failures.items()}
            for number in self._unknown(block):
                if self._is_given_up(number):
                    why = "a group died of it each time; logs/group-<n>.log has the stacks"
                    self._give_up(self._members[number], why)
                    continue
                yield number
                if fresh:
                    return

    def _next_block(self, round_: claims.Round) -> claims.Block | None:
        """Claim a block; None where nothing is left that nobody holds."""
        for block in self._claims.given_back():
            if self._take(block):
                return block
        while (ours := round_.next()) is not None:
            if self._take(ours):
                return ours
        return None

    def _take(self, block: claims.Block) -> bool:
        """Reach for a block; the journal says so first, for whoever finds us dead with it."""
        self._flush({"what": "claiming", "block": block.name})
        taken = self._claims.take(block, self._launch)
        if taken:
            self._waiting = saved_members(self._campaign)
        return taken

    def _unknown(self, block: claims.Block) -> list[int]:
        """Journal the members that the sealed dataset has, and return the others."""
        known = [
            number
            for number in block.members
            if self._members[number].id in self._known and number not in self._distrusted
        ]
        if known:
            version = self._known.version
            self._facts.append({"what": "known", "members": known, "version": version})
        return [number for number in block.members if number not in set(known)]

    def _ready(self, member: Member) -> None:
        """Make the member's directory empty but for what it has saved."""
        if not self._work.is_dir() or any(self._work.iterdir()):
            shutil.rmtree(self._work, ignore_errors=True)
            self._work.mkdir(parents=True)
        self._given = ""
        if member.id in self._waiting:
            failures = self._failures.get(member.number, ())
            self._given = give_saved(self._campaign, self._work, member.id, failures)

    def row_of(self, member: Member, steps: int) -> Row:
        """Return where the group writes a member of so many steps together."""
        return self._files.row_of(member.number, steps)

    def settle(self, member: Member, told: Told) -> None:
        """Take what became of a try: write its numbers, then its line; or try again, or give up."""
        if self._given and (self._work / IGNORED).exists():
            why = read_json(self._work / IGNORED)["why"]
            self._event("state_ignored", member=member.id, number=member.number, why=why)
        if told.stopped:
            self._keep(member)
        elif told.kind:
            self._fail(member, told.kind, told.why)
        else:
            self._solve(member, told)

    def _keep(self, member: Member) -> None:
        """Keep what a member that was stopped has saved: it goes on from there."""
        mark = keep_saved(self._campaign, self._work, member.id)
        moved = bool(mark) and mark != self._given
        told = {"what": "stopped", "member": member.number, "saved": bool(mark), "moved": moved}
        self._facts.append(told)

    def _fail(self, member: Member, kind: str, why: str) -> None:
        self._facts.append({"what": "failed", "member": member.number, "kind": kind, "why": why})
        self._failures.setdefault(member.number, []).append(kind)
        if self._is_given_up(member.number):
            self._give_up(member, why)
        else:
            self._again.append(member.number)

    def _is_given_up(self, number: int) -> bool:
        return is_poison(self._failures.get(number, ()), self._job.ensemble.retries)

    def _give_up(self, member: Member, why: str) -> None:
        """Give a member up, with what it left."""
        failures = spoken(self._failures[member.number])
        self._reject(member, {"ending": "poison", "failures": failures, "why": why})
        told = {"what": "poison", "member": member.number, "failures": failures, "why": why}
        self._facts.append(told)

    def _solve(self, member: Member, told: Told) -> None:
        numbers: Mapping[str, Array]
        if told.kept:  # whose numbers are sound, or they were not written
            numbers, findings = told.kept.numbers, [*told.findings]
        else:
            numbers, why = numbers_of(self._schema, told.fields, told.signals, told.times)
            findings = [*told.findings, *own_findings(self._schema, numbers, why)]
        if all(one.passed for one in findings):
            findings += member_audits(self._job.solver, self._schema, member, numbers)
        failed = [one for one in findings if not one.passed]
        line = {
            "what": "solved",
            "member": member.number,
            "ending": "rejected" if failed else "admitted",
            "findings": [plain(one) for one in findings],
            "facts": {name: as_number(value) for name, value in told.facts.items()},
            "seconds": round(told.seconds, 6),
        }
        if failed:
            self._reject(member, line, numbers)
        else:
            line |= told.kept.line if told.kept else self._files.put(member.number, numbers)
        self._facts.append(line)

    def _reject(
        self, member: Member, reason: Mapping[str, Any], numbers: Mapping[str, Array] | None = None
    ) -> None:
        """Keep what a member has left, and why it is not in the dataset: made beside, renamed when it is whole."""
        beside = beside_rejected(self._campaign, self._work, member.id)
        if numbers:
            with Block(beside / "output.h5", self._schema, 1, len(numbers["times"])) as file:
                file.put(0, numbers)
        own = {"id": member.id, "number": member.number, "inputs": dict(member.inputs)}
        write_json(beside / "reason.json", {**own, **reason})
        put_rejected(self._campaign, beside)
