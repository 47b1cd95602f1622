"""A slurm.conf that is gone is told at once: Slurm's own commands look for it for a minute each."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from forgia_hpc.errors import InputError, SlurmSilentError
from forgia_hpc.slurm.conf import missing_conf
from forgia_hpc.slurm.executor import require_slurm
from forgia_hpc.slurm.state import ask


def test_a_conf_that_is_gone_is_told_at_once(tmp_path: Path) -> None:
    gone = {"SLURM_CONF": str(tmp_path / "slurm.conf")}
    begun = time.monotonic()
    with pytest.raises(SlurmSilentError, match="there is no"):
        ask(["squeue"], gone)
    with pytest.raises(InputError, match="there is no"):
        require_slurm(gone)
    assert time.monotonic() - begun < 1
    (tmp_path / "slurm.conf").touch()
    assert missing_conf(gone) is None
    assert missing_conf({}) is None
