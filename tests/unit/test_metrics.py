from pathlib import Path

import pytest

from forgia_hpc.metrics import TAIL_BYTES, MetricsFile, last_row, read_metrics


def test_the_last_row_is_that_of_all_rows(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    assert last_row(path) is None
    with MetricsFile(path) as file:
        for step in range(1, 400):
            file.append(step, loss=1 / step, note="x" * (step % 70))
    assert path.stat().st_size > TAIL_BYTES
    assert last_row(path) == read_metrics(path)[-1]


def test_a_torn_last_line_is_passed_over_and_a_foreign_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "loss": 2}\n{"step": 2, "lo')
    assert last_row(path) == {"step": 1, "loss": 2}
    path.write_text('{"step": 1}\n"hello"\n')
    with pytest.raises(ValueError, match="hello"):
        last_row(path)
