"""The campaign of a simulate job: keeps its groups at work until every member is settled.

One light process, the batch step's own. It takes nothing from a living group; what a dead one had goes back.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from forgia_hpc.errors import ExitCode
from forgia_hpc.node.campaign_tally import Tally
from forgia_hpc.node.campaign_turn import open_turn
from forgia_hpc.node.groups import Group, end_all, ended_well, start_group
from forgia_hpc.node.journals import Journals
from forgia_hpc.node.launch import Death
from forgia_hpc.node.memory import OomWatch
from forgia_hpc.node.remains import Pauses, Remains, disk_named, end_earlier, refusal, word_beside
from forgia_hpc.rundir import RunDir
from forgia_hpc.runtime.stop import stop_file
from forgia_hpc.simulate.journal import Journal, Line, file_of

START_S = 600.0  # to a group's first word, and from the end of a member to the next begin
DRAIN_S = 40.0  # for members to end once we are asked to; Slurm's end comes 60 s after the wish
FRUITLESS = 8  # starts in a row of one group that came to no member
TURNS = 3  # of campaign and conclusion in an attempt: what is found unsound is solved again


class Campaign:
    """The groups of one attempt, as the watch sees ranks."""

    def __init__(
        self, run: RunDir, job: Mapping[str, Any], own: Mapping[str, str], turn: tuple[int, int]
    ) -> None:
        """Find out what is settled, and lay out what is to be done; `turn`: of the attempt, its turn."""
        self._run, self._job = run, job
        self._attempt, self._turn = turn[0], f"{turn[0]}.{turn[1]}"
        end_earlier(run)
        self._own = own
        plan = open_turn(run, job, self._turn)
        self._plan, self._progress, self._claims = plan, plan.progress, plan.claims
        self._tally = Tally(run, plan)
        self._journal = Journal(file_of(run, f"supervisor-{self._turn}"))
        self._groups: dict[int, Group] = {}
        self._journals = Journals(run)
        self._fruit: set[str] = set()  # launches that came to a member
        self._pauses = Pauses()
        self._done = dict.fromkeys(range(plan.shape.count), False)  # found nothing left to take
        self._starts = self._backs = self._kept = self._missed = 0
        self._stop_at: float | None = None
        self._failed: tuple[ExitCode, str] | None = None
        self._oom, self._remains = OomWatch(), Remains(run, plan.ids)
        facts = self._tally.facts()
        run.event("campaign_started", turn=self._turn, **facts, groups=plan.shape.count)

    def poll(self) -> int | None:
        """Look at every group, start what is missing; return the exit code once nothing runs any more."""
        with disk_named():
            self._look()
            return None if self._groups else self._code()

    def _look(self) -> None:
        self._look_at_stop()
        due = self._journals.due()
        late: list[Group] = []
        for group in list(self._groups.values()):
            looked = group.launch in due
            if looked:
                self._follow(group)
            if group.code is not None:
                self._bury(group, "")
            elif self._is_drained() or (looked and self._is_hung(group)):
                late.append(group)
        end_all(late)
        for group in late:
            self._bury(group, "timeout")
        if self._tally.open and self._stop_at is None and self._failed is None:
            self._start_some()
        self._tell()

    def _code(self) -> int | None:
        """Return the exit code; None while groups are still to be started."""
        code: int | None = ExitCode.OK
        if self._failed:
            code = self._failed[0]
        elif self._tally.open:
            code = ExitCode.STOPPED if self._stop_at is not None else self._still_open()
        if code is not None:
            self._close(code)
        return code

    def _still_open(self) -> int | None:
        """Hand out again what is open and nobody has left to take: its line was torn on the way to us."""
        if not all(self._done.values()):
            return None
        self._missed += 1
        if self._missed > TURNS:
            why = (
                f"{len(self._tally.open)} members stay open, and every group says that none is left"
            )
            self._failed = (ExitCode.JOB_FAILED, why)
            return ExitCode.JOB_FAILED
        self._put_back(sorted(self._tally.open))
        return None

    def _close(self, code: int) -> None:
        self._tell(now=True)
        self._tally.close()
        self._journal.__exit__(None, None, None)
        own = {"attempt": self._attempt, "turn": self._turn, "exit_code": int(code)}
        own |= {"done": self._tally.done, "kept": self._kept}
        self._run.event("campaign_ended", **self._tally.facts(), **own, starts=self._starts)

    def _follow(self, group: Group) -> None:
        """Take what a group has journaled since."""
        for line in self._journals.news(group.launch):
            self._progress.take(group.launch, line)
            self._take(group, line)

    def _take(self, group: Group, line: Line) -> None:
        what = line["what"]
        self._tally.take(line)
        if what == "begun":
            self._remains.begun(group.launch, line)
        self._kept += what == "stopped" and line["moved"]
        if what not in ("opened", "claiming"):
            self._fruit.add(group.launch)

    def _is_drained(self) -> bool:
        """Whether the time is over that groups have to end once they are asked to."""
        return self._stop_at is not None and time.monotonic() - self._stop_at > DRAIN_S

    def _is_hung(self, group: Group) -> bool:
        """Whether a group stands still for longer than anything it does may take."""
        at_work = group.launch in self._progress.began
        limit = self._plan.member_s if at_work else START_S
        return self._journals.still_s(group.launch) > limit

    def _look_at_stop(self) -> None:
        if self._stop_at is None and stop_file(self._run, self._attempt).exists():
            self._stop_at = time.monotonic()

    def _bury(self, group: Group, kind: str) -> None:
        """Note how a group has ended, and give back what it held."""
        self._follow(group)  # what it wrote between our look and its end
        del self._groups[group.number]
        self._journals.drop(group.launch)
        group.end_strays()
        member = self._progress.began.get(group.launch)
        # one that lives for a member alone comes back until it finds none
        fruitful = self._plan.fresh and group.launch in self._fruit
        self._done[group.number] = group.code == ExitCode.OK and not kind and not fruitful
        if ended_well(group.code) and member is None and not kind:
            self._note_stop(group)
            return
        if not kind and (why := refusal(self._run, group.launch, group.code)):
            self._fail(group, why)
            member = None  # a full disk is not of its making
        drained = self._stop_at is not None and kind == "timeout"
        if not drained:
            self._lose(group, member, kind or self._death(group))
        elif member is not None:
            self._kept += self._remains.keep(group.launch, member)
        self._give_back(group)

    def _note_stop(self, group: Group) -> None:
        """A group that stopped unasked was told to by somebody: what it held goes back."""
        self._look_at_stop()  # it may have seen the wish before us
        if group.code == ExitCode.STOPPED and self._stop_at is None:
            self._lose(group, None, "SIGTERM")
            self._give_back(group)

    def _death(self, group: Group) -> str:
        kind, grown = group.death(), self._oom.has_grown()
        return "oom" if grown and kind == "SIGKILL" else kind

    def _lose(self, group: Group, member: int | None, kind: str) -> None:
        """Journal a group's death, and the member that it died of."""
        why = group.words()
        if told := word_beside(self._run, group.launch):
            member, kind, why = told["member"], told["kind"], told["why"]
        if member is not None:
            self._kept += self._remains.keep(group.launch, member)
        line = {"what": "lost", "launch": group.launch, "member": member, "kind": kind, "why": why}
        self._journal.write(line)
        self._progress.take(f"supervisor-{self._turn}", line)
        self._progress.began.pop(group.launch, None)
        if member is not None:
            self._fruit.add(group.launch)
        self._slow_down(group, kind)

    def _slow_down(self, group: Group, kind: str) -> None:
        number = group.number
        fruitless = self._pauses.after(number, fruitful=group.launch in self._fruit)
        if fruitless >= FRUITLESS:
            why = f"group {number} ended {fruitless} times before it came to a member ({kind})"
            why += f"; logs/group-{number}.log ends: {group.words()}"
            self._failed = self._failed or (ExitCode.JOB_FAILED, why)

    def _fail(self, group: Group, why: str) -> None:
        """A group refuses to work: no other start of it would do better."""
        self._failed = self._failed or (ExitCode(group.code or 0), why)
        for other in self._groups.values():
            other.started.process.terminate()  # a member's end is awaited
        self._stop_at = self._stop_at or time.monotonic()

    def _give_back(self, group: Group) -> None:
        """Put what a dead group held, and has not settled, back on the list as one block."""
        held = self._claims.held(group.launch, self._progress.claimed.get(group.launch, ()))
        if members := [number for number in held if number in self._tally.open]:
            self._put_back(members)

    def _put_back(self, members: list[int]) -> None:
        failed = self._progress.failures
        self._claims.give_back(self._backs, members, {n: failed[n] for n in members if n in failed})
        self._backs += 1
        self._done = dict.fromkeys(self._done, False)

    def _start_some(self) -> None:
        now = time.monotonic()
        for number in range(self._plan.shape.count):
            waits = number in self._groups or now < self._pauses.until(number)
            if not waits and not self._done[number]:
                self._start(number)

    def _start(self, number: int) -> None:
        launch = f"{number:03d}-{self._turn}.{self._starts}"
        self._starts += 1
        group = start_group(self._run, self._job, self._plan.shape, (number, launch), self._own)
        self._groups[number] = group
        self._journals.add(launch)

    def _tell(self, *, now: bool = False) -> None:
        # of living groups: the journal has what those of an earlier attempt had begun
        running = sum(one.launch in self._progress.began for one in self._groups.values())
        self._tally.tell(running, len(self._groups), now=now)

    def terminate(self) -> None:
        """End every group that still runs."""
        end_all(self._groups.values())
        self._groups.clear()

    def first_death(self) -> Death | None:
        """Return nothing: a group's death is the campaign's own business."""
        return None

    def last_words(self) -> str:
        """Return why the campaign ended badly, if it did."""
        return self._failed[1] if self._failed else ""
