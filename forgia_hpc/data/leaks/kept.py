"""The reports that are kept: one a version of a dataset, beside the datasets; a sealed one is never changed."""

from __future__ import annotations

from pathlib import Path

from forgia_hpc.rundir import read_json

FORMAT = "forgia.leaks/1"


def kept_at(root: Path, version: str) -> Path:
    """Return where the report of a version is kept; root: where the datasets lie."""
    return root / ".leaks" / f"{version}.json"


def sentences(root: Path, version: str) -> list[str]:
    """Return what an evaluation says of leaks in the dataset of this version."""
    path = kept_at(root, version)
    content = read_json(path) if path.is_file() else {}
    if content.get("format") != FORMAT:
        return ["Not checked for copies of what it is judged on: forgia data leaks DATASET."]
    rows = content["contaminated"]
    return [
        f"Evaluation contaminated: {100 * row['share']:.2g} % of {row['contribution']}, {row['split']}, "
        f"has copies in the training data of {row['by']}."
        for row in rows
    ] or ["No copy of what it is judged on was found in the training data (forgia data leaks)."]
