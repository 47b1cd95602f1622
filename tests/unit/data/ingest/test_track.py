"""Clocks: order, repetitions, jitter, gaps; every one counted, every other refused."""

import numpy as np
import pyarrow as pa
import pytest

from forgia_hpc.data.ingest.clock import offset_ns, read_times
from forgia_hpc.data.ingest.findings import Findings
from forgia_hpc.data.ingest.recipe import (
    Clock,
    ColumnSpec,
    Counted,
    Jitter,
    Mends,
    Missing,
    Repeated,
    TableFile,
    TableSpec,
)
from forgia_hpc.data.ingest.table import Table
from forgia_hpc.data.ingest.track import Rows, make_track
from forgia_hpc.errors import InputError

NS = 10**9
STAMPED = Clock(column="time", format="%Y-%m-%d %H:%M:%S", step_s=60)


def track_of(times, values=None, *, clock=STAMPED, findings=None, **mends):
    """Return the track of rows at these seconds (or counts), with these mends."""
    spec = TableSpec(
        group="g",
        files=(TableFile(path="f"),),
        parser="csv",
        clock=clock,
        columns=(ColumnSpec(column="v"),),
        mends=Mends(**mends),
    )
    values = np.atleast_2d(np.arange(len(times)) if values is None else values).astype(float)
    scale = NS if clock.format else 1
    rows = Rows(
        "m",
        Table("f", {}, len(times), 2),
        np.arange(len(times)),
        np.array(times) * scale,
        values,
    )
    findings = Findings() if findings is None else findings
    track = make_track([rows], spec, spec.channels(), findings)
    findings.refuse()
    return track


def test_a_regular_clock_is_one_piece():
    track = track_of([0, 60, 120])
    assert track.pieces[0].values.tolist() == [[0, 1, 2]]
    assert (track.filled, track.between, track.t0_ns) == (0, 0, 0)


@pytest.mark.parametrize(
    ("times", "limit"),
    [
        ([0, 60, 180], "1 steps are missing, 0 may be"),
        ([0, 60, 60], "the time was there before"),
        ([0, 120, 60, 180], "the clock runs backwards"),
        ([0, 60, 121], "off the grid"),
    ],
)
def test_without_a_mend_it_is_refused_with_its_line(times, limit):
    with pytest.raises(InputError, match=limit) as error:
        track_of(times)
    assert error.value.problems[0].where == "f, line 4"


@pytest.mark.parametrize(
    ("keep", "kept"), [("first", [0, 1, 2, 5]), ("last", [0, 3, 4, 5]), ("mean", [0, 2, 3, 5])]
)
def test_repeated_times_keep_what_the_recipe_says(keep, kept):
    findings = Findings()
    mend = Repeated(keep=keep)
    track = track_of([0, 60, 120, 60, 120, 180], findings=findings, repeated_times=mend)
    assert track.pieces[0].values.tolist() == [kept]
    assert (findings.count("repeated_times"), track.rows) == (2, 4)


def test_the_mean_of_repetitions_leaves_gaps_out():
    values = [1, np.nan, 5, np.nan, np.nan]
    mend = Repeated(keep="mean")
    track = track_of([0, 60, 60, 120, 120], values, repeated_times=mend)
    assert np.array_equal(track.pieces[0].values, [[1, 5, np.nan]], equal_nan=True)


def test_a_row_that_is_late_but_no_repetition_is_refused_even_with_the_mend():
    with pytest.raises(InputError, match="runs backwards"):
        track_of([0, 60, 180, 120], repeated_times=Repeated(keep="first"))


def test_short_gaps_are_filled_long_ones_cut_longer_ones_refused():
    findings = Findings()
    times = [0, 60, 180, 600, 660]
    track = track_of(times, findings=findings, missing_steps=Missing(fill=1, longest=6))
    assert [(piece.first, piece.steps) for piece in track.pieces] == [(0, 4), (10, 2)]
    assert np.isnan(track.pieces[0].values[0]).tolist() == [False, False, True, False]
    assert (track.filled, track.between, findings.count("missing_steps")) == (1, 6, 7)
    with pytest.raises(InputError, match="6 steps are missing, 5 may be"):
        track_of(times, missing_steps=Missing(fill=1, longest=5))


def test_jitter_is_put_on_the_grid_also_where_the_first_stamp_is_off():
    findings = Findings()
    track = track_of([2, 60, 119, 180], findings=findings, jitter=Jitter(within_s=2))
    assert (track.t0, track.steps, findings.count("jitter")) == (0, 4, 2)
    with pytest.raises(InputError, match="by more than 1 s"):
        track_of([2, 60, 119, 180], jitter=Jitter(within_s=1))


def test_two_rows_on_one_step_are_refused():
    with pytest.raises(InputError, match="two rows fall on one step"):
        track_of([0, 58, 61, 120], jitter=Jitter(within_s=2))


def test_a_counter_has_no_time_of_day():
    track = track_of([4, 5, 6], clock=Clock(column="cycle"))
    assert (track.t0_ns, track.steps) == (None, 3)


def test_copied_blocks_are_found_where_there_is_no_clock():
    block = np.random.default_rng(0).random((9, 5))
    copied = np.concatenate([block[:, :4], block[:, 2:]], axis=1)
    with pytest.raises(InputError, match="equal to an earlier row"):
        track_of(range(7), copied, clock=Clock(step_s=60))
    findings = Findings()
    track = track_of(
        range(7), copied, clock=Clock(step_s=60), findings=findings, repeated_rows=Counted()
    )
    assert np.array_equal(track.pieces[0].values, block)
    assert findings.count("repeated_rows") == 2


def test_a_quiet_sensor_alone_may_repeat_itself():
    assert track_of(range(3), [1, 1, 1], clock=Clock(step_s=60)).steps == 3


def times_of(texts, clock, **mends):
    spec = TableSpec(
        group="g", files=(), parser="csv", clock=clock, columns=(), mends=Mends(**mends)
    )
    findings = Findings()
    table = Table("f", {"time": pa.array(texts)}, len(texts), 2)
    times = read_times(table, spec, findings)
    findings.refuse()
    return times


def test_local_time_becomes_utc():
    clock = Clock(column="time", format="%d/%m/%Y %H:%M", step_s=60, utc_offset="+05:30")
    assert offset_ns(clock) == 19800 * NS
    assert times_of(["1/1/1970 05:30", "01/01/1970 5:31"], clock).tolist() == [0, 60 * NS]


@pytest.mark.parametrize("text", ["2020-13-01 00:00:00", "2020-01-01", "2020-01-01 00:00:00Z", ""])
def test_other_forms_of_time_are_refused(text):
    with pytest.raises(InputError, match="a time of the form"):
        times_of([text], STAMPED)
