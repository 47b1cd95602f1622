"""The conclusion of a campaign: all ranks seal what was admitted, and say what became of every member."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forgia_hpc.data.fields.layout import Array, FieldSet
from forgia_hpc.data.presence import find_altered
from forgia_hpc.digest import canonical_json
from forgia_hpc.errors import FULL, JobFailedError, StoppedError
from forgia_hpc.metrics import MetricsFile
from forgia_hpc.rundir import RunDir, write_json
from forgia_hpc.runtime.stop import StopFlag
from forgia_hpc.runtime.world import World
from forgia_hpc.schema.job import SimulateJob
from forgia_hpc.simulate import account
from forgia_hpc.simulate.block_rows import Rows
from forgia_hpc.simulate.blocks import no_room
from forgia_hpc.simulate.conclude import Sealing, UnsoundMembers, seal
from forgia_hpc.simulate.journal import Journal, Lines, campaign_of, file_of
from forgia_hpc.simulate.kept import Kept, UnsoundMember
from forgia_hpc.simulate.known import Known
from forgia_hpc.simulate.member import Member
from forgia_hpc.simulate.members import SPLITS, Members, load_members
from forgia_hpc.simulate.progress import Progress, read_progress
from forgia_hpc.simulate.refine import Difference
from forgia_hpc.simulate.solvers import open_solver, order_of
from forgia_hpc.simulate.standing import check_grows, damaged
from forgia_hpc.simulate.target import schema_of, sealed_card
from forgia_hpc.simulate.trajectories import Trajectories

SCAFFOLDING = ("blocks", "claims", "work", "left", "words", "saved", "rejecting")


def conclude(job: SimulateJob, run: RunDir, world: World, stop: StopFlag) -> dict[str, Any]:
    """Seal the admitted members and return what became of all.

    Raises:
        JobFailedError: none was admitted; or some are unsound, and are solved again.
        StoppedError: asked to stop between two shards; those that are written stay.
        InputError: the disk is full; what is sealed already stays.
    """
    try:
        return _concluded(job, run, world, stop)
    except OSError as error:  # only here: an InputError within would be taken for one of all ranks
        if error.errno in FULL:
            raise no_room(error) from error
        raise


def _concluded(job: SimulateJob, run: RunDir, world: World, stop: StopFlag) -> dict[str, Any]:
    members = load_members(run)
    schema = schema_of(open_solver(job.solver).schema(), members)
    progress = read_progress(run, len(members.members))
    name = f"conclude-{os.environ['FORGIA_TURN']}-{world.rank}"
    with (
        Known(Path(members.into), schema) as known,
        Rows(campaign_of(run) / "blocks") as rows,
        Lines(run) as lines,
        Journal(file_of(run, name)) as journal,
    ):
        kept = Kept(members, schema, progress, (known, rows, lines))
        own = _Conclusion(job, run, world, members, progress, kept, known)
        version = own.sealed(stop, journal)
        counts, product = account.counts(members.members, kept), own.product(version)
        told = {**counts, **product, **account.warning(counts, product["errors"])}
        told["ending"] = account.ending(counts, job.ensemble.least_share)
        if world.is_root:
            _write_account(run, {**told, **account.course(members.members, kept, progress)})
    world.barrier()
    return told


def _write_account(run: RunDir, told: Mapping[str, Any]) -> None:
    """Write campaign.json, and take down what only the campaign needed: the dataset has the numbers now."""
    folder = campaign_of(run)
    write_json(folder / "campaign.json", {"format": "forgia.campaign/1", **told})
    for name in SCAFFOLDING:
        shutil.rmtree(folder / name, ignore_errors=True)


@dataclass
class _Conclusion:
    job: SimulateJob
    run: RunDir
    world: World
    members: Members
    progress: Progress
    kept: Kept
    known: Known

    def __post_init__(self) -> None:
        self._provenance: dict[str, Any] = {}

    def product(self, version: str) -> dict[str, Any]:
        """Return what was made."""
        return {
            "dataset": f"{self.members.dataset}@{version[:12]}",
            "version": version,
            "into": self.members.into,
            "errors": self._provenance["refinement"]["errors"],
        }

    def sealed(self, stop: StopFlag, journal: Journal) -> str:
        """Seal the dataset, unless it stands there already; return its version."""
        admitted = self.kept.admitted(0)
        out = account.left_out(self.members, self.kept, self.progress)
        if not admitted:
            raise JobFailedError(account.nothing(out))
        check_grows(self.members, self.kept.schema)
        trajectories, differences = self._read(admitted, journal)
        solver = self.job.solver
        self._provenance = account.provenance(
            solver, self.members, out, differences, order_of(open_solver(solver))
        )
        if self._stands(trajectories):
            self._verify()
            return self.known.version
        card = sealed_card(self.run)
        given = Sealing(
            given=FieldSet(
                name=self.members.dataset,
                contributor=card.contributor,
                schema=self.kept.schema,
                trajectories=trajectories,
                shared=self._shared(admitted),
                provenance=self._provenance,
            ),
            members=admitted,
            card=card,
            into=Path(self.members.into),
            kept=self.kept,
            key=self._key(admitted),
            planned=sum(not one.level for one in self.members.members),
            shard_members=self.job.ensemble.shard_members,
            done=self.progress.sealed,
        )
        try:
            return seal(given, self.world, stop, journal, self._told)
        except UnsoundMembers as error:
            self._void(error.found, journal)
            raise
        except StoppedError:
            if self.world.is_root:
                self._note_stop(given)
            raise

    def _key(self, admitted: list[Member]) -> str:
        """Return what tells one sealing from another: members, splits, lines, and what is said of all."""
        found = hashlib.sha256(canonical_json([self._provenance, self.known.version]))
        for one in admitted:
            found.update(canonical_json([one.id, one.split, *self.kept.mark(one)]))
        return found.hexdigest()

    def _note_stop(self, given: Sealing) -> None:
        """Say whether this attempt has sealed anything that the next one need not."""
        sealed = read_progress(self.run, self.progress.planned).sealed
        done = len(sealed) - len(given.done)
        attempt = int(os.environ["FORGIA_TURN"].partition(".")[0])
        self.run.event("conclusion_stopped", attempt=attempt, done=done, kept=0)

    def _told(self, done: int, of: int) -> None:
        with MetricsFile(self.run.metrics) as metrics:
            metrics.append(done, phase="seal", of=of)

    def _read(
        self, admitted: list[Member], journal: Journal
    ) -> tuple[Trajectories, dict[str, Difference]]:
        """Read what all ranks must know of every member, and what the refined ones show."""
        trajectories = Trajectories(self.kept, admitted)
        unsound = dict(trajectories.unsound)
        differences: dict[str, Difference] = {}
        for one in self.kept.admitted(1) if self.world.is_root else ():
            try:
                found = self.kept.difference(one)
            except UnsoundMember as error:
                unsound[error.number] = str(error)
                continue
            if found is not None:
                differences[one.id] = found
        self._void(unsound, journal)
        return trajectories, dict(self.world.broadcast(differences))

    def _shared(self, admitted: list[Member]) -> dict[str, Array]:
        """Return the arrays that are one for all members.

        Raises:
            JobFailedError: they are not: the solver's schema is wrong.
        """
        names = [one.name for one in self.kept.schema.fields if not one.per_trajectory]
        for name in names:
            sums = {self.kept.sum(one, f"fields/{name}") for one in admitted} - {None}
            if len(sums) > 1:
                words = f"{len(sums)} different ones among its members"
                raise JobFailedError(f"field {name} should be one for all, and there are {words}")
        return {name: self.kept.read(admitted[0], f"fields/{name}") for name in names}

    def _stands(self, trajectories: Trajectories) -> bool:
        """Whether the dataset that stands there is the one that we would seal."""
        manifest = self.known.manifest
        if manifest is None:
            return False
        own = {one.id: SPLITS[one.split] for one in trajectories.members}
        same = own == self.known.members()
        return (
            same
            and dict(self.known.design) == dict(self.kept.schema.design)
            and canonical_json(manifest.provenance) == canonical_json(self._provenance)
        )

    def _verify(self) -> None:
        """Read the dataset that stands there, each rank its share of the shards.

        Raises:
            SealBrokenError: one is not what was sealed; it stays as it is.
        """
        manifest, world = self.known.manifest, self.world
        assert manifest is not None
        own = find_altered(manifest.shards[world.rank :: world.size], manifest.directory)
        if faults := [one for some in world.gather_all(own) for one in some]:
            raise damaged(faults)

    def _void(self, unsound: Mapping[int, str], journal: Journal) -> None:
        """Take back the word on members whose numbers are not what it says; nothing to do without any.

        Raises:
            JobFailedError: there are some. The batch step lets them be solved again.
        """
        every = self.world.gather_all(sorted(unsound.items()))
        found = {int(number): str(why) for some in every for number, why in some}
        if not found:
            return
        if self.world.is_root:
            for number, why in sorted(found.items()):
                for word in self.progress.words(number):
                    told = {"what": "unsound", "member": number, "writer": word.by, "why": why}
                    journal.write(told)
            turn = os.environ["FORGIA_TURN"]
            facts = {"attempt": int(turn.partition(".")[0]), "turn": turn}
            some = dict(list(found.items())[:20])
            self.run.event("members_unsound", **facts, count=len(found), some=some)
        first = next(iter(found.items()))
        more = f"member {first[0]}: {first[1]}"
        raise JobFailedError(f"{len(found)} members are not what the journal says; {more}")
