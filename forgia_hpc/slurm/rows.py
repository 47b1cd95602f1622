"""The lines of squeue and sacct on jobs; inside of `asked_once` all questions share one squeue and one sacct."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

Row = list[str]
Ask = Callable[[Sequence[str]], list[Row]]
# the name last: it may hold a bar
QUEUE = "%i|%T|%r|%N|%S|%j"
ACCOUNTS = "JobID,State,ExitCode,NodeList,ElapsedRaw,TimelimitRaw,JobName"


@dataclass
class _Together:
    """The jobs that are asked for together, by Slurm, and what has been said so far."""

    jobs: dict[str, list[str]]
    said: dict[tuple[str, str], list[Row]] = field(default_factory=dict)


_NOW: list[_Together] = []


@contextlib.contextmanager
def asked_once(jobs: Mapping[str, Sequence[str]]) -> Iterator[None]:
    """Answer all questions on these jobs from one squeue and one sacct, asked when the first needs it.

    jobs: ids by the environment of their Slurm, as `key_of` writes it. Other jobs are asked for as ever.
    """
    _NOW.append(_Together({key: list(dict.fromkeys(ids)) for key, ids in jobs.items()}))
    try:
        yield
    finally:
        _NOW.pop()


def key_of(environment: Mapping[str, str]) -> str:
    """Return what tells one Slurm from another."""
    return repr(sorted(environment.items()))


def rows(
    program: str, job_ids: Sequence[str], environment: Mapping[str, str], ask: Ask
) -> list[Row]:
    """Return the lines of a program on these jobs, tasks of arrays among them; `ask` runs it."""
    key, now = key_of(environment), _NOW[-1] if _NOW else None
    covered = now.jobs.get(key, []) if now else []
    if now is None or not set(job_ids) <= set(covered):
        return ask(job_ids)
    if (program, key) not in now.said:
        now.said[program, key] = ask(covered)
    wanted = set(job_ids)
    return [row for row in now.said[program, key] if row[0].partition("_")[0] in wanted]
