"""A way of a comparison in a process of its own: one JSON line of facts, then one for each line it gets."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self


class Served:
    """The process of a way, and what its passes took."""

    def __init__(
        self, name: str, words: Sequence[str | Path], given: Mapping[str, str] | None = None
    ) -> None:
        """Start it, with these environment variables instead of ours if there are any."""
        self.name = name
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=given
        )
        self.facts: dict[str, Any] = {}
        self.passes: list[dict[str, float]] = []

    def ready(self) -> None:
        """Wait for its facts: it has started, and compared what it gives.

        Raises:
            RuntimeError: it ended instead.
        """
        self.facts = self._answer()

    def do(self, word: object) -> None:
        """Have it do one pass of so much; RuntimeError if it ended instead."""
        assert self.process.stdin
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        self.passes.append(self._answer())

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with {self.process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it: its stdin ends. One that does not is killed."""
        assert self.process.stdin
        self.process.stdin.close()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
