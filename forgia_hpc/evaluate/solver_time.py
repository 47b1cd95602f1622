"""What a simulation took its solver: told by the campaign that made the data, if its run lies beside the judge's.

A dataset does not hold it, for its bytes must not hang on the day; its version leads back to the campaign.
"""

from __future__ import annotations

from forgia_hpc.errors import InputError
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.schema.job import Kind

_ACCOUNTS = f"*-{Kind.simulate.value}-*/output/campaign/campaign.json"


def member_seconds(run: RunDir, version: str) -> float | None:
    """Return the median seconds of a member in the newest campaign that solved a version; None: none."""
    for path in sorted(run.path.parent.glob(_ACCOUNTS), reverse=True):
        try:
            told = read_json(path)
        except InputError:
            continue  # a run that housekeeping has just taken away, or someone else's
        median = told.get("member_s", {}).get("median") if told.get("version") == version else None
        if isinstance(median, int | float):
            return float(median)
    return None
