"""A receipt in words: for the terminal and for a section of a run's page."""

from __future__ import annotations

from typing import Any

from forgia_hpc.report.facts import RunFacts
from forgia_hpc.report.markup import Safe, tag
from forgia_hpc.report.sections import facts_table, section
from forgia_hpc.slurm.hints import clock
from forgia_hpc.slurm.receipt import intact

_WAITS = {
    "queue_s": "in the queue",
    "dependency_s": "for its predecessor",
    "requeue_hold_s": "held after a requeue",
    "begin_s": "for its start time",
    "array_limit_s": "for its array's limit",
    "held_s": "held",
    "other_s": "otherwise",
}
_BY = {"billing": "Slurm's billing figure", "rule": "the site's rule", "mixed": "rule and billing"}


def cost_section(facts: RunFacts) -> Safe | None:
    """Return what the run cost, if there is a receipt that nobody has changed."""
    if not intact(facts.receipt):
        return None
    table = facts_table("What the run cost and did", receipt_rows(facts.receipt))
    advice = [tag("li", line) for line in facts.receipt["hints"]]
    hint = facts.receipt["why"] or _by(facts.receipt)
    return section("cost", "Cost", hint, table, tag("ul", *advice) if advice else None)


def _by(one: dict[str, Any]) -> str:
    """Return whose word a receipt is that gives no reason of its own."""
    if one.get("standing") == "settled":
        return "Settled by Slurm's accounts."
    slurm = any(attempt.get("job_id") for attempt in one["attempts"])
    return "By its own record" + ("; not settled yet." if slurm else ": no Slurm.")


def receipt_rows(one: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the lines of a receipt: name and value."""
    rows = [
        ("billed", money(one["billed"])),
        ("attempts", _attempts(one["attempts"])),
        ("waited", waited(one["wait"])),
        ("computed", _computed(one["work"])),
        ("energy", power(one["energy"])),
        ("memory", _memory(one["memory"])),
        ("used", _used(one["efficiency"])),
    ]
    return [(name, value) for name, value in rows if value]


def money(cost: dict[str, Any] | None) -> str:
    """Return the bill in all units."""
    if cost is None:
        return "nothing: no Slurm"
    known = {"core-h": cost["core_h"], "node-h": cost["node_h"], "GPU-h": cost["gpu_h"]}
    rest = ", ".join(f"{v:.4g} {u}" for u, v in known.items() if v and u != cost["unit"])
    said = f"{cost['amount']:.6g} {cost['unit']}" + (f" ({rest})" if rest else "")
    return f"{said}, {cost.get('note') or 'by ' + _BY.get(cost['by'], cost['by'])}"


def power(spent: dict[str, Any]) -> str:
    """Return the energy with its bounds and source."""
    bounds = f"{spent['low_kwh']:.3g} to {spent['high_kwh']:.3g}"
    return f"{spent['kwh']:.3g} kWh ({bounds}); {spent['note']}"


def waited(wait: dict[str, Any]) -> str:
    """Return how long it waited, by cause."""
    if not wait["known"]:
        return "not known: no accounting yet"
    parts = [f"{clock(wait[key])} {words}" for key, words in _WAITS.items() if wait[key]]
    reasons = f" ({', '.join(wait['reasons'])})" if wait["reasons"] else ""
    return (", ".join(parts) or "not at all") + reasons


def _attempts(attempts: list[dict[str, Any]]) -> str:
    shown = [f"{one['state']} {clock(one['elapsed_s'])}" for one in attempts[:6]]
    more = len(attempts) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "") or "none"


def _computed(work: dict[str, Any]) -> str:
    useful = f"useful {clock(work['useful_s'])}"
    if not work["lost_s"]:
        return f"{useful}, nothing lost"
    steps = f" ({work['lost_steps']} steps)" if work["lost_steps"] else ""
    return f"{useful}, lost {clock(work['lost_s'])}{steps}"


def _memory(memory: dict[str, Any]) -> str:
    if memory["peak_process_gb"] is None:
        return ""
    held = f" of {memory['held_gb']:.4g} GB a node" if memory["held_gb"] else ""
    return f"{memory['peak_process_gb']:.3g} GB in the largest process{held}"


def _used(shares: dict[str, float | None]) -> str:
    return ", ".join(f"{name} {100 * s:.0f} %" for name, s in shares.items() if s is not None)
