"""Data that a surrogate can't be judged on, or only in part: told, never counted as a good figure."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from fakes.heat import plates
from fakes.simulated import field_card

from forgia_hpc.data.access.granting import make_grant
from forgia_hpc.data.fields.inputs import FieldInputs, cutting_of, shape_of
from forgia_hpc.data.fields.layout import Field
from forgia_hpc.data.fields.reader import open_fields
from forgia_hpc.data.fields.writer import seal_fields
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.errors import InputError
from forgia_hpc.evaluate.run import evaluate
from forgia_hpc.models.field import FieldModel
from forgia_hpc.models.field_shape import KEY
from forgia_hpc.rundir import RunDir, write_json
from forgia_hpc.runtime import artefact
from forgia_hpc.runtime.stop import StopFlag
from forgia_hpc.runtime.world import open_world
from forgia_hpc.schema.data import Data
from forgia_hpc.schema.evaluation import Evaluate
from forgia_hpc.schema.job import TrainJob
from forgia_hpc.train.fields import open_simulations

NANO = {"width": 16, "layers": 1, "heads": 2, "feed_forward": 32, "stencil": 4}
DATA = Data(dataset="plates", steps_in=2)
PLATES = plates(6, 2, size=8, steps=12)


def of_each(change, given=PLATES):
    """Change the temperatures (step, y, x) of each member."""
    changed = [
        replace(one, values={"temperature": change(number, one.values["temperature"].copy())})
        for number, one in enumerate(given.trajectories)
    ]
    return replace(given, trajectories=changed)


def judged(given, tmp_path, **words):
    """Teach a model four steps, judge it, and return its headline and its document."""
    seal_fields(given, field_card("plates"), tmp_path / "plates")
    run = RunDir(tmp_path / "20260101-000000-train-abcdef")
    run.inputs.mkdir(parents=True)
    grant = make_grant(load_manifest(tmp_path / "plates"), DATA)
    write_json(run.inputs / "grant.json", grant)
    _taught(run, tmp_path / "plates")
    asked = {"splits": ["held_out_machines"], "rollout": [1, 4], "max_windows": 8, **words}
    job = TrainJob(data=DATA, evaluate=Evaluate(**asked))
    with open_world(run) as world, StopFlag(run, 0) as stop:
        told = evaluate(job, run, world, stop)
    content = json.loads((run.output / "evaluation.json").read_text())
    json.dumps(content, allow_nan=False)
    return told, content


def _taught(run, dataset):
    torch.manual_seed(0)
    with open_fields(dataset) as opened:
        windows = opened.windows(Split.train, cutting_of(DATA))
        shape = shape_of(windows)
        model = FieldModel(NANO, context=2, horizon=1, shape=shape)
        worker = torch.optim.Adam(model.parameters(), 3e-3)
        for step in range(4):
            pairs = [(0, (4 * step + at) % len(windows)) for at in range(4)]
            batch = FieldInputs(windows, shape).of(windows.gather(pairs))
            worker.zero_grad()
            loss = model(**{name: torch.from_numpy(each) for name, each in batch.items()})
            loss.backward()
            assert torch.isfinite(loss)
            worker.step()
    facts = artefact.ModelFacts(
        name="tiny", family="field", options=NANO, context=2, horizon=1, quantiles=(),
        dataset="plates@0", step=1, seed=0, extra={KEY: shape.as_json()},
    )  # fmt: skip
    artefact.save(run.output / "model", model, facts)


def about(content, word):
    (said,) = [note for note in content["notes"] if word in note]
    return said


def test_a_hole_in_one_step_is_no_broken_model(tmp_path):
    """From a hole nobody can go on: those cells are not judged, all others are."""

    def holed(_, values):
        values[4, 3, 4] = np.nan
        return values

    told, content = judged(of_each(holed), tmp_path)
    whole = judged(PLATES, tmp_path / "whole")[0]
    assert told["windows"] == whole["windows"] == 8
    assert told["persistence_vrmse_4"] == pytest.approx(whole["persistence_vrmse_4"], rel=0.05)
    assert told["vrmse_4"] < 2 * told["persistence_vrmse_4"]
    assert not [note for note in content["notes"] if "not judged" in note]


def test_a_member_without_numbers_does_not_count_as_foretold_to_the_last_digit(tmp_path):
    told, content = judged(of_each(lambda at, one: one * np.nan if at == 5 else one), tmp_path)
    assert told["windows"] == 4
    assert about(content, "not judged") == (
        "4 windows are not judged: at some step there is no number to compare with."
    )
    assert {row["member"] for row in content["worst"]} == {"plate-00004"}
    assert told["vrmse_4"] > 0


def test_nothing_to_judge_on_is_refused(tmp_path):
    with pytest.raises(InputError, match="no window with a number"):
        judged(of_each(lambda at, one: one * np.nan if at > 3 else one), tmp_path)


def test_nothing_to_learn_from_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"temperature.*no trajectory of train has a number"):
        judged(of_each(lambda _, one: one * np.nan), tmp_path)


@pytest.mark.parametrize("value", [0.0, 300.0, 2.1e11])
def test_a_parameter_that_never_varied_changes_nothing_and_is_told(value, tmp_path):
    def with_ambient(held_out):
        changed = [
            replace(one, parameters={**one.parameters, "ambient": held_out if at > 3 else value})
            for at, one in enumerate(PLATES.trajectories)
        ]
        return replace(PLATES, trajectories=changed)

    told, content = judged(with_ambient(380.0), tmp_path)
    assert about(content, "ambient") == (
        f"ambient was {value:g} in all of the training data, here 380: the model can't know what it does."
    )
    same, quiet = judged(with_ambient(value), tmp_path / "same")
    assert told["vrmse_4"] == same["vrmse_4"]
    assert not [note for note in quiet["notes"] if "ambient" in note]


def test_one_member_teaches_and_is_judged_on_another(tmp_path):
    told, content = judged(plates(2, 1, size=8, steps=12), tmp_path)
    assert 0 < told["vrmse_4"] < 20
    assert len([note for note in content["notes"] if "can't know" in note]) == 3


def test_a_field_that_is_one_number_stays_it(tmp_path):
    told = judged(of_each(lambda _, one: 0 * one + 900.0), tmp_path)[0]
    assert told["vrmse_4"] == told["persistence_vrmse_4"] == 0.0


def test_the_rounding_of_a_constant_field_is_no_unit_of_measure(tmp_path):
    chance = np.random.default_rng(0)
    judged(of_each(lambda _, one: 900.0 + 1e-4 * chance.normal(size=one.shape)), tmp_path)
    shape = artefact.read_facts(tmp_path / "20260101-000000-train-abcdef/output/model").extra[KEY]
    rounding = 4 * 900 * 2.0**-23
    assert shape["values"]["std"] == shape["increments"] == pytest.approx([rounding], rel=1e-6)


def test_members_of_unlike_length_are_judged_as_far_as_they_go(tmp_path):
    lengths = [12, 9, 2, 1, 12, 4]
    cut = [
        replace(one, times=one.times[:size], values={"temperature": one.values["temperature"][:size]})
        for one, size in zip(PLATES.trajectories, lengths, strict=True)
    ]  # fmt: skip
    told, content = judged(replace(PLATES, trajectories=cut), tmp_path)
    assert told["windows"] == 7
    assert about(content, "too short") == (
        "1 of 2 trajectories are too short for the longest rollout: not judged."
    )


@pytest.mark.parametrize("outside", [np.nan, 0.0, 1e30])
def test_cells_outside_of_a_body_count_nowhere(outside, tmp_path):
    inside = np.zeros((8, 8), np.float32)
    inside[1:6, 2:7] = 1

    def filled(_, values):
        values[:, inside == 0] = outside
        return values

    mask = Field(name="inside", time_varying=False, per_trajectory=False, mask=True)
    schema = replace(PLATES.schema, fields=(*PLATES.schema.fields, mask))
    given = replace(of_each(filled), schema=schema, shared={"inside": inside})
    told, content = judged(given, tmp_path)
    held = [one.values["temperature"].astype(np.float32) for one in PLATES.trajectories[4:]]
    wrong = []
    for row in content["frames"]:
        body = held[int(row["member"][-1]) - 4].astype(np.float64)[:, 1:6, 2:7]
        last, truth = body[row["window"] % 7 + 1], body[row["window"] % 7 + 5]
        wrong.append(np.sqrt(((last - truth) ** 2).mean() / (truth.var(ddof=1) + 1e-7)))
        assert row["curve"]["persistence"][-1] == pytest.approx(wrong[-1], rel=1e-6)
    assert len(wrong) >= 2
    assert np.isfinite(told["vrmse_4"])


def test_a_training_with_nothing_to_judge_it_on_is_refused_before_its_hours(tmp_path):
    seal_fields(plates(1, 0, size=8, steps=12), field_card("plates"), tmp_path / "plates")
    grant = make_grant(load_manifest(tmp_path / "plates"), DATA)
    wish = Evaluate(splits=["held_out_machines"])
    job = TrainJob(data=DATA, evaluate=wish)
    with (
        pytest.raises(InputError, match=r"plates has no trajectory in them.*enabled=false"),
        open_simulations(job, grant),
    ):
        pass
    wish.enabled = False
    with open_simulations(job, grant) as learnt:
        assert len(learnt.index) == 10
