"""How an attempt ended, by our own record first and then by the launcher's words."""

from __future__ import annotations

import re
from typing import Any

from forgia_hpc.errors import ExitCode, InputError
from forgia_hpc.node.launch import Death, Ranks, spoken
from forgia_hpc.node.seal import cut_shards
from forgia_hpc.rundir import RunDir, read_json
from forgia_hpc.sweepdir import logs_of

_SIGBUS = re.compile("SIGBUS|Bus error")


def last_word(run: RunDir, attempt: int, code: int, ranks: Ranks) -> tuple[ExitCode, str]:
    """Return exit code and reason of an attempt whose launcher ended with `code`."""
    if code == 0:
        return _completed(run, attempt)
    failed = facts_of(run, "rank_failed", attempt)
    # srun's code is the highest of all ranks: a failed rank's 3 hides behind the 6 of those it took along
    if facts_of(run, "rank_stopped", attempt) and not failed and code == ExitCode.STOPPED:
        return ExitCode.STOPPED, "stopped when asked to"
    death = ranks.first_death()
    # the rank that died first may have left no word, and those that it took along did
    first = next((one for one in failed if death and one["rank"] == death.rank), None)
    if death and first is None and death.how != f"Exited with exit code {ExitCode.STOPPED}":
        return _died(run, death)
    if failed:
        return _code_of(first or failed[0]), _sentence(run, first or failed[0])
    launcher = (
        f"the launcher was {spoken(code)}" if code < 0 else f"the ranks ended with code {code}"
    )
    why = f"{launcher} and left no word; the launcher's log ends: {ranks.last_words()}"
    return ExitCode.JOB_FAILED, why


def facts_of(run: RunDir, what: str, attempt: int) -> list[dict[str, Any]]:
    """Return the facts of an attempt's events of one word."""
    return [each.facts for each in run.events(what) if each.facts.get("attempt") == attempt]


def _died(run: RunDir, death: Death) -> tuple[ExitCode, str]:
    where = f"rank {death.rank} on {death.node}"
    # a shard that is cut while it is mapped ends its reader without a word
    if _SIGBUS.search(death.how) and (cut := cut_shards(run)):
        return ExitCode.SEAL_BROKEN, f"{where}: {death.how}; cut while read: {'; '.join(cut)}"
    return ExitCode.JOB_FAILED, f"{where}: {death.how}; {logs_of(run, death.rank)}"


def _completed(run: RunDir, attempt: int) -> tuple[ExitCode, str]:
    try:
        result = read_json(run.result)
    except InputError as error:
        return ExitCode.JOB_FAILED, f"all ranks ended with 0 but left no valid result ({error})"
    if result.get("attempt") != attempt:
        why = "all ranks ended with 0 but result.json is of another attempt"
        return ExitCode.JOB_FAILED, why
    return ExitCode.OK, ""


def _sentence(run: RunDir, facts: dict[str, Any]) -> str:
    who = f"rank {facts['rank']} on {facts['node']}"
    return f"{who} failed: {facts['error']}; {logs_of(run, facts['rank'])}"


def _code_of(facts: dict[str, Any]) -> ExitCode:
    code = int(facts.get("exit_code", ExitCode.JOB_FAILED))
    known = (ExitCode.INPUT, ExitCode.SEAL_BROKEN)
    return ExitCode(code) if code in known else ExitCode.JOB_FAILED
