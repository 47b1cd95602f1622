"""What the command line has taken from an ensemble's file without a word: an input's scale, or its steps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omegaconf import OmegaConf

from forgia_hpc.config.compose import compose_config
from forgia_hpc.config.spelling import key_of
from forgia_hpc.errors import Problem
from forgia_hpc.schema.job import Kind, SimulateJob

_RANGE = re.compile(r"\+*ensemble\.inputs\.[^.=]+=\s*\{")
_KEPT = ("scale", "steps")  # words beside a range's ends


def lost_words(job: SimulateJob, words: Sequence[str]) -> list[Problem]:
    """Return a warning for each input whose range in braces lacks words that the file says of it."""
    asked = [word for word in words if _RANGE.match(word)]
    if not asked:
        return []
    others = [word for word in words if not key_of(word).startswith("ensemble.inputs")]
    file: Any = OmegaConf.to_container(compose_config(Kind.simulate, others).ensemble.inputs)
    return [one for word in asked for one in _lost(key_of(word), job.ensemble.inputs, file)]


def _lost(key: str, now: Mapping[str, object], file: Mapping[object, object]) -> Iterator[Problem]:
    name = key.rpartition(".")[2]
    new, old = now.get(name), file.get(name)
    if not isinstance(new, Mapping) or not isinstance(old, Mapping) or "values" in new:
        return
    if gone := [f"{word}: {old[word]}" for word in _KEPT if word in old and word not in new]:
        limit = f"what is in braces stands alone: the file's {', '.join(gone)} is not taken over"
        fix = "say it again if it is meant"
        yield Problem(field=key, got=dict(new), limit=limit, fix=fix)
