"""Which checkpoints and models have seen a contribution: by their usage.json, else by the grant."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from forgia_hpc.data.access.usage import FILE, read_usage, seen
from forgia_hpc.errors import InputError, SealBrokenError
from forgia_hpc.rundir import read_json

_DEPTHS = ("", "*/", "*/*/")  # a run; a point of a sweep, one or two folders below


@dataclass(frozen=True, kw_only=True)
class Tainted:
    """One run whose checkpoints or model have seen what is withdrawn."""

    run: str
    checkpoints: tuple[int, ...]  # steps of those that have seen it
    clean: int | None  # the last checkpoint before; None: there is none
    model: bool  # an exported model has seen it too
    windows: int  # of it, in the last checkpoint or the model
    sure: bool  # False: no ledger of use there, only a grant that allowed it

    def as_json(self) -> dict[str, Any]:
        """Return it for --json."""
        return asdict(self)


def find_tainted(
    runs: Path, contribution: str, shards: Collection[str] | None = None
) -> list[Tainted]:
    """Return every run below a root that has seen the contribution, or only these shards of it."""
    found = []
    for depth in _DEPTHS:
        for grant in sorted(runs.glob(f"{depth}inputs/grant.json")):
            found += list(_of_run(grant.parent.parent, runs, contribution, shards))
    return found


def _of_run(
    run: Path, runs: Path, contribution: str, shards: Collection[str] | None
) -> Iterator[Tainted]:
    """Yield a run, and the points below it, if they have seen it."""
    allowed = _allows(run / "inputs" / "grant.json", contribution)
    for place in sorted(
        {one.parent for depth in _DEPTHS for one in run.glob(f"{depth}checkpoints")}
    ):
        steps = sorted(
            int(one.name) for one in (place / "checkpoints").iterdir() if one.name.isdigit()
        )
        counts = {
            step: _windows(place / "checkpoints" / str(step), contribution, shards)
            for step in steps
        }
        model = _windows(place / "output" / "model", contribution, shards)
        silent = [step for step, count in counts.items() if count is None] if allowed else []
        bad = [step for step in steps if counts[step] or step in silent]
        clean = [step for step in steps if step not in bad and step < min(bad, default=0)]
        if bad or model:
            yield Tainted(
                run=str(place.relative_to(runs)),
                checkpoints=tuple(bad),
                clean=max(clean, default=None),
                model=bool(model),
                windows=max([model or 0, *(count or 0 for count in counts.values())]),
                sure=not silent,
            )


def _windows(directory: Path, contribution: str, shards: Collection[str] | None) -> int | None:
    """Return how many of its windows a checkpoint or model has seen; None where no ledger tells."""
    if not (directory / FILE).is_file():
        return None
    try:
        content = read_usage(directory)
    except (InputError, SealBrokenError):
        return None
    return sum(
        one.windows
        for one in seen(content)
        if one.contribution == contribution and (shards is None or one.shard in shards)
    )


def _allows(path: Path, contribution: str) -> bool:
    """Return whether a grant lists a contribution; one that can't be read might."""
    try:
        entries = read_json(path)["contributions"]
    except (InputError, LookupError, TypeError):
        return True
    return any(entry["contribution"] == contribution for entry in entries)


def find_wrapped(runs: Path, key_ids: Collection[str], people: Collection[str] = ()) -> list[Path]:
    """Return the grants below a root that still hold a wrap of one of these data keys.

    people: public lines; grants that others have signed are left out.
    """
    wanted, found = set(key_ids), []
    for depth in _DEPTHS:
        for path in sorted(runs.glob(f"{depth}inputs/grant.json")):
            try:
                grant = read_json(path)
                held = wanted & set(grant.get("wrapped_keys", {}))
                by = grant.get("signature", {}).get("by", "")
            except (InputError, AttributeError):
                continue
            if held and (not by or not people or by in people):
                found.append(path)
    return found
