"""Find the usage.json of a run, a checkpoint or a model, and check that it is what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from forgia_hpc.data.access.usage import FILE, read_sealed_usage
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.jobs.find import find_run
from forgia_hpc.jobs.roots import roots


def usage_of(what: str) -> tuple[Path, dict[str, Any]]:
    """Return where use is told, and what: of a checkpoint, a model, or a run (its model's, else its newest).

    Raises:
        InputError: it has none yet.
        SealBrokenError: usage.json is not what was written.
    """
    path = Path(what).expanduser()
    directory = path.resolve() if (path / FILE).is_file() else _newest(what)
    return directory, read_sealed_usage(directory)


def _newest(what: str) -> Path:
    run = find_run(what, roots()[0])
    steps = sorted((int(one.name) for one in run.checkpoints.glob("[0-9]*")), reverse=True)
    places = [run.output / "model", *(run.checkpoints / str(step) for step in steps)]
    found = next((place for place in places if (place / FILE).is_file()), None)
    if found is None:
        limit, fix = "it has neither a model nor a checkpoint yet", "forgia status"
        raise InputError(Problem(field="run", got=what, limit=limit, where=str(run.path), fix=fix))
    return found
