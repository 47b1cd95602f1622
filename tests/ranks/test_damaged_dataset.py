"""A rerun over a dataset that is not what was sealed: it says so, and leaves everything as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.campaign.bed import Bed, ended, lines, log

from forgia_hpc.errors import ExitCode, InputError

pytestmark = pytest.mark.ranks

WORDS = ("ensemble.members=8", "ensemble.shard_members=4", "resources.ranks_per_node=1")
FIX = "bring the file back from a copy, or put that directory away"


def test_a_rerun_does_not_vouch_for_a_shard_with_other_bytes(tmp_path: Path) -> None:
    """Nothing is to be computed and nothing to be sealed: the dataset is read all the same."""
    bed = Bed(tmp_path)
    first = bed.seal(*WORDS)
    assert ended(first) == ExitCode.OK, log(first)
    shard = next(path for path in sorted(bed.data.rglob("*.h5")))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    before = bed.bytes()
    again = bed.seal(*WORDS)
    assert ended(again) == ExitCode.SEAL_BROKEN, log(again)
    why = again.events("batch_ended")[-1].facts["why"]
    assert f"{shard}: altered: its SHA-256 is not the sealed one; nothing was overwritten" in why
    assert FIX in why
    assert bed.bytes() == before


def test_a_rerun_without_a_shard_begins_nothing(tmp_path: Path) -> None:
    bed = Bed(tmp_path)
    first = bed.seal(*WORDS)
    assert ended(first) == ExitCode.OK, log(first)
    again = bed.seal(*WORDS)
    shard = next(path for path in sorted(bed.data.rglob("*.h5")))
    shard.unlink()  # the login wing has not seen it, and the node does
    before = bed.bytes()
    assert ended(again) == ExitCode.SEAL_BROKEN, log(again)
    why = again.events("batch_ended")[-1].facts["why"]
    assert f"{shard}: missing (half-copied?); nothing was overwritten" in why
    assert FIX in why
    assert not list(lines(again, "begun"))
    assert bed.bytes() == before
    with pytest.raises(InputError, match="missing"):
        bed.seal(*WORDS)
