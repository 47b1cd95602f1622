import json

import pytest
import torch

from forgia_hpc.errors import InputError, SealBrokenError
from forgia_hpc.models.telemetry import TelemetryModel
from forgia_hpc.runtime.artefact import ModelFacts, load, read_facts, save

OPTIONS = {"width": 16, "layers": 1, "heads": 2, "feed_forward": 32}


def small(seed=0):
    torch.manual_seed(seed)
    return TelemetryModel(OPTIONS, context=64, horizon=16)


def facts(**changes):
    known = {
        "name": "tiny", "family": "telemetry", "options": OPTIONS, "context": 64, "horizon": 16,
        "quantiles": small().quantiles, "dataset": "demo@0123456789ab", "step": 7, "seed": 3,
    }  # fmt: skip
    return ModelFacts(**{**known, **changes})


def test_a_saved_model_forecasts_the_same(tmp_path):
    model = small().eval()
    said = save(tmp_path / "model", model, facts())
    context, group = torch.randn(3, 64), torch.zeros(3, dtype=torch.int64)
    loaded = load(tmp_path / "model")
    assert torch.equal(loaded.forecast(context, group, 16), model.forecast(context, group, 16))
    assert said == read_facts(tmp_path / "model")
    assert said.parameters == sum(weight.numel() for weight in model.parameters())
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "model.json",
        "model.safetensors",
    ]


def test_bf16_weights_come_back_as_float32(tmp_path):
    save(tmp_path / "model", small().bfloat16().state_dict(), facts())
    assert next(load(tmp_path / "model").parameters()).dtype == torch.float32


def test_a_second_save_replaces_the_first_and_leaves_nothing_beside(tmp_path):
    save(tmp_path / "model", small(0), facts(step=1))
    save(tmp_path / "model", small(1), facts(step=2))
    assert read_facts(tmp_path / "model").step == 2
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_save_that_fails_leaves_the_first(tmp_path):
    save(tmp_path / "model", small(0), facts(step=1))
    with pytest.raises(TypeError):
        save(tmp_path / "model", small(1), facts(step=2, extra={"what": object()}))
    assert read_facts(tmp_path / "model").step == 1
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_one_changed_byte_is_seen(tmp_path):
    save(tmp_path / "model", small(), facts())
    path = tmp_path / "model" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(SealBrokenError, match=r"model\.safetensors .*SHA-256"):
        load(tmp_path / "model")


def test_weights_of_another_shape_are_refused(tmp_path):
    save(tmp_path / "model", small(), facts(options={**OPTIONS, "width": 32}))
    with pytest.raises(SealBrokenError, match="does not fit family 'telemetry'"):
        load(tmp_path / "model")


def test_no_model_is_the_users_to_mend_and_half_a_json_a_broken_seal(tmp_path):
    with pytest.raises(InputError, match="is this the right directory"):
        load(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps({"format": "forgia.model/1", "name": "x"}))
    with pytest.raises(SealBrokenError, match="lacks context, dataset"):
        load(tmp_path)
