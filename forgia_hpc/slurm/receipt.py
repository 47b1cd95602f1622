"""receipt.json: what a run cost and did. Provisional by our own events, settled by Slurm's accounts."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from forgia_hpc.digest import digest_of
from forgia_hpc.errors import ForgiaError, SealBrokenError
from forgia_hpc.rundir import RunDir, read_json, write_json
from forgia_hpc.slurm.accounting import Price, billed
from forgia_hpc.slurm.hints import hints
from forgia_hpc.slurm.own_record import Job, own_rows, sealed_job
from forgia_hpc.slurm.profile import Cluster
from forgia_hpc.slurm.spent import energy
from forgia_hpc.slurm.usage import Allocation
from forgia_hpc.slurm.waits import waits
from forgia_hpc.slurm.work import work_of

FORMAT = "forgia.receipt/1"
NO_ACCOUNTS = "provisional: no accounting"
JUST_ENDED = (
    "provisional: by the job's own record; settled by the next forgia status, wait or receipt"
)


def leave_provisional(run: RunDir) -> dict[str, Any]:
    """Write the receipt that a job leaves at its end, by its own record. A settled one is not overwritten."""
    job = sealed_job(run)
    if is_settled(run):
        return dict(read_json(path_of(run)))
    why = JUST_ENDED if job.cluster.slurm else ""
    return write_receipt(job, own_rows(job), standing="provisional", why=why)


def leave_at_end(run: RunDir) -> None:
    """Leave the provisional receipt as a batch step does: what goes wrong with it must not change the ending."""
    try:
        leave_provisional(run)
    except (ForgiaError, OSError, LookupError, TypeError) as error:
        with contextlib.suppress(OSError):  # a full disk: the next login command makes the receipt
            run.event("receipt_failed", why=f"{type(error).__name__}: {error}")


def write_receipt(
    job: Job, rows: Sequence[Allocation], *, standing: str, why: str = ""
) -> dict[str, Any]:
    """Put the receipt together, write it whole and return it."""
    content = compose(job, rows, standing=standing, why=why)
    write_json(path_of(job.run), content)
    return content


def compose(job: Job, rows: Sequence[Allocation], *, standing: str, why: str) -> dict[str, Any]:
    """Return the receipt of a run: sums over every attempt, each row of Slurm in it."""
    ran = [row for row in rows if row.elapsed_s]
    prices = [bill(row, job.cluster) for row in ran]
    total = _sum(prices, job.cluster)
    work = work_of(job.run, rows)
    content = {
        "format": FORMAT,
        "run": job.run.name,
        "job_digest": read_json(job.run.manifest)["digest"],
        "standing": standing,
        "why": why,
        "of": made_of(job.run),
        "cluster": job.cluster.name,
        "account": job.account or (rows[0].account if rows else ""),
        "billed": None if total is None else _billed(total),
        "billing_seconds": _billing_seconds(ran),
        "cpu_seconds": sum(row.cpu_s or round(_cpus(row) * row.elapsed_s) for row in ran),
        "attempts": [
            _attempt(row, price) for row, price in zip(ran, prices, strict=True)
        ],
        "wait": waits(rows),
        "work": {
            "ran_s": work.ran_s,
            "useful_s": round(work.useful_s, 1),
            "lost_s": round(work.lost_s, 1),
            "steps": work.steps,
            "lost_steps": work.lost_steps,
            "by": work.by,
        },
        "energy": energy(job, ran).as_json(),
        **hints(ran, job.resources, job.cluster, finished=job.run.result.exists()),
        "written": int(time.time()),
    }  # fmt: skip
    return {**content, "digest": digest_of(content)}


def bill(row: Allocation, cluster: Cluster) -> Price | None:
    """Return what an attempt was billed."""
    return billed(
        replace(row.shape, partition=row.partition or row.shape.partition), cluster, row.elapsed_s
    )


def _billed(total: Price) -> dict[str, Any]:
    return {
        "amount": round(total.amount, 6),
        "unit": total.unit,
        "core_h": round(total.core_h, 6),
        "node_h": round(total.node_h, 6),
        "gpu_h": round(total.gpu_h, 6),
        "by": total.by,
        **({"note": total.note} if total.note else {}),
    }


def _attempt(row: Allocation, price: Price | None) -> dict[str, Any]:
    return {
        "job_id": row.job_id,
        "task": row.task,
        "state": row.state,
        "submit": row.submit,
        "eligible": row.eligible,
        "start": row.start,
        "end": row.end,
        "elapsed_s": row.elapsed_s,
        "nodes": row.shape.nodes,
        "cpus": round(_cpus(row)),
        "gpus": round(row.shape.gpus * row.shape.nodes),
        "billed": None if price is None else round(price.amount, 6),
    }


def _billing_seconds(rows: Sequence[Allocation]) -> int | None:
    """Return Slurm's billing figure times seconds, whole numbers: what sshare adds up; None where it has none."""
    if any(row.shape.billing is None for row in rows):
        return None
    return sum(round(row.shape.billing or 0.0) * row.elapsed_s for row in rows)


def _cpus(row: Allocation) -> float:
    return row.shape.cpus * row.shape.nodes


def _sum(prices: Sequence[Price | None], cluster: Cluster) -> Price | None:
    if not cluster.slurm:
        return None
    total: Price | None = None
    for one in prices:
        total = one if total is None else total + one if one else total
    return total or Price(unit=cluster.accounting.unit)


# --- the file -------------------------------------------------------------------------------------


def path_of(run: RunDir) -> Path:
    """Return where the receipt lies."""
    return run.path / "receipt.json"


def made_of(run: RunDir) -> dict[str, int]:
    """Return how many submissions and starts there are: one more, and a settled receipt is out of date."""
    return {
        "submissions": sum(name[0].isdigit() for name in _names(run.path / "submissions")),
        "starts": sum("-batch_started-" in name for name in _names(run.path / "events")),
    }


def _names(folder: Path) -> list[str]:
    return os.listdir(folder) if folder.is_dir() else []  # noqa: PTH208 - status asks a thousand runs


def is_settled(run: RunDir) -> bool:
    """Whether the receipt is there, final, and of all that was submitted."""
    try:
        said = json.loads(path_of(run).read_bytes())
        return bool(said["standing"] == "settled" and said["of"] == made_of(run))
    except (OSError, ValueError, LookupError, TypeError):
        return False


def read_receipt(run: RunDir) -> dict[str, Any]:
    """Return the receipt as it was written.

    The digest finds mishaps and edits by hand. It does not stop somebody who takes it again: for that, settle
    it once more from Slurm's accounts.

    Raises:
        SealBrokenError: it is not what was written.
        InputError: there is none.
    """
    content = read_json(path_of(run))
    if not intact(content):
        raise SealBrokenError(
            f"{path_of(run)}: edited after it was written; forgia receipt --again {run.name}"
        )
    return dict(content)


def intact(content: Mapping[str, Any]) -> bool:
    """Whether the digest is that of the content."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        return False
    return bool(
        content.get("digest") == digest_of({k: v for k, v in content.items() if k != "digest"})
    )
