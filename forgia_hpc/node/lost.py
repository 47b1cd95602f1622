"""An earlier attempt that left no last word: fenced off, because it may live, and what shows how it was lost.

slurmctld gives a node up whose slurmd is silent, and starts the job again elsewhere; the processes of the old
start may go on all the same, since nobody is left there to end them.
"""

from __future__ import annotations

from forgia_hpc import process
from forgia_hpc.errors import SlurmSilentError
from forgia_hpc.node.deadline import GIVEN_UP
from forgia_hpc.node.evidence import facts_of
from forgia_hpc.node.progress import Start
from forgia_hpc.rundir import Event, RunDir, write_text
from forgia_hpc.runtime.stop import SUPERSEDED, stop_file
from forgia_hpc.slurm.control import SlurmRefusedError, is_gone, node_words


def take_over(run: RunDir, attempt: int) -> None:
    """Tell every earlier attempt without a last word to leave, and note what shows how the newest was lost."""
    ended = {event.facts.get("attempt") for event in run.events("batch_ended")}
    earlier = [one for one in run.events("batch_started") if one.facts["attempt"] < attempt]
    lost = [one for one in earlier if one.facts["attempt"] not in ended]
    for one in lost:
        _fence(run, one.facts["attempt"])
    if lost and lost[-1] is earlier[-1]:
        run.event("attempt_lost", **_evidence(lost[-1]))


def given_up(start: Start) -> bool:
    """Whether slurmctld has lost this node: its srun then ends, with 0 even, and leaves the ranks alive.

    They are told to leave. Asked only where the ranks have failed.
    """
    try:
        facts = facts_of(start.job)
    except SlurmSilentError:
        return False
    if facts is None or not (facts.state in GIVEN_UP or facts.restarts > start.restarts):
        return False
    _fence(start.run, start.attempt)
    return True


def _fence(run: RunDir, attempt: int) -> None:
    flag = stop_file(run, attempt)
    flag.parent.mkdir(exist_ok=True)
    write_text(flag, f"{SUPERSEDED}\n")


def failed_nodes(run: RunDir) -> list[str]:
    """Return which nodes of the newest attempt slurmctld has lost."""
    begun = run.events("batch_started")
    states = _states(begun[-1]) if begun else {}
    return [name for name, words in states.items() if is_gone(words)]


def _evidence(begun: Event) -> dict[str, object]:
    """Return what Slurm says now of the nodes that the lost attempt had."""
    nodes = begun.facts.get("nodes") or begun.facts["node"]
    states = _states(begun)
    told = {"attempt": begun.facts["attempt"], "nodes": nodes}
    return {**told, "node_states": states} if states else told


def _states(begun: Event) -> dict[str, str]:
    """Return state and reason of each node of an attempt; nothing outside of Slurm, or from a silent one."""
    nodes = begun.facts.get("nodes") or begun.facts.get("node")
    if not nodes or not begun.facts.get("job_id"):
        return {}
    try:
        return node_words(nodes, {})
    except (SlurmSilentError, SlurmRefusedError, process.ProgramMissingError):
        return {}
