"""The table of `forgia results`: what is the same in all points is told once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from forgia_hpc.cli.results import constant


@dataclass
class Row:
    cells: dict[str, Any]

    def cell(self, name: str) -> Any:
        return self.cells.get(name)


@dataclass
class Table:
    rows: list[Row]


def test_what_all_points_share_is_no_column() -> None:
    rows = [Row({"lr": lr, "epochs": 3, "skill": None}) for lr in (0.1, 0.2)]
    names = ["lr", "epochs", "skill"]
    assert constant(Table(rows), names) == {"epochs": 3}  # type: ignore[arg-type]
    assert constant(Table(rows[:1]), names) == {}  # type: ignore[arg-type]
