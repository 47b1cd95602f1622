"""Rows that were copied: where rows have no time of their own, only their values can tell."""

from __future__ import annotations

import numpy as np

from forgia_hpc.data.ingest.stack import Stack, Steps

MANY = 8  # so many channels never take the same values twice, unless a block of lines was copied
_ODD = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))


def repeated_rows(stack: Stack) -> Steps:
    """Return the rows equal to the row before, or, where a chance is ruled out, to any earlier row."""
    channels, steps = stack.shape
    if channels < 2:
        return np.zeros(0, dtype=np.int64)  # one quiet sensor repeats itself
    if channels < MANY:
        same = np.ones(max(steps - 1, 0), bool)
        for number in range(channels):
            left, right = (row := stack.channel(number))[:-1], row[1:]
            same &= (left == right) | (np.isnan(left) & np.isnan(right))
        return np.flatnonzero(same) + 1
    marks = np.zeros((steps, 2), np.uint64)  # 128 bits a row: two rows do not share them by chance
    for number in range(channels):
        bits = np.where(np.isnan(row := stack.channel(number)), np.nan, row + 0.0).view(np.uint64)
        for side, odd in enumerate(_ODD):
            marks[:, side] = (marks[:, side] ^ bits ^ (bits >> np.uint64(29 + side))) * odd
            marks[:, side] ^= marks[:, side] >> np.uint64(32)
    _, first = np.unique(marks.view("u8,u8")[:, 0], return_index=True)
    return np.setdiff1d(np.arange(steps), first)
