"""Whose process this is: what a hold names as its holder."""

from __future__ import annotations

import os
import pwd
from typing import Any

from forgia_hpc.jobs.submission import start_ticks


def user_name(uid: int | None = None) -> str:
    """Return whose process this is, by the system and not by $USER, which anybody can set."""
    number = os.getuid() if uid is None else uid
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # a container may not know its user
        return str(number)


def myself() -> dict[str, Any]:
    """Return the identity of this process."""
    pid = os.getpid()
    return {"host": os.uname().nodename, "pid": pid, "start_ticks": start_ticks(pid)}
