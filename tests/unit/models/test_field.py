from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from forgia_hpc.errors import InputError
from forgia_hpc.models.field import FieldModel
from forgia_hpc.models.field_cells import curvature, framed, patched, unpatched
from forgia_hpc.models.field_options import parse_options
from forgia_hpc.models.field_shape import FieldShape, Scales

CONFIGS = Path(__file__).parents[3] / "configs" / "model"
NANO = {"width": 16, "layers": 1, "heads": 2, "feed_forward": 32, "stencil": 4}
PARAMETERS = {
    "field_nano": 158_081,
    "field_1m": 1_174_593,
    "field_10m": 10_332_321,
    "field_100m": 96_233_601,
}


def shape(axes=2, channels=1, **more):
    """The plate of the documentation: one channel, three parameters, two laws."""
    return FieldShape(
        axes=("z", "y", "x")[-axes:],
        grid=(8,) * axes,
        channels=tuple(f"channel_{number}" for number in range(channels)),
        parameters=("diffusivity", "transfer", "ambient"),
        laws=("convection", "symmetry"),
        values=Scales(mean=(900.0,) * channels, std=(200.0,) * channels),
        increments=(5.0,) * channels,
        parameter_values=Scales(mean=(0.0, 6.0, 300.0), std=(1.0,) * 3, logs=(False, True, False)),
        **more,
    )


def model(given=None, context=2, **options):
    torch.manual_seed(1)
    made = FieldModel({**NANO, **options}, context=context, horizon=1, shape=given or shape())
    torch.nn.init.normal_(made.head.weight, std=0.1)  # else it says "no change" of everything
    return made


def batch(given=None, *, rows=2, steps=3, grid=None, seed=0, kinds=0):
    given = given or shape()
    random = torch.Generator().manual_seed(seed)
    grid = grid or given.grid
    size = (rows, steps, len(given.channels), *grid)
    return {
        "values": 900 + 200 * torch.randn(size, generator=random),
        "static": torch.randn((rows, len(given.static), *grid), generator=random),
        "mask": torch.ones((rows, *grid), dtype=torch.bool),
        "times": torch.arange(steps).float().repeat(rows, 1),
        "parameters": 1 + torch.rand((rows, 3), generator=random),
        "signals": torch.randn((rows, steps, len(given.signals)), generator=random),
        "kinds": torch.full((rows, len(grid), 2), kinds),
        "boundaries": torch.tensor([[0, 0, 0, 0, 1], [0, 0, 1, 1, -1]]).repeat(rows, 1, 1),
    }


def ahead(made, inputs, steps=1):
    inputs = dict(inputs)
    values = inputs.pop("values")
    return made.eval().forecast(values[:, : made.context], steps=steps, **inputs)


@pytest.mark.parametrize(("name", "expected"), sorted(PARAMETERS.items()))
def test_the_shipped_sizes_have_the_parameters_they_are_named_for(name, expected):
    config = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    assert (config["name"], config["family"]) == (name, "field")
    with torch.device("meta"):
        made = FieldModel(config["options"], context=2, horizon=1, shape=shape())
    assert sum(parameter.numel() for parameter in made.parameters()) == expected


def test_every_shipped_size_is_counted_above():
    assert {path.stem for path in CONFIGS.glob("field_*.yaml")} == set(PARAMETERS)


@pytest.mark.parametrize("grid", [(9,), (8, 5), (3, 4, 6)])
def test_any_grid_of_one_to_three_axes_will_do_and_another_than_it_was_built_for(grid):
    given = shape(
        len(grid), channels=2, static=("k",), static_values=Scales(mean=(0.0,), std=(1.0,))
    )
    inputs = batch(given, steps=5, grid=grid)
    made = model(given)
    loss = made(**inputs)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(each.grad).all() for each in made.parameters())
    assert ahead(made, inputs, steps=3).shape == (2, 3, 2, *grid)


def test_it_begins_with_no_change_at_all():
    made = FieldModel(NANO, context=2, horizon=1, shape=shape())
    inputs = batch()
    assert torch.equal(ahead(made, inputs)[:, 0], inputs["values"][:, 1])


def test_the_loss_is_the_mean_error_of_increments_in_their_deviations():
    made = FieldModel(NANO, context=1, horizon=1, shape=shape())
    inputs = batch(steps=2)
    inputs["values"][:, 1] = inputs["values"][:, 0] + 10.0  # two deviations; it says: no change
    assert made(**inputs).item() == pytest.approx(2.0, rel=1e-4)
    floor = FieldModel(
        {**NANO, "noise_floor": 1.0}, context=1, horizon=1, shape=shape(noise=(2.5,))
    )
    assert floor(**inputs).item() == pytest.approx(1.5, rel=1e-4)


def test_what_the_future_holds_changes_no_answer_to_the_past():
    made, inputs = model(context=3), batch(steps=5)
    first = made._increments(inputs["values"][:, :3], {**inputs, "times": inputs["times"][:, :4],
                                                       "signals": inputs["signals"][:, :4]})  # fmt: skip
    inputs["values"][:, 2] += 50.0
    second = made._increments(inputs["values"][:, :3], {**inputs, "times": inputs["times"][:, :4],
                                                        "signals": inputs["signals"][:, :4]})  # fmt: skip
    torch.testing.assert_close(first[:, :2], second[:, :2])
    assert not torch.allclose(first[:, 2], second[:, 2])


