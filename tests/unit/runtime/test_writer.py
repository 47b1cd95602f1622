from __future__ import annotations

import errno
import hashlib
import io
from pathlib import Path

import torch

from forgia_hpc.runtime.writer import Writer


def test_what_torch_saves_is_hashed_as_it_passes(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    state = {"weights": torch.arange(100_000.0), "step": 3}
    with writer.file(tmp_path / "state.pt") as opened:
        torch.save(state, opened)
    content = (tmp_path / "state.pt").read_bytes()
    assert writer.files == {
        "state.pt": {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    }
    loaded = torch.load(io.BytesIO(content), weights_only=True)
    assert torch.equal(loaded["weights"], state["weights"])


def test_an_error_is_kept_and_the_format_code_ends_in_peace(tmp_path: Path) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    writer = Writer(tmp_path)
    with writer.keeping(), (tmp_path / "full").open("wb") as full:
        full.write(b"x")
    assert writer.error is not None
    assert writer.error.errno == errno.ENOSPC
    with writer.file(tmp_path / "later.pt") as opened:
        torch.save({"weights": torch.zeros(10)}, opened)
    assert writer.files == {}


def test_a_directory_that_is_not_there_is_an_error_that_is_kept(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    with writer.file(tmp_path / "missing" / "state.pt") as opened:
        opened.write(b"x")
    assert writer.error is not None
    assert writer.files == {}
