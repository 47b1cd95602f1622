"""The page of an endurance count: small, dated, with the machine and the commit."""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HEAD = """# Endurance counts

    make endurance        # goes on where it stopped; see tests/endurance/run.py

What is killed, flipped and cut is drawn from a stated seed; the moment of a kill also hangs on the machine.
A fault is whatever breaks the promise above its table. The lines of the single trials stay out of the
repository.

"""
PROMISES = {
    "shard_flips": """\
One flipped bit or a cut file of a sealed dataset: `forgia data check` ends with 5, and a reader that touches
every value either refuses or gives the sealed values to the bit: it takes its tables from `index.pack` and
never looks at HDF5's own, where most harmless flips of a small shard fall. A flip in `manifest.json` makes
another version, so there the promise is only that the reader of the granted version refuses.""",
    "tamper": """\
What a forger without keys may try on a sealed dataset, signed by contributor and consortium: telemetry and fields,
hot and cold, each plain and encrypted (seeds 1 and 2: telemetry, hot). Flipped bits, cuts, blocks and files
exchanged within it or for another dataset's of the same shape, another policy in the document, the manifest or the
wraps, wraps exchanged or made anew, signatures altered. `data check` finds each, and names the shard where it is
one; a reader that touches every value refuses with the shard named, or gives the sealed values to the bit.""",
    "build_kills": """\
SIGKILL of a dataset build at random moments, one to three times, then a build that is left alone: every shard that
was sealed has the bytes of an undisturbed build's and is kept (its inode is the same), at most one unsealed shard
is lost a kill, the files and the manifest are those of an undisturbed build, and nothing else is left.""",
    "ingest_faults": """\
A fault put into one of the five real sets or its generated look-alike, whose recipe expects what each column was
like in an undamaged file; SHA-256 and number of rows are those of the damaged file. Before the ingest it is
decided from the values alone whether the damage can be told from an honest file (see the head of
ingest_faults.py). It ends refused, flagged, or counted as a mend; a fault is one that can be told and passes in
silence, and an undamaged file that is not.""",
    "submit_kills": """\
SIGKILL of `forgia submit`, alone or with its children, at a random moment: at most one job a run, no job
without its run directory, what Slurm took ends with a result, and `forgia status` tells of it.""",
    "resume_kills": """\
SIGKILL of `forgia resume` of a sealed run, alone or with its children, at a random moment, or exactly around its
calls of sbatch, squeue and sacct; then `forgia status` and `forgia resume` as a user would. One job each: a job
that Slurm has is found and not sent again, and one that it hasn't is sent. The job waits behind a partition that
is down, and is cancelled after it was counted. Where no job is there and the request might still arrive, `resume`
refuses with exit code 4, and the claim is set back by 1000 s, when no process of the submission lives any more,
instead of waiting seven minutes.""",
    "submit_lies": """\
The same with an sbatch that fails, times out with or without success, is killed, tells nothing or a wrong id,
tells an id and fails, or submits twice.""",
    "verdicts": """\
A trial is 20 random requests on a dev Slurm frozen in one state. Each is judged, then really submitted; one that
pends is submitted again when jobs have ended, nodes are back and the partition is open, the limits as they were:
if it starts it was waiting, if not it never would. The verdict's class (starts now, waits, never, refused) is
what Slurm did, in every one.""",
    "endings": """\
One training under a real Slurm, preempted, cancelled, cut short by its walltime, its node taken down, its
launcher or batch step killed at a random step: `forgia status` names the ending, the run goes on by itself where
it should (else after `forgia resume`), every step has the loss of an undisturbed run to the bit, at most one step
is lost where the ranks could save (else one interval of checkpoints), and no process is left.""",
    "waves": """\
A packed sweep of 300 short points with two kinds of resources in 4 allocations of a real Slurm, two of which are
requeued, cancelled, or lose their batch step at random moments: each point ends well exactly once and leaves a
valid result, by itself or after `forgia resume`, with at most one Slurm job for five points.""",
    "defects": """\
Sixty defects of solver, units, walls, materials, words, refinement and writing, one after another, each patched
into a copy of the code that a campaign of four members seals; written down before the checks were made. Then six
harmless changes. A fault is a defect that came into a dataset, and a harmless change that did not
(docs/admission.md).""",
    "defects_blind": """\
Forty more defects and four harmless changes, by one who had not read the checks, their documentation or the first
set (but for its words that ask for two ranks), and fixed (SHA-256 bd19d722…) before the first campaign ran; each
defect moves numbers of its bed's members or refined members by more than 1 % of their range. Counted as it came
out: no check was altered for them before this count. A fault is a dataset that was sealed in spite of a defect,
also where the one member that it spoiled was left out, and a harmless change that was stopped.""",
    "error_bars": """\
A random member solved on two meshes: slabs, cylinders and spheres with a Biot series, plates with properties over
temperature against a mesh of a quarter of the width. A fault is an error bar (rms or largest) below the true
error.""",
    "stalls": """\
Three ranks in a loop with the phases of a training, the limit at 5 s and checkpoints of 8 s: healthy ones raise
no alarm; a stopped rank, one that skips a collective, one whose read blocks and one three times as slow are
named, with the right verdict.""",
    "checkpoint_kills": """\
SIGKILL of a rank or of the batch step of a two-rank training at a random moment, then resume: the newest
checkpoint verifies and loads, at most one interval is lost, steps computed again have the same loss to the
bit, and `forgia status` says failed or stopped.""",
    "campaign": """\
A campaign of 10,000 members in two groups, some of which segfault, raise, exit, leave NaN or fail a check; SIGKILL
of any of its processes 200 times, the batch step included, which is then started again. In the end every member is
settled as in an undisturbed campaign, the dataset is the same byte by byte, and no process is left.""",
    "campaign_small": """\
The same with 300 members and 8 kills.""",
}


