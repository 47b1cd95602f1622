from pathlib import Path

import pytest
import torch
import yaml

from forgia_hpc.models.forecaster import Forecaster
from forgia_hpc.models.telemetry import TelemetryModel

CONFIGS = Path(__file__).parents[3] / "configs" / "model"
NANO = {"width": 64, "layers": 2, "heads": 4, "feed_forward": 256, "initial_scale": 0.2}
PARAMETERS = {
    "telemetry_nano": 226_784,
    "telemetry_1m": 1_306_016,
    "telemetry_5m": 4_971_040,
    "telemetry_28m": 27_770_656,
    "telemetry_120m": 119_477_664,
    "telemetry_413m": 413_095_584,
    "telemetry_1b": 1_648_274_080,
}


def nano(**options):
    torch.manual_seed(1)
    return TelemetryModel({**NANO, **options}, context=96, horizon=32)


def waves(series, steps, seed=0):
    random = torch.Generator().manual_seed(seed)
    phase = torch.rand(series, 1, generator=random) * 6.28
    noise = torch.randn(series, steps, generator=random)
    return 20 + 3 * torch.sin(torch.arange(steps) / 24 * 6.28 + phase) + 0.1 * noise


def parts(values):
    """Return context (series, 96), target (series, 32) and one group for all."""
    return values[:, :96], values[:, 96:], torch.zeros(len(values), dtype=torch.int64)


@pytest.mark.parametrize(("name", "expected"), sorted(PARAMETERS.items()))
def test_the_shipped_sizes_have_the_parameters_they_are_named_for(name, expected):
    config = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    assert config["name"] == name
    with torch.device("meta"):  # shapes only: the largest would take 6.6 GB
        model = TelemetryModel(config["options"], context=512, horizon=64)
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


def test_every_shipped_size_is_counted_above():
    assert {path.stem for path in CONFIGS.glob("telemetry_*.yaml")} == set(PARAMETERS)


def test_the_model_offers_what_a_forecaster_must():
    assert isinstance(nano(), Forecaster)


def test_a_forecast_has_a_row_a_quantile_in_physical_units_and_never_crosses():
    context, _, group = parts(waves(3, 128))
    forecast = nano().forecast(context, group, 20)
    assert forecast.shape == (3, 9, 20)
    assert forecast.dtype == torch.float32
    assert (forecast.diff(dim=1) >= 0).all()
    assert ((forecast > 0) & (forecast < 40)).all()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda values: values.fill_(torch.nan),
        lambda values: values[1].fill_(torch.nan),
        lambda values: values[:, :90].fill_(torch.nan),
        lambda values: values[:, 96:].fill_(torch.nan),
        lambda values: values[0].fill_(1013.25),
        lambda values: values[0, :96].fill_(0.0),
        lambda values: values[:, ::3].fill_(torch.nan),
        lambda values: values[0, 5:6].fill_(torch.inf),
        lambda values: values.mul_(1e12),
        lambda values: values.mul_(1e-12),
    ],
    ids=["all missing", "one missing", "only six steps", "no target", "constant", "step from zero",
         "every third", "infinite", "huge", "tiny"],
)  # fmt: skip
def test_rough_telemetry_gives_a_finite_loss_finite_gradients_and_a_finite_forecast(spoil):
    values = waves(3, 128)
    spoil(values)
    model = nano()
    context, target, group = parts(values)
    loss = model(context, target, group)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(
        torch.isfinite(parameter.grad).all()
        for parameter in model.parameters()
        if parameter.grad is not None
    )
    assert torch.isfinite(model.forecast(context, group, 32)).all()


def test_a_single_channel_is_enough():
    context, target, group = parts(waves(1, 128))
    assert torch.isfinite(nano()(context, target, group))


def test_series_of_another_group_change_nothing():
    values = waves(4, 128)
    model = nano().eval()
    alone = model.forecast(values[:2, :96], torch.tensor([0, 0]), 32)
    beside = model.forecast(values[:, :96], torch.tensor([0, 0, 1, 1]), 32)[:2]
    together = model.forecast(values[:, :96], torch.zeros(4, dtype=torch.int64), 32)[:2]
    torch.testing.assert_close(alone, beside)
    assert (alone - together).abs().max() > 1e-4


def test_loss_and_forecast_are_those_of_chronos_2():
    context, target, group = parts(waves(3, 128))
    target[1, 4:9] = torch.nan
    model = nano().eval()
    theirs = model.network(context, group_ids=group, future_target=target, num_output_patches=2)
    torch.testing.assert_close(model(context, target, group), theirs.loss)
    torch.testing.assert_close(
        model.forecast(context, group, 32), theirs.quantile_preds.sort(dim=1).values
    )


@pytest.mark.parametrize(("steps", "horizon"), [(96, 16), (90, 5), (7, 100), (200, 33)])
def test_any_context_and_horizon_will_do(steps, horizon):
    forecast = nano().forecast(waves(2, steps), torch.zeros(2, dtype=torch.int64), horizon)
    assert forecast.shape == (2, 9, horizon)
    assert torch.isfinite(forecast).all()


def test_bf16_as_deepspeed_converts_it_keeps_the_positions_and_the_scale_exact():
    values = waves(3, 128) + 1e4  # in bf16 the waves would drown in steps of 64
    context, target, group = parts(values)
    model = nano()
    exact = model.network.encoder.block[0].layer[0].self_attention.rope_embed.inv_freq.clone()
    precise = model.eval().forecast(context, group, 32)
    model.bfloat16()
    kept = model.network.encoder.block[0].layer[0].self_attention.rope_embed.inv_freq
    assert torch.equal(kept, exact)
    loss = model(context, target, group)
    loss.backward()
    assert loss.dtype == torch.float32
    assert next(model.parameters()).grad.dtype == torch.bfloat16
    assert (model.forecast(context, group, 32) - precise).abs().max() < 0.5


def test_the_same_seed_gives_the_same_weights():
    one, other = (model.state_dict() for model in (nano(), nano()))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_it_learns():
    model = nano()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    losses = []
    for step in range(25):
        context, target, group = parts(waves(8, 128, seed=step % 2))
        loss = model(context, target, group)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
