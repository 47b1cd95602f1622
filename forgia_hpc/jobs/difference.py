"""What two runs have not in common: config, cluster, data, code, environment. Read from the seals alone."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from forgia_hpc.digest import digest_of
from forgia_hpc.errors import SealBrokenError
from forgia_hpc.jobs.commit import sealed_commit, source_line
from forgia_hpc.rundir import RunDir, read_json

SECTIONS = ("config", "start", "cluster", "data", "code", "environment")
_INPUTS = {
    "data": (
        "card.yaml",
        "manifest.json",
        "grant.json",
        "model.json",
        "prepare.json",
        "members.json",
    )
}


@dataclass(frozen=True)
class Difference:
    """One thing that differs; None: it is not there."""

    section: str
    key: str
    left: object
    right: object


def differences(left: RunDir, right: RunDir) -> list[Difference]:
    """Return everything that differs between two sealed runs, section by section.

    Raises:
        SealBrokenError: a run whose seal can't be read.
    """
    ours, theirs = _facts(left), _facts(right)
    found = [one for name in SECTIONS for one in _of_section(name, ours[name], theirs[name])]
    commits = [source_line(sealed_commit(run)) for run in (left, right)]
    # only beside code that differs: the same files are the same job, of whatever commit
    if commits[0] != commits[1] and any(one.section == "code" for one in found):
        named = Difference("code", "source (git)", commits[0] or None, commits[1] or None)
        found.insert(next(i for i, one in enumerate(found) if one.section == "code"), named)
    return found


def code_diff(left: RunDir, right: RunDir, place: str) -> Iterator[str]:
    """Yield the unified diff of one file under code/."""
    before, after = (_lines(run.code / place) for run in (left, right))
    names = (f"{run.name}/code/{place}" for run in (left, right))
    yield from difflib.unified_diff(before, after, next(names), next(names), lineterm="")


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        return []
    content = path.read_bytes()
    if b"\0" in content:
        return [f"(binary, {len(content)} bytes)"]
    return content.decode("utf-8", errors="replace").splitlines()


def _of_section(
    section: str, left: Mapping[str, Any], right: Mapping[str, Any]
) -> list[Difference]:
    keys = sorted({*left, *right})
    return [
        Difference(section, key, left.get(key), right.get(key))
        for key in keys
        if left.get(key) != right.get(key)
    ]


def _facts(run: RunDir) -> dict[str, dict[str, Any]]:
    """Return the facts of each section, flat: dotted key → value."""
    try:
        seal = read_json(run.manifest)
        return {
            "config": flat(_yaml(run.config)),
            "start": flat({key: seal["start"][key] for key in ("launch", "accelerator", "slurm")}),
            "cluster": flat(_yaml(run.inputs / "cluster.yaml")),
            "data": _data(run),
            "code": seal["code"],
            "environment": _environment(seal["environment"]),
        }
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError) as error:
        raise SealBrokenError(f"{run.path}: its seal can't be read: {error!r}") from error


def _data(run: RunDir) -> dict[str, Any]:
    """Return what the job reads, without the index of every shard: digests say it shorter."""
    found: dict[str, Any] = {}
    for name in _INPUTS["data"]:
        path = run.inputs / name
        if path.exists():
            content = _yaml(path) if path.suffix == ".yaml" else read_json(path)
            if (
                name == "members.json"
            ):  # what they were drawn from says it shorter than ten thousand of them
                content["members"] = digest_of(content["members"])
            found |= {f"{path.stem}.{key}": value for key, value in flat(content).items()}
    return found


def _environment(facts: Mapping[str, Any]) -> dict[str, Any]:
    packages = {
        name: f"{entry['version']} (RECORD {str(entry['record'])[:12]})"
        for name, entry in facts["packages"].items()
    }
    return {"python": facts["python"], "machine": facts["machine"], **packages}


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def flat(content: Any, at: str = "") -> dict[str, Any]:
    """Return nested mappings and lists as dotted keys; an empty one stays a value."""
    pairs = content.items() if isinstance(content, dict) else enumerate(content)
    found: dict[str, Any] = {}
    for key, value in pairs:
        here = f"{at}.{key}" if at else str(key)
        if isinstance(value, dict | list) and value:
            found |= flat(value, here)
        else:
            found[here] = value
    return found