def rows(record: Path) -> list[dict[str, Any]]:
    """Return the lines of a record; a line torn by a kill is cut off, so that the next one stands alone."""
    if not record.exists():
        return []
    data = record.read_bytes()
    if data and not data.endswith(b"\n"):
        with record.open("r+b") as opened:
            opened.truncate(data.rfind(b"\n") + 1)
    return [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]


def machine() -> str:
    """Return what this machine is."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cpus = len(os.sched_getaffinity(0))
    return f"{cpus} CPUs {names[0] if names else platform.machine()}, Python {platform.python_version()}"


def write(records: Path, kinds: Iterable[str], page: Path) -> None:
    """Write the page from all lines that there are."""
    parts = [HEAD]
    for kind in kinds:
        if found := rows(records / f"{kind}.jsonl"):
            parts.append(_section(kind, found))
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("".join(parts).rstrip() + "\n", encoding="utf-8")


def _section(kind: str, found: list[dict[str, Any]]) -> str:
    bad = [row for row in found if row["faults"]]
    whats = Counter(row["what"] for row in found)
    seeds = ", ".join(str(seed) for seed in sorted({row["seed"] for row in found}))
    lines = [
        f"## {kind}: {len(found)} trials, {len(bad)} with a fault",
        "",
        PROMISES[kind],
        "",
        f"{_days(found)}; {'; '.join(sorted({row['host'] for row in found}))}; "
        f"commit {', '.join(sorted({row['commit'] for row in found}))} (+ = with changes on top); "
        f"seed {seeds}; {sum(row['seconds'] for row in found) / 60:.0f} min in all.",
        "",
        "| what | trials | with a fault |",
        "|---|---:|---:|",
        *(
            f"| {what} | {count} | {sum(row['what'] == what for row in bad)} |"
            for what, count in sorted(whats.items())
        ),
        "",
        *(
            f"- seed {row['seed']}, number {row['number']}: {'; '.join(row['faults'])}"
            for row in bad[:20]
        ),
        *(
            f"- seed {row['seed']}, number {row['number']}: {row['told']}"
            for row in found
            if "told" in row
        ),
        *([""] if bad or any("told" in row for row in found) else []),
    ]
    return "\n".join(lines) + "\n"


def _days(found: list[dict[str, Any]]) -> str:
    days = sorted({row["when"][:10] for row in found})
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
