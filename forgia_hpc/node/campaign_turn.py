"""What one turn of a campaign begins with: the members that are still open, laid out as blocks for its groups."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from forgia_hpc.node.groups import Shape, shape_of
from forgia_hpc.node.remains import keep_left
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.simulate.claims import Claims, block_size
from forgia_hpc.simulate.progress import Progress, read_progress

# A program's own wall limit comes first, and its keeper waits 3 s more. Of a file that another node
# writes, an NFS client keeps what it knows for up to 60 s (nfs(5), acregmax): a line may show as late as that.
SLACK_S = 15.0
SLACK_NODES_S = 60.0


@dataclass(frozen=True)
class Turn:
    """Of which members, how they are shared out, and the words that matter while they run."""

    name: str  # <attempt>.<turn>
    ids: list[str]
    plain: int  # the first so many are of level 0; the rest is refined
    progress: Progress
    claims: Claims
    shape: Shape
    member_s: float  # of one try, with what its last line may take to be seen here
    fresh: bool


def open_turn(run: RunDir, job: Mapping[str, Any], name: str) -> Turn:
    """Read how far the campaign is, and lay out what is to be done.

    Raises:
        JobFailedError: Slurm starts no step for a group.
    """
    words = yaml.safe_load(run.config.read_text(encoding="utf-8"))["ensemble"]
    columns = read_json(run.inputs / "members.json")["members"]
    ids: list[str] = columns["id"]
    progress = read_progress(run, len(ids))
    still = progress.open_members()
    for launch, member in progress.began.items():  # of groups that died with the batch step
        if member in still:
            keep_left(run, launch, ids[member])
    shape = shape_of(job, words["ranks_per_member"]) if still else Shape(0, 1, None)
    fresh = words["launch"] == "fresh"
    size = 1 if fresh else block_size(words["block"], len(still), max(1, shape.count))
    claims = Claims(run, name)
    failures = {one: progress.failures[one] for one in still if one in progress.failures}
    claims.plan(still, size, failures, sorted({member for member, _ in progress.unsound}))
    member_s, plain = words["member_s"] + slack_s(job), columns["level"].count(0)
    return Turn(name, ids, plain, progress, claims, shape, member_s, fresh)


def slack_s(job: Mapping[str, Any]) -> float:
    """Return the seconds beyond a member's own before its group is killed: FORGIA_SLACK_S, else as below."""
    alone = job["resources"]["nodes"] == 1
    return float(os.environ.get("FORGIA_SLACK_S") or (SLACK_S if alone else SLACK_NODES_S))
