"""A campaign whose processes are killed at random, the supervisor too: it ends as if nobody had touched it."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any

from fakes.campaign.bed import Bed, account, kill, kill_all, lines, log, processes, start

from forgia_hpc.rundir import RunDir
from forgia_hpc.simulate.journal import Reader

LIMIT_S = 3600
# some members do what members do; the campaign must say the same of each, whoever is killed when
FAULTS = ("segfault", "raise", "nan", "exit", "check", "abort", "infinite")
WORDS = ("resources.ranks_per_node=2", "solver.options={sleep_s: 0.002}")


class Campaign:
    """Trials of one campaign each; the undisturbed one is made once."""

    members, kills, faulty = 10_000, 200, 20

    def __init__(self, scratch: Path) -> None:
        """Take a directory for everything."""
        self._scratch = scratch
        self._quiet: dict[str, bytes] = {}
        self._told: dict[str, Any] = {}
        self._quiet_s = 0.0
        self._quiet_work_s = 0.0
        self._quiet_bytes = 0
        self._trials = 0

    def __enter__(self) -> Campaign:
        """Run the campaign that nobody disturbs."""
        os.environ["XDG_CONFIG_HOME"] = str(self._scratch / "config")
        bed, run = self._sealed("quiet")
        began = time.monotonic()
        code = start(run).wait(LIMIT_S)
        self._quiet_s = time.monotonic() - began
        assert code == 0, log(run)
        self._quiet, self._told = bed.bytes(), account(run)
        self._quiet_bytes, self._quiet_work_s = journaled(run), at_work_s(run)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the scratch directory to its owner."""

    def _sealed(self, name: str) -> tuple[Bed, RunDir]:
        bed = Bed(self._scratch / name)
        bed.root.mkdir(parents=True)
        chance = random.Random("faults")
        numbers = chance.sample(range(self.members), self.faulty)
        faults = {number: chance.choice(FAULTS) for number in numbers}
        bed.table(self.members, faults)
        return bed, bed.seal(*WORDS, table=True)

    def trial(self, chance: random.Random) -> dict[str, Any]:
        """Run one campaign and kill; start the batch step again whenever it is the one; compare."""
        self._trials += 1
        bed, run = self._sealed(f"trial-{self._trials}")
        began = time.monotonic()
        killed, starts, left = self._killed(run, chance)
        wall_s, work_s = time.monotonic() - began, at_work_s(run)
        facts = {
            "kills": sum(killed.values()),
            "of_batch": killed["batch"],
            "batch_starts": starts,
            "members": self.members,
            "wall_s": round(wall_s, 1),
            "quiet_s": round(self._quiet_s, 1),
            "at_work_s": round(work_s, 1),
            "quiet_at_work_s": round(self._quiet_work_s, 1),
            "told": f"{killed['batch']} kills of the batch step and {killed['other']} of others; by the clock "
            f"{wall_s:.0f} s, undisturbed {self._quiet_s:.0f} s; groups at work, starts not counted, "
            f"{work_s / self._quiet_work_s:.3f} times as long as undisturbed",
        }
        faults = self._faults(bed, run, left)
        told = account(run) if not faults else {}
        keys = ("computed", "solved_twice", "torn_lines", "failures")
        own = {key: told[key] for key in keys if key in told}
        return {
            "what": f"{self.members} members, {self.kills} kills",
            **facts,
            **own,
            "faults": faults,
        }

    def _killed(self, run: RunDir, chance: random.Random) -> tuple[Counter[str], int, list[int]]:
        """Keep a batch step at work until one ends well; kill a process now and then."""
        killed: Counter[str] = Counter()
        batch, starts = start(run), 1
        moments = sorted(chance.uniform(0.0, 1.0) for _ in range(self.kills))
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            if (code := batch.poll()) is not None:
                if code == 0:
                    break
                batch, starts = start(run), starts + 1
            if moments and self._done(run) >= moments[0]:
                whom = self._kill(run, batch, chance)
                killed[whom] += 1
                moments = moments[1:] if whom else moments
            time.sleep(0.01)
        batch.kill()
        left = processes(run)
        kill_all(run)
        return killed - Counter({"": killed[""]}), starts, left

    def _done(self, run: RunDir) -> float:
        """Return how much is done: nine tenths are the campaign, by its journal; one is the conclusion."""
        if (
            (run.path / "events").is_dir()
            and run.count("campaign_ended")
            and not self._at_work(run)
        ):
            return 1.0
        return 0.9 * min(1.0, journaled(run) / self._quiet_bytes)

    def _at_work(self, run: RunDir) -> bool:
        ended = [event.facts["left"] for event in run.events("campaign_ended")]
        return bool(ended) and ended[-1] > 0

    def _kill(self, run: RunDir, batch: subprocess.Popen[bytes], chance: random.Random) -> str:
        """Kill a process of the campaign and return which kind; mostly once its groups are at work."""
        others = [pid for pid in processes(run) if pid != batch.pid]
        if not others and chance.random() < 0.95:
            return ""  # it is only starting; a kill there now and then
        time.sleep(chance.uniform(0.0, 0.2))
        if others and chance.random() < 0.75:
            kill(chance.choice(others))
            return "other"
        kill(batch.pid)
        batch.wait()
        return "batch"

    def _faults(self, bed: Bed, run: RunDir, left: list[int]) -> list[str]:
        if not run.result.exists():
            return [f"it did not end well: {log(run)[-800:]}"]
        faults = [f"{len(left)} processes are left"] if left else []
        found = bed.bytes()
        if found != self._quiet:
            differ = sorted(
                name for name in {*found, *self._quiet} if found.get(name) != self._quiet.get(name)
            )
            faults.append(f"other bytes than the undisturbed campaign's: {differ[:5]}")
        told = account(run)
        for key in ("planned", "admitted", "rejected", "poison", "version"):
            if told[key] != self._told[key]:
                faults.append(f"{key}: {told[key]} instead of {self._told[key]}")
        if told["differing"]:
            faults.append(f"members with two different results: {told['differing'][:5]}")
        endings = Counter(line["member"] for line in lines(run, "solved"))
        if len(endings) < self._told["admitted"] + self._told["rejected"]:
            faults.append(f"only {len(endings)} members have a line of their own")
        return faults


class FewKills(Campaign):
    """The same, small."""

    members, kills, faulty = 300, 8, 3


def journaled(run: RunDir) -> int:
    """Return the bytes of the journal."""
    return sum(path.stat().st_size for path in _journal(run))


def at_work_s(run: RunDir) -> float:
    """Return how long all groups together were at work: from a life's first member to its last one.

    What a kill costs besides the relaunch is in it: members solved again, claims taken over, files looked through.
    """
    lives = [
        [line["at"] for line in Reader(path) if line["what"] == "begun"] for path in _journal(run)
    ]
    return sum(life[-1] - life[0] for life in lives if life)


def _journal(run: RunDir) -> list[Path]:
    return sorted((run.output / "campaign" / "journal").glob("*.jsonl"))
