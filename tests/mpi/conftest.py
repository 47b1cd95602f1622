"""Each rank its own root for pytest's temporary directories: two that tidy up one root trip over each other."""

from __future__ import annotations

import os
import tempfile

rank = os.environ.get("OMPI_COMM_WORLD_RANK")
if rank is not None:
    os.environ["PYTEST_DEBUG_TEMPROOT"] = tempfile.mkdtemp(prefix=f"forgia-rank-{rank}-")
