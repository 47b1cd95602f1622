"""Rows of channels in several sources: any part equals the same part of the whole."""

import numpy as np
import pytest

from forgia_hpc.data.ingest.split import SEGMENT_BYTES, most_steps
from forgia_hpc.data.ingest.stack import Placed, Stack

RNG = np.random.default_rng(0)
SOURCES = [RNG.normal(size=(2, rows)) for rows in (5, 1, 0, 7)]
WHOLE = np.concatenate(SOURCES, axis=1)
KEEP = np.array([0, 2, 1, 5, 6, 8, 12])
LATE, TARGET = np.array([3, 9, 10]), np.array([1, 5, 5])


@pytest.mark.parametrize("begin", range(13))
def test_a_part_is_that_part_of_the_whole(begin):
    stack = Stack(SOURCES)
    for end in range(begin, 14):
        np.testing.assert_array_equal(stack.between(1, begin, end), WHOLE[1, begin:end])


@pytest.mark.parametrize("mean", [None, (LATE, TARGET)])
def test_a_part_of_kept_rows_has_their_means_too(mean):
    stack = Stack(SOURCES, KEEP, mean)
    whole = WHOLE[0][KEEP]
    if mean:
        whole[1] = (WHOLE[0][2] + WHOLE[0][3]) / 2
        whole[5] = WHOLE[0][[8, 9, 10]].mean()
    for begin in range(len(KEEP)):
        for end in range(begin, len(KEEP) + 1):
            np.testing.assert_allclose(stack.between(0, begin, end), whole[begin:end])
    assert stack.finite() == 2 * len(KEEP)


def test_rows_without_gaps_need_no_list_of_their_steps():
    even = Placed(Stack(SOURCES), slice(0, 13), range(13), 0, 13)
    listed = Placed(Stack(SOURCES), slice(0, 13), np.arange(13), 0, 13)
    for begin, end in ((0, 13), (4, 9), (9, 13), (2, 2)):
        part = even[:, begin:end]
        assert part.shape == (2, end - begin)
        np.testing.assert_array_equal(np.asarray(part), np.asarray(listed[:, begin:end]))
        np.testing.assert_array_equal(np.asarray(part[:, 1:3]), WHOLE[:, begin:end][:, 1:3])


def test_no_segment_is_longer_than_memory_should_hold():
    for channels in (1, 10, 1600):
        assert 4 * channels * most_steps(channels) <= SEGMENT_BYTES
    assert most_steps(SEGMENT_BYTES) == 1
