import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from fakes.heat import plates
from fakes.simulated import field_card

from forgia_hpc.data.access.granting import make_grant
from forgia_hpc.data.fields.inputs import cutting_of, shape_of
from forgia_hpc.data.fields.reader import open_fields
from forgia_hpc.data.fields.writer import seal_fields
from forgia_hpc.data.layout import Split
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.errors import InputError, JobFailedError
from forgia_hpc.evaluate.field_rows import cost
from forgia_hpc.evaluate.rollout import Rolled
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

NANO = {"width": 16, "layers": 1, "heads": 2, "feed_forward": 32, "stencil": 4}
DATA = Data(dataset="plates", steps_in=2)


@pytest.fixture
def run(tmp_path):
    given = replace(
        plates(5, 2, size=12, steps=20),
        provenance={"refinement": {"temperature": {"rms": 0.5, "max": 2.0}}},
    )
    seal_fields(given, field_card("plates"), tmp_path / "plates")
    manifest = load_manifest(tmp_path / "plates")
    made = RunDir(tmp_path / "20260101-000000-train-abcdef")
    made.inputs.mkdir(parents=True)
    write_json(made.inputs / "grant.json", make_grant(manifest, DATA))
    save_model(made, tmp_path / "plates")
    return made


def save_model(run, dataset, spoil=None, **words):
    """A model that says "no change" of everything: persistence."""
    torch.manual_seed(0)
    with open_fields(dataset) as opened:
        shape = shape_of(opened.windows(Split.train, cutting_of(replace(DATA, **words))))
    model = FieldModel(NANO, context=2, horizon=1, shape=shape)
    if spoil:
        torch.nn.init.constant_(model.head.bias, spoil)
    facts = artefact.ModelFacts(
        name="tiny", family="field", options=NANO, context=2, horizon=1, quantiles=(),
        dataset="plates@0", step=1, seed=0, extra={KEY: shape.as_json()},
    )  # fmt: skip
    artefact.save(run.output / "model", model, facts)
    return shape


def judged(run, **changes):
    words = {"splits": ["held_out_machines"], "rollout": [1, 5], "max_windows": 6, **changes}
    asked = TrainJob(data=DATA, evaluate=Evaluate(**words))
    with open_world(run) as world, StopFlag(run, 0) as stop:
        told = evaluate(asked, run, world, stop)
    return told, json.loads((run.output / "evaluation.json").read_text())


def test_a_model_that_says_no_change_scores_as_persistence(run):
    told, content = judged(run)
    scores = {row["method"]: row for row in content["scores"]}
    assert set(scores) == {"model", "persistence", "linear"}
    assert scores["model"]["windows"] == 6
    for at in ("1", "5"):
        assert scores["model"]["vrmse"][at] == pytest.approx(scores["persistence"]["vrmse"][at])
        assert told[f"vrmse_{at}"] == pytest.approx(told[f"persistence_vrmse_{at}"])
    assert told["model_vrmse_5_skill"] == pytest.approx(0, abs=1e-5)
    assert scores["model"]["vrmse"]["5"] > scores["model"]["vrmse"]["1"] > 0
    assert scores["linear"]["vrmse"]["1"] < scores["model"]["vrmse"]["1"]
    assert len(scores["model"]["curve"]) == 5
    assert scores["model"]["curve"][-1] == scores["model"]["vrmse"]["5"]


def test_the_worst_trajectories_and_the_solvers_time_are_told(run):
    _, content = judged(run)
    assert {row["member"] for row in content["worst"]} == {"plate-00003", "plate-00004"}
    assert content["worst"][0]["vrmse_5"] >= content["worst"][1]["vrmse_5"]
    cost = content["cost"]
    assert cost["faster"] == pytest.approx(cost["solver_s"] / cost["model_s"])
    assert cost["equal"]["error_ratio"] > 36  # of 12 cells, 2 are left at the most: 6 times as wide
    assert cost["equal"]["coarsest"] is True
    assert cost["equal"]["solver_s"] == pytest.approx(cost["solver_s"] * 6**-4)


@pytest.mark.parametrize(
    ("grid", "error", "coarsest", "left"),
    [((12, 12), 4.0, False, 2.0**-4), ((24, 24, 24), 100.0, False, 10.0**-5),
     ((24, 24, 24), 1e6, True, 12.0**-5), ((24, 24, 2), 9.0, True, 1.0)],
)  # fmt: skip
def test_no_mesh_is_so_coarse_that_it_has_no_cells(grid, error, coarsest, left):
    one = Rolled("plates", "held_out_machines", 0, "plate", 2, {}, {}, [error], 0.5)
    told = cost([one], {"plate": 3.0}, [1.0], grid)
    assert told["faster"] == pytest.approx(6.0)
    assert told["equal"]["coarsest"] is coarsest
    assert told["equal"]["solver_s"] == pytest.approx(3.0 * left)


def test_the_worst_window_and_another_are_kept_to_look_at(run):
    _, content = judged(run)
    worst, other = content["frames"]
    assert (worst["worst"], other["worst"]) == (True, False)
    assert worst["member"] != other["member"]
    assert np.mean(worst["curve"]["model"]) >= np.mean(other["curve"]["model"])
    assert worst["ahead"] == [1, 2, 3, 4, 5]
    for name in ("truth", "model"):
        assert np.array(worst[name]).shape == (5, 12, 12)
    start = np.array(worst["start"])
    assert worst["model"][4] == pytest.approx(start, rel=1e-4)  # this model says "no change"
    assert np.abs(np.array(worst["truth"][4]) - start).max() > 1


