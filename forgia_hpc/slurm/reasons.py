"""Why a job waits, in plain words: the reason that squeue gives, and what a person can do about it.

The words are those of squeue(1), JOB REASON CODES, and of what Slurm 22.05 was seen to say.
"""

from __future__ import annotations

import re

_PLAIN = {
    "None": "",
    "Priority": "jobs of higher priority are ahead",
    "Resources": "the nodes it needs are busy",
    "Dependency": "it waits for another job",
    "DependencyNeverSatisfied": "the job it waits for did not succeed: it never starts; forgia cancel",
    "BeginTime": "held until its begin time (two minutes after a requeue)",
    "JobHeldUser": "held by its owner",
    "JobHeldAdmin": "held by an operator, who alone can release it: ask the cluster's support",
    "ReqNodeNotAvail": "a node that it needs is down, drained or reserved",
    "Reservation": "it waits for its reservation",
    "Licenses": "a licence that it needs is taken",
    "NodeDown": "a node that it needs is down",
    "PartitionDown": "the partition takes no jobs now",
    "PartitionInactive": "the partition is inactive",
    "PartitionNodeLimit": "more nodes than the partition allows: it never starts",
    "PartitionConfig": "the partition cannot give what it asks, as it is set now: it never starts",
    "PartitionTimeLimit": "longer than the partition allows: it never starts",
    "BadConstraints": "no node can give what it asks: it never starts",
    "Cleaning": "its last attempt is being cleaned up",
    "JobArrayTaskLimit": "as many points run as were allowed at once",
    "Prolog": "its nodes are being prepared",
    "InvalidAccount": "the account is not valid here: it never starts",
    "InvalidQOS": "the QOS is not valid here: it never starts",
    "launch failed requeued held": "its start failed on a node, and Slurm holds it",
    "job requeued in held state": "requeued, and held by who asked for that",
    "JobHoldMaxRequeue": "requeued too often, and Slurm holds it",
}
_HELD = {"JobHeldUser", "JobHoldMaxRequeue", "job requeued in held state"}
_LIMIT = re.compile(r"(?P<whose>QOS|Assoc)(?P<scope>Grp|Max)(?P<what>\w+)")
_OVER = {
    "WallDurationPerJob": "longer than the {whose} allows: it never starts",
    "NodePerJob": "more nodes than the {whose} allows: it never starts",
    "CpuPerJob": "more cores than the {whose} allows: it never starts",
    "MemoryPerJob": "more memory than the {whose} allows: it never starts",
    "GRESPerJob": "more GPUs than the {whose} allows: it never starts",
}
_ENDS = ("Limit", "PerUserLimit", "PerAccountLimit", "PerUser", "PerAccount")


def in_words(reason: str) -> str:
    """Return the reason as a sentence with Slurm's own word behind it; an unknown one stays as it is."""
    word = reason.partition(",")[0].strip("()")
    plain = _PLAIN.get(word)
    if plain is None:
        plain = _limit(word)
    if plain is None:
        return reason
    return f"{plain} ({reason})" if plain else ""


def never_starts(reason: str) -> bool:
    """Whether a job with this reason waits for ever unless somebody changes something."""
    return "never starts" in in_words(reason)


def is_held(reason: str) -> bool:
    """Whether a waiting job does not start before its owner releases it; what an operator holds he can't."""
    word = reason.replace("_", " ")  # as scontrol writes it
    return word in _HELD or word.endswith("requeued held")


def _limit(word: str) -> str | None:
    """Return the words of QOSMax…, QOSGrp…, AssocMax… and AssocGrp… limits."""
    found = _LIMIT.match(word)
    if not found:
        return None
    whose = "QOS" if found["whose"] == "QOS" else "account"
    what = found["what"]
    over = next((text for key, text in _OVER.items() if what.startswith(key)), None)
    if over:
        return over.format(whose=whose)
    if "Minutes" in what or "RunMin" in what:
        return f"the {whose} has no hours left for it"
    subject = re.sub("|".join(sorted(_ENDS, key=len, reverse=True)), "", what)
    named = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", subject).lower() or "jobs"
    return f"the {whose}'s limit of {named} is used up by other jobs"
