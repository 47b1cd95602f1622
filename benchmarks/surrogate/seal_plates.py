"""Seal 112 plates (2-D heat at 64 x 64, tests/fakes/heat.py), 16 of them held out: `seal_plates.py DATA`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from fakes.heat import plates
from fakes.simulated import field_card

from forgia_hpc.data.fields.writer import seal_fields

if __name__ == "__main__":
    seal_fields(plates(112, 16), field_card("plates"), Path(sys.argv[1]) / "plates")
