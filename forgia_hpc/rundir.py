"""The run directory: the one place where the login wing and the node wing meet.

The login wing writes the inputs, the node wing the outputs, both append events; nothing else passes between
them. What others read appears whole: written beside, flushed, renamed.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forgia_hpc.errors import InputError, Problem

FORMAT = "forgia.run/1"


@contextlib.contextmanager
def write_whole(path: Path, *, mode: int = 0o640) -> Iterator[Path]:
    """Give a temporary path beside `path`; on a clean exit flush it to disk and rename it into place."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        yield temporary
        temporary.chmod(mode)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        error.filename = error.filename or str(path)  # a failed write does not say where
        raise
    finally:
        temporary.unlink(missing_ok=True)


def sync_directory(path: Path) -> None:
    """Flush a directory's entries: a rename is durable only after this."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str, *, mode: int = 0o640) -> None:
    """Write a text file that appears whole."""
    with write_whole(path, mode=mode) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: object, *, mode: int = 0o640) -> None:
    """Write a JSON file that appears whole."""
    write_text(
        path, json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n", mode=mode
    )


def make_once(path: Path, content: object) -> bool:
    """Make a whole, durable JSON file that nobody can have made before; return whether we have.

    A name that is taken leaves that file as it is.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("x", encoding="utf-8") as written:
            written.write(json_text(content))
            written.flush()
            os.fsync(written.fileno())
        temporary.chmod(0o640)
        try:
            os.link(temporary, path)
        except FileExistsError:
            # open(2): NFS may say so of the link that it has just made; the count of links does not lie
            if temporary.stat().st_nlink != 2:
                return False
        sync_directory(path.parent)
        return True
    finally:
        temporary.unlink(missing_ok=True)


def json_text(content: object) -> str:
    """Return JSON as every file of a run has it: the same content is the same bytes."""
    return json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n"


def read_json(path: Path) -> Any:
    """Return the content of a JSON file, or say in one line why not."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            Problem(
                field=path.name,
                got="nothing",
                limit="the file is needed",
                where=str(path.parent),
                fix="is this the right directory?",
            )
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            Problem(
                field=path.name,
                got=f"broken JSON ({error})",
                limit="the file must be whole",
                where=str(path.parent),
            )
        ) from error


@dataclass(frozen=True)
class Event:
    """One thing that happened, as one file of `events/`."""

    what: str
    time_ns: int
    facts: dict[str, Any]


@dataclass(frozen=True)
class RunDir:
    """Paths, events and the small files of one run."""

    path: Path

    @property
    def name(self) -> str:
        """The run's name: `<yyyymmdd-hhmmss>-<kind>-<6 hex>`."""
        return self.path.name

    @property
    def config(self) -> Path:
        """The resolved, complete config."""
        return self.path / "config.yaml"

    @property
    def inputs(self) -> Path:
        """Copies of what the node needs of cluster and data: cluster, card, manifest, grant."""
        return self.path / "inputs"

    @property
    def manifest(self) -> Path:
        """The job digest and what it is made of."""
        return self.path / "manifest.json"

    @property
    def code(self) -> Path:
        """The sealed code; the job runs from here."""
        return self.path / "code"

    @property
    def job(self) -> Path:
        """What belongs to this run only: its name, place and command line; in no digest."""
        return self.path / "job.json"

    @property
    def logs(self) -> Path:
        """Standard output and error of the batch step and of the ranks."""
        return self.path / "logs"

    @property
    def metrics(self) -> Path:
        """One JSON object a line, by rank 0."""
        return self.path / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        """One directory a step, renamed into place when whole."""
        return self.path / "checkpoints"

    @property
    def output(self) -> Path:
        """What the workload leaves: model/, evaluation.json and the like."""
        return self.path / "output"

    @property
    def result(self) -> Path:
        """Written last, and only by a job that ended well."""
        return self.path / "result.json"

    def event(self, what: str, **facts: object) -> Path:
        """Append one event. The file is made with O_EXCL, so no writer can overwrite another's."""
        folder = self.path / "events"
        folder.mkdir(exist_ok=True)
        now = time.time_ns()
        # the name's number orders: a clock that was set back must not put the new before the old
        order = max([now, *(_order(path) + 1 for path in folder.glob("*.json"))])
        path = folder / f"{order}-{what}-{secrets.token_hex(3)}.json"
        content = json.dumps(
            {"what": what, "time_ns": now, "facts": facts}, sort_keys=True, default=str
        )
        temporary = folder / f".{path.name}.part"
        try:
            with temporary.open("x", encoding="utf-8") as written:
                written.write(content + "\n")
                written.flush()
                os.fsync(written.fileno())
            os.link(
                temporary, path
            )  # link(2) refuses an existing name where rename(2) would replace it
        finally:
            temporary.unlink(missing_ok=True)
        return path

    def count(self, what: str) -> int:
        """Return how many events of one word there are: by their names, without opening a file."""
        try:
            return sum(_is_of(name, what) for name in os.listdir(self.path / "events"))  # noqa: PTH208 - as below
        except FileNotFoundError:
            return 0

    def events(self, what: str | None = None) -> list[Event]:
        """Return the events in the order in which they were appended, all or those of one word."""
        folder = self.path / "events"
        try:
            # a thousand runs are listed at once, and pathlib's glob costs ten times as much
            names = os.listdir(folder)  # noqa: PTH208
        except FileNotFoundError:
            return []
        found = []
        for name in sorted((n for n in names if _is_of(n, what)), key=_number):
            try:
                content = json.loads((folder / name).read_text(encoding="utf-8"))
                found.append(Event(content["what"], content["time_ns"], content["facts"]))
            except (ValueError, LookupError, TypeError):
                continue  # cut by a machine that went down: it says nothing
        return found


def _order(path: Path) -> int:
    return _number(path.name)


def _number(name: str) -> int:
    number = name.partition("-")[0]
    return int(number) if number.isdigit() else 0


def _is_of(name: str, what: str | None) -> bool:
    """Whether a name is that of an event of this word: `<number>-<word>-<hex>.json`."""
    if name.startswith(".") or not name.endswith(".json"):
        return False
    return what is None or name.partition("-")[2].rpartition("-")[0] == what


def new_name(kind: str) -> str:
    """Return a fresh run name."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{kind}-{secrets.token_hex(3)}"