def test_a_rollout_longer_than_the_trajectories_is_cut_and_said(run):
    told, content = judged(run, rollout=[1, 10, 50])
    assert {"vrmse_1", "vrmse_10", "vrmse_18"} <= set(told)
    assert content["horizon"] == 18
    assert any("No rollout of 50 steps" in note for note in content["notes"])


def test_the_figures_do_not_hang_on_how_many_windows_share_a_batch(run, monkeypatch):
    _, together = judged(run)
    monkeypatch.setattr("forgia_hpc.evaluate.fields.CHUNK_BYTES", 1)
    _, alone = judged(run)
    for one, other in zip(together["scores"], alone["scores"], strict=True):
        assert one["vrmse"] == pytest.approx(other["vrmse"], rel=1e-5)


def test_a_split_without_trajectories_is_refused(run):
    with pytest.raises(InputError, match="held_out_time"):
        judged(run, splits=["held_out_time"])


def test_weights_that_give_no_numbers_are_told(run, tmp_path):
    save_model(run, tmp_path / "plates", spoil=float("nan"))
    with pytest.raises(JobFailedError, match="not finite"):
        judged(run)


def test_a_model_of_other_fields_is_refused(run, tmp_path):
    facts = artefact.read_facts(run.output / "model")
    shape = {**facts.extra[KEY], "channels": ["pressure"]}
    content = json.loads((run.output / "model" / "model.json").read_text())
    content["extra"][KEY] = shape
    write_json(run.output / "model" / "model.json", content)
    with pytest.raises(InputError, match=r"data\.fields.*pressure"):
        judged(run)


def test_the_units_of_a_model_come_from_the_training_split_and_the_solver(run, tmp_path):
    shape = save_model(run, tmp_path / "plates")
    assert shape.parameters == ("diffusivity", "transfer", "ambient")
    assert shape.laws == ("convection", "symmetry")
    assert shape.noise == (0.5,)
    assert shape.seconds == pytest.approx(0.25)
    with open_fields(tmp_path / "plates") as opened:
        rows = opened.sources[0].trajectories(Split.train)
        values = np.stack([opened.sources[0].exact(0, row) for row in rows])
    assert shape.values.mean[0] == pytest.approx(values.mean(), rel=1e-5)
    assert shape.increments[0] == pytest.approx(np.diff(values, axis=1).std(), rel=1e-4)
    strided = save_model(run, tmp_path / "plates", stride=2)
    assert strided.seconds == pytest.approx(0.5)


def campaign(beside, version, name="20250101-000000-simulate-aaaaaa", **told):
    path = beside / name / "output/campaign/campaign.json"
    path.parent.mkdir(parents=True)
    write_json(path, {"version": version, "member_s": {"median": None, **told}})


def test_the_campaign_that_made_the_data_says_what_the_solver_took(tmp_path):
    given = plates(5, 2, size=12, steps=20)
    silent = [replace(one, provenance={}) for one in given.trajectories]
    seal_fields(replace(given, trajectories=silent), field_card("plates"), tmp_path / "plates")
    manifest = load_manifest(tmp_path / "plates")
    run = RunDir(tmp_path / "20260101-000000-train-abcdef")
    run.inputs.mkdir(parents=True)
    write_json(run.inputs / "grant.json", make_grant(manifest, DATA))
    save_model(run, tmp_path / "plates")
    assert judged(run)[1]["cost"]["faster"] is None
    campaign(tmp_path, "another version", median=1.0)
    assert judged(run)[0]["faster"] is None
    campaign(tmp_path, manifest.version, "20250102-000000-simulate-bbbbbb", median=38.0)
    campaign(tmp_path, manifest.version, "20250103-000000-simulate-cccccc")  # it solved none
    told, content = judged(run)
    assert content["cost"]["solver_s"] == pytest.approx(2.0)  # a step of 19
    assert told["faster"] == pytest.approx(2.0 / content["cost"]["model_s"])
    assert judged(run, solver_s=19.0)[1]["cost"]["solver_s"] == pytest.approx(1.0)


def nothing_anywhere(run, tmp_path, noise):
    """Judge a model on plates that are zero all over."""
    given = plates(5, 2, size=12, steps=20)
    empty = [
        replace(one, values={"temperature": 0 * one.values["temperature"]})
        for one in given.trajectories
    ]
    told = {"refinement": {"temperature": {"rms": noise, "max": noise}}}
    into = tmp_path / "empty"
    seal_fields(replace(given, trajectories=empty, provenance=told), field_card("plates"), into)
    write_json(run.inputs / "grant.json", make_grant(load_manifest(into), DATA))
    save_model(run, into, spoil=0.5)
    return judged(run)[1]


def test_a_phase_that_never_forms_leaves_null_where_no_ratio_can_be_had(run, tmp_path):
    content = nothing_anywhere(run, tmp_path, 0.0)
    assert content["cost"]["equal"] is None
    assert content["cost"]["faster"] > 0
    assert all(row["bands"]["5"] == [None, None, None] for row in content["scores"])
    assert content["scores"][0]["vrmse"]["5"] >= 0
    json.dumps(content, allow_nan=False)


def test_two_trajectories_give_no_interval(run):
    content = judged(run)[1]
    assert {row["series"] for row in content["skill"]} == {2}
    assert all(row["low"] is row["high"] is None for row in content["skill"])


def test_three_trajectories_give_one(tmp_path, run):
    into = tmp_path / "more"
    seal_fields(plates(6, 3, size=12, steps=20), field_card("plates"), into)
    write_json(run.inputs / "grant.json", make_grant(load_manifest(into), DATA))
    save_model(run, into)
    linear = [row for row in judged(run)[1]["skill"] if row["method"] == "linear"]
    assert linear
    assert all(row["low"] <= row["skill"] <= row["high"] for row in linear)
