"""Which channels a job reads: inputs only, and of these the ones that `data.select` names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.data.index import Index
from forgia_hpc.data.writing.admission import INPUT_ROLES
from forgia_hpc.errors import InputError, Problem, nearest
from forgia_hpc.schema.data import Data


def chosen_channels(index: Index, data: Data) -> NDArray[np.bool_]:
    """Return (channel,) which of a contribution's channels are read; by name or by semantic id."""
    asked = set(data.select)
    return np.array(
        [
            one.channel.role in INPUT_ROLES
            and (not asked or one.channel.name in asked or one.channel.semantic_id in asked)
            for one in index.channels
        ],
        np.bool_,
    )


def check_selection(indexes: Sequence[Index], data: Data) -> None:
    """Refuse a word of data.select that no contribution knows; a contribution may lack some.

    Raises:
        InputError: every such word.

    """
    inputs = [
        one.channel
        for index in indexes
        for one in index.channels
        if one.channel.role in INPUT_ROLES
    ]
    known = {one.name for one in inputs} | {one.semantic_id for one in inputs}
    problems = [
        Problem(
            field="data.select",
            got=word,
            limit="no input channel has this name or semantic id",
            fix=nearest(word, known, "forgia data info names the channels"),
        )
        for word in data.select
        if word not in known
    ]
    if problems:
        raise InputError(problems)
