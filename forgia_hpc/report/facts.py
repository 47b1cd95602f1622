"""Everything a run directory says, read once; what is missing is absent, what is broken is named."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from forgia_hpc.metrics import read_metrics
from forgia_hpc.report.campaign import Campaign, read_campaign
from forgia_hpc.report.evaluation import Evaluation, read_evaluation
from forgia_hpc.report.figures import number
from forgia_hpc.report.film_strips import Film
from forgia_hpc.report.markup import clean
from forgia_hpc.rundir import Event, RunDir
from forgia_hpc.simulate.journal import campaign_of

TAIL_BYTES = 16_384
TAIL_LINES = 16
Document = dict[str, Any]


@dataclass(frozen=True)
class LogTail:
    """The end of one log."""

    name: str
    lines: list[str]


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run."""

    name: str
    config: Document = field(default_factory=dict)
    job: Document = field(default_factory=dict)
    seal: Document = field(default_factory=dict)  # manifest.json
    grant: Document = field(default_factory=dict)
    dataset: Document = field(default_factory=dict)  # inputs/manifest.json
    result: Document = field(default_factory=dict)
    receipt: Document = field(default_factory=dict)
    evaluation: Evaluation | None = None
    campaign: Campaign | None = None
    films: list[Film] = field(default_factory=list)  # of a campaign; read for a page alone
    events: list[Event] = field(default_factory=list)
    rows: list[Document] = field(default_factory=list)
    checkpoints: list[int] = field(default_factory=list)
    logs: list[LogTail] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def asked(self, key: str) -> Any:
        """Return a value of the config by its dotted key, or None."""
        return at(self.config, key)


def at(content: Any, key: str) -> Any:
    """Return what stands at a dotted key, or None."""
    for word in key.split("."):
        content = content.get(word) if isinstance(content, dict) else None
    return content


def deep(content: Any, key: str, depth: int = 3) -> Any:
    """Return the first value named `key`, looking `depth` levels down: {"train": {"steps": 200}}."""
    if not isinstance(content, dict) or depth == 0:
        return None
    if content.get(key) is not None:
        return content[key]
    found = (deep(value, key, depth - 1) for value in content.values())
    return next((value for value in found if value is not None), None)


def read_run(run: RunDir, *, films: bool = False) -> RunFacts:
    """Return everything the run directory says; `films`: with pictures of what a campaign has made."""
    notes: list[str] = []
    judged = _document(run.output / "evaluation.json", run, notes)
    campaign = read_campaign(run, notes)
    return RunFacts(
        name=run.path.resolve().name,
        config=_document(run.config, run, notes),
        job=_document(run.job, run, notes),
        seal=_document(run.manifest, run, notes),
        grant=_document(run.inputs / "grant.json", run, notes),
        dataset=_document(run.inputs / "manifest.json", run, notes),
        result=_document(run.result, run, notes),
        receipt=_document(run.path / "receipt.json", run, notes),
        evaluation=read_evaluation(judged, notes) if judged else None,
        campaign=campaign,
        films=_films(run, campaign, notes) if campaign and films else [],
        events=_events(run, notes),
        rows=_rows(run, notes),
        checkpoints=_checkpoints(run),
        logs=_logs(run.logs),
        notes=notes,
    )


def _films(run: RunDir, campaign: Campaign, notes: list[str]) -> list[Film]:
    from forgia_hpc.report.films import read_films  # noqa: PLC0415 - HDF5, which few pages need

    return read_films(campaign, campaign_of(run), notes)


def _document(path: Path, run: RunDir, notes: list[str]) -> Document:
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.safe_load(text) if path.suffix == ".yaml" else json.loads(text)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        notes.append(f"{path.relative_to(run.path)} could not be read: {error}")
        return {}
    if isinstance(content, dict):
        return content
    # A grant is a list of contributions; give it a name, so that all documents are objects.
    return {"contributions": content} if isinstance(content, list) else {}


def _events(run: RunDir, notes: list[str]) -> list[Event]:
    # RunDir.events() stops at the first broken file; a report of a broken run must not.
    found = []
    for path in sorted((run.path / "events").glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            facts = content.get("facts")
            found.append(
                Event(
                    str(content["what"]),
                    int(content["time_ns"]),
                    facts if isinstance(facts, dict) else {},
                )
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            notes.append(f"events/{path.name} could not be read: {error}")
    return sorted(found, key=lambda event: event.time_ns)


def _rows(run: RunDir, notes: list[str]) -> list[Document]:
    try:
        rows = read_metrics(run.metrics)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        notes.append(f"metrics.jsonl could not be read: {error!r}")
        return []
    whole = [row for row in rows if number(row.get("step")) is not None]
    return sorted(whole, key=lambda row: row["step"])


def _checkpoints(run: RunDir) -> list[int]:
    return sorted(int(path.name) for path in run.checkpoints.glob("*") if path.name.isdecimal())


def _logs(folder: Path) -> list[LogTail]:
    """Return the ends of the six newest logs that are not empty."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size]
    newest = sorted(paths, key=lambda path: (-path.stat().st_mtime_ns, path.name))[:6]
    tails = [LogTail(str(path.relative_to(folder)), _tail(path)) for path in newest]
    return sorted((tail for tail in tails if tail.lines), key=lambda tail: tail.name)


def _tail(path: Path) -> list[str]:
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - TAIL_BYTES))
            text = log.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    # A progress bar rewrites its line with carriage returns: the last state is what was seen.
    lines = [clean(line.rstrip("\r").rsplit("\r", 1)[-1]).rstrip() for line in text.split("\n")]
    return [line for line in lines if line][-TAIL_LINES:]
