"""Work of the first rank whose outcome all ranks share: they go on together, or fail together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from forgia_hpc.errors import InputError, Problem, StoppedError
from forgia_hpc.simulate.communicator import Communicator
from forgia_hpc.simulate.member import MemberError


def on_root(ranks: Communicator, work: Callable[[], None]) -> None:
    """Do `work` on the first rank; what it raises, every rank raises.

    Raises:
        MemberError, InputError, StoppedError: as `work` did.
    """
    trouble: tuple[str, Any] | None = None
    if ranks.rank == 0:
        trouble = _trouble(work)
    trouble = ranks.bcast(trouble)
    if trouble is None:
        return
    what, facts = trouble
    if what == "member":
        raise MemberError(*facts)
    if what == "stopped":
        raise StoppedError(facts)
    raise InputError([Problem(**one) for one in facts])


def _trouble(work: Callable[[], None]) -> tuple[str, Any] | None:
    try:
        work()
    except MemberError as error:
        return "member", (error.kind, error.why)
    except StoppedError as error:
        return "stopped", str(error)
    except InputError as error:
        return "input", [asdict(problem) for problem in error.problems]
    return None