def test_what_lies_outside_of_the_body_changes_nothing_inside():
    given = shape(masked=True)
    made, inputs = model(given), batch(given)
    inputs["mask"][:, 5:] = False
    clean = ahead(made, inputs)
    loss = made(**inputs)
    inputs["values"][:, :, :, 5:] = torch.nan
    torch.testing.assert_close(ahead(made, inputs)[..., :5, :], clean[..., :5, :])
    torch.testing.assert_close(made(**inputs), loss)
    assert torch.isfinite(clean).all()


def test_a_missing_cell_is_left_out_of_the_loss():
    made, inputs = model(), batch()
    inputs["values"][0, 2, 0, 3, 3] = torch.nan
    loss = made(**inputs)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(each.grad).all() for each in made.parameters())


def test_around_a_periodic_axis_there_is_no_first_cell():
    made, inputs = model(), batch(kinds=2)
    rolled = {**inputs, "values": inputs["values"].roll(4, -1)}  # by a patch
    torch.testing.assert_close(
        ahead(made, rolled), ahead(made, inputs).roll(4, -1), rtol=1e-4, atol=1e-2
    )
    walls = {**rolled, "kinds": torch.zeros_like(inputs["kinds"])}
    assert (ahead(made, walls) - ahead(made, inputs).roll(4, -1)).abs().max() > 0.1


@pytest.mark.parametrize("name", ["parameters", "boundaries", "times", "kinds"])
def test_conditions_are_heard(name):
    made, inputs = model(), batch()
    other = {**inputs, name: inputs[name].clone()}
    if name == "boundaries":
        other[name][:, 0, 3] = 1
    elif name == "kinds":
        other[name][:] = 2
    else:
        other[name] *= 1.5
    assert (ahead(made, other) - ahead(made, inputs)).abs().max() > 1e-4


def test_signals_are_heard_at_the_step_to_come():
    given = shape(signals=("bath",), signal_values=Scales(mean=(0.0,), std=(1.0,)))
    made, inputs = model(given), batch(given)
    before = ahead(made, inputs)
    inputs["signals"][:, 2] += 1.0
    assert (ahead(made, inputs) - before).abs().max() > 1e-4


def test_a_row_with_fewer_boundaries_is_answered_as_if_alone():
    made, inputs = model(shape(ragged=True)), batch()
    alone = ahead(made, {**inputs, "boundaries": inputs["boundaries"][:, :1]})
    inputs["boundaries"][:, 1] = -1
    torch.testing.assert_close(ahead(made, inputs), alone)


def test_rows_know_nothing_of_each_other():
    made, inputs = model(), batch(rows=3)
    whole = ahead(made, inputs)
    one = {name: each[1:2] for name, each in inputs.items()}
    torch.testing.assert_close(ahead(made, one), whole[1:2])


def test_bf16_as_deepspeed_converts_it_keeps_the_units_exact():
    made, inputs = model(), batch()
    precise = ahead(made, inputs)
    made.bfloat16()
    assert made.mean.dtype == torch.float32
    assert made(**inputs).dtype == torch.float32
    assert (ahead(made, inputs) - precise).abs().max() < 4.0  # kelvin, of hundreds


def test_units_come_from_the_shape_and_no_checkpoint_holds_them():
    assert not {"mean", "std", "increments"} & model().state_dict().keys()
    given = shape()
    assert FieldShape.from_json(given.as_json()) == given
    other = replace(given, increments=(7.0,))
    assert float(FieldModel(NANO, context=2, horizon=1, shape=other).increments) == 7.0


def test_it_learns():
    made = model()
    optimizer = torch.optim.AdamW(made.parameters(), lr=5e-3)
    inputs = batch(rows=4)
    inputs["values"] = inputs["values"][:, :1] + 5 * torch.arange(3)[None, :, None, None, None]
    losses = []
    for _ in range(30):
        loss = made(**inputs)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.4 * losses[0]


def test_patches_put_together_are_the_cells():
    for grid in ((7,), (6, 5), (4, 5, 3)):
        cells = torch.randn(2, 3, *grid)
        assert torch.equal(unpatched(patched(cells, 4), 4, grid), cells)


def test_a_frame_takes_the_other_end_where_the_axis_is_periodic():
    cells = torch.tensor([[[1.0, 2.0, 3.0]]])
    assert framed(cells, torch.tensor([[True]])).tolist() == [[[3, 1, 2, 3, 1]]]
    assert framed(cells, torch.tensor([[False]])).tolist() == [[[1, 1, 2, 3, 3]]]


def test_curvature_counts_neighbours_inside_only():
    cells, mask = torch.tensor([[[1.0, 4.0, 9.0, 99.0]]]), torch.tensor([[[1.0, 1, 1, 0]]])
    assert curvature(cells, mask, torch.tensor([[False]])).tolist() == [[[3, 2, -5, 0]]]


def test_every_wrong_option_is_told_at_once():
    with pytest.raises(InputError) as caught:
        parse_options({"width": 0, "layers": 1, "heads": 2, "colour": 1, "dropout": 1.0})
    assert {problem.field for problem in caught.value.problems} == {
        f"model.options.{name}" for name in ("width", "feed_forward", "colour", "dropout")
    }
    with pytest.raises(InputError, match="a multiple of 4"):
        parse_options({**NANO, "width": 18})
