import math

from forgia_hpc.report.curves import curve, envelope, moving_mean, spark, time_bar


def test_thinning_keeps_every_spike():
    points = [(float(step), 0.0) for step in range(10_000)]
    points[4321] = (4321.0, 9.0)
    points[8765] = (8765.0, -9.0)

    thin = envelope(points)

    assert len(thin) <= 400
    assert {(4321.0, 9.0), (8765.0, -9.0)} <= set(thin)


def test_the_moving_mean_is_centred():
    points = [(float(step), float(step)) for step in range(9)]

    means = moving_mean(points, 3)

    assert means[4] == (4.0, 4.0)
    assert means[0] == (0.0, 0.5)
    assert len(means) == 9


def test_a_curve_of_one_point_is_not_drawn():
    assert curve("Loss", [(1.0, 2.0)]) is None


def test_a_curve_says_where_it_began_and_ended():
    points = [(float(step), math.exp(-step / 20)) for step in range(1, 101)]

    drawn = curve("Loss", points, resumed=50.0)

    assert 'aria-label="Loss: ' in drawn
    assert "resumed" in drawn
    assert "nan" not in drawn


def test_shares_of_the_time_bar_sum_to_the_step():
    drawn = time_bar({"data": 0.25, "compute": 0.75}, 10)

    assert "25\u00a0%" in drawn
    assert "75\u00a0%" in drawn
    assert "1 s each" in drawn
    assert time_bar({}, 0) is None


def test_sparks_have_the_asked_width_and_their_extremes():
    line = spark([0.0] * 50 + [1.0] * 50, 10)

    assert line == "▁▁▁▁▁█████"
    assert spark([], 10) == ""
    assert spark([2.0, 2.0]) == "▄▄"
    assert "█" in spark([0.0] * 99 + [5.0], 10, largest=True)
