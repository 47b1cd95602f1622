import json
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from forgia_hpc.data.access.grant import grant_digest
from forgia_hpc.data.access.granting import make_grant
from forgia_hpc.data.layout import Channel, Contribution, Mark, Segment, Split
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.reader import open_dataset
from forgia_hpc.data.writer import seal
from forgia_hpc.errors import InputError, SealBrokenError, StoppedError
from forgia_hpc.evaluate.run import evaluate
from forgia_hpc.evaluate.windows import channel_spreads
from forgia_hpc.metrics import read_metrics
from forgia_hpc.models.telemetry import TelemetryModel
from forgia_hpc.rundir import RunDir, write_json
from forgia_hpc.runtime import artefact
from forgia_hpc.runtime.place import find_place
from forgia_hpc.runtime.stop import StopFlag, request_stop
from forgia_hpc.runtime.world import World, open_world
from forgia_hpc.schema.data import Data
from forgia_hpc.schema.evaluation import Evaluate
from forgia_hpc.schema.job import EvaluateJob, TrainJob

OPTIONS = {"width": 16, "layers": 1, "heads": 2, "feed_forward": 32}
DATA = Data(dataset="mill", context=96, min_context=32, horizon=16, channels=2)
CARD = {
    "format": "forgia.card/1",
    "name": "mill",
    "title": "A mill",
    "contributor": "tests",
    "description": "Waves.",
    "licence": "CC0-1.0",
    "source": "generated",
}


def channel(name, unit, role="signal"):
    return Channel(
        name=name, ucum=unit, quantity="q", semantic_id=f"https://w3id.org/forgia/{name}", role=role
    )


def segment(asset, split, steps, seed):
    random = np.random.default_rng(seed)
    wave = np.sin(np.arange(steps) / 24 * 6.28 + random.uniform(0, 6.28))
    values = np.stack([20 + 3 * wave, 500 - 40 * wave, np.full(steps, 7.0), np.zeros(steps)])
    values[:2] += random.normal(size=(2, steps)) * [[0.3], [4.0]]
    values[0, random.random(steps) < 0.03] = np.nan
    if split is Split.held_out_machines:
        values[:2, 200:240] *= 1.5
    channels = (
        channel("temperature", "Cel"), channel("flow", "m3/h"), channel("still", "1"),
        channel("fault", "1", role="label"),
    )  # fmt: skip
    return Segment(
        asset=asset, group="mill", split=split, channels=channels,
        values=values.astype(np.float32).astype(np.float64), t0_ns=0, rate_num=1, rate_den=60,
    )  # fmt: skip


SEGMENTS = (
    segment("mill_1", Split.train, 700, 1),
    segment("mill_2", Split.train, 700, 2),
    segment("mill_3", Split.held_out_machines, 400, 3),
)


@pytest.fixture
def run(tmp_path):
    return sealed(tmp_path, SEGMENTS)


def sealed(tmp_path, segments):
    contribution = Contribution(
        name="mill",
        contributor="tests",
        segments=segments,
        marks=(
            Mark(asset="mill_3", code="hot", first=200, last=239),
            Mark(asset="mill_3", code="failure", first=399, last=399),
        ),
        season_steps={"mill": 24},
    )
    seal(contribution, CARD, tmp_path / "mill")
    manifest = load_manifest(tmp_path / "mill")
    run = RunDir(tmp_path / "runs" / "r1")
    run.inputs.mkdir(parents=True)
    run.output.mkdir()
    grant = make_grant(manifest, DATA)
    write_json(run.inputs / "grant.json", {**grant, "identifier": manifest.identifier})
    save_model(run)
    return run


def save_model(run):
    torch.manual_seed(0)
    model = TelemetryModel(OPTIONS, context=96, horizon=16)
    facts = artefact.ModelFacts(
        name="tiny", family="telemetry", options=OPTIONS, context=96, horizon=16,
        quantiles=model.quantiles, dataset="mill@0", step=1, seed=0,
    )  # fmt: skip
    artefact.save(run.output / "model", model, facts)


def job(**changes):
    return TrainJob(data=DATA, evaluate=Evaluate(**{"max_windows": 20, **changes}))


def alone(run, asked):
    with open_world(run) as world, StopFlag(run, 0) as stop:
        told = evaluate(asked, run, world, stop)
    return told, json.loads((run.output / "evaluation.json").read_text())


class Threads:
    """The border between ranks, played by threads: everyone meets at a barrier and sees what all brought."""

    def __init__(self, size):
        self.barrier = threading.Barrier(size, timeout=60)
        self.brought = [None] * size

    def meet(self, rank, value):
        self.brought[rank] = value
        self.barrier.wait()
        seen = list(self.brought)
        self.barrier.wait()
        return seen


class ThreadWire:
    def __init__(self, threads, rank):
        self.threads, self.rank = threads, rank

    def sum(self, values):
        return np.sum(self.threads.meet(self.rank, values), axis=0)

    def share(self, text):
        return self.threads.meet(self.rank, text)[0]

    def collect(self, text):
        return self.threads.meet(self.rank, text)


def together(run, asked, size):
    threads, told = Threads(size), [None] * size

    def one(rank):
        place = find_place({"RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_RANK": str(rank)})
        told[rank] = evaluate(asked, run, World(place, lambda: ThreadWire(threads, rank)), stop)

    stop = StopFlag(run, 0)
    ranks = [threading.Thread(target=one, args=(rank,)) for rank in range(size)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join()
    return told, json.loads((run.output / "evaluation.json").read_text())


def test_the_report_holds_what_its_readers_count_on(run):
    told, report = alone(run, job())
    assert report["format"] == "forgia.evaluation/1"
    assert report["dataset"].startswith("mill@")
    assert report["model"]["parameters"] > 0
    rows = {(row["split"], row["method"]): row for row in report["scores"]}
    assert set(rows) == {
        ("held_out_machines", method) for method in ("model", "seasonal_naive", "linear")
    }
    naive = rows["held_out_machines", "seasonal_naive"]
    assert naive["windows"] == 20
    assert 0.5 < naive["mase"] < 2
    assert set(naive["coverage"]) == {"0.5", "0.8"}
    assert rows["held_out_machines", "linear"]["sql"] < naive["sql"]
    whole = {
        (row["method"], row["metric"]): row
        for row in report["skill"]
        if (row["contribution"], row["split"]) == ("all", "all")
    }
    assert set(whole) == {(m, k) for m in ("model", "linear") for k in ("sql", "mase")}
    assert all(row["low"] <= row["skill"] <= row["high"] for row in whole.values())
    assert told["model_sql_skill"] == whole["model", "sql"]["skill"]
    assert told["windows"] == 20


def test_examples_carry_units_gaps_and_both_forecasts(run):
    _, report = alone(run, job(examples=2, max_windows=40))
    assert len(report["examples"]) == 2
    for example in report["examples"]:
        assert example["asset"] == "mill_3"
        assert (example["channel"], example["unit"]) in {("temperature", "Cel"), ("flow", "m3/h")}
        assert example["step_seconds"] == 60
        assert len(example["context"]) == 96
        assert {len(example["truth"]), len(example["naive"])} == {16}
        assert set(example["quantiles"]) == {"0.1", "0.5", "0.9"}


def test_the_labelled_stretch_is_scored_and_the_end_of_the_run_is_not_one(run):
    _, report = alone(run, job())
    (entry,) = report["anomaly"]
    assert (entry["asset"], entry["channel_count"], entry["start"]) == ("mill_3", 3, 32)
    assert entry["step_seconds"] == 60
    assert len(entry["scores"]) == 400 - 32
    assert entry["labels"] == [[200 - 32, 239 - 32]]
    assert entry["baseline_auc"] > 0.9
    assert 0 <= entry["auc"] <= 1


def test_what_was_left_out_is_said(run):
    _, report = alone(run, job(coverage=[0.5, 0.95]))
    said = "\n".join(report["notes"])
    assert "mill: no window in held_out_time." in said
    assert "series were not scored, because their context repeats itself exactly" in said
    assert "Coverage at 0.95 is not given" in said


def test_progress_ends_at_the_total(run):
    alone(run, job())
    rows = [row for row in read_metrics(run.metrics) if row["phase"] == "evaluate"]
    assert rows[-1]["step"] == rows[-1]["of"] == 21
    assert [row["step"] for row in rows] == sorted(row["step"] for row in rows)


@pytest.mark.parametrize("size", [2, 3])
def test_the_number_of_ranks_changes_no_digit(run, size):
    _, expected = alone(run, job())
    (run.output / "evaluation.json").unlink()
    told, report = together(run, job(), size)
    assert report == expected
    assert all(one == told[0] for one in told)


def test_one_jump_of_a_channel_that_stood_still_does_not_outweigh_all_else(tmp_path):
    segments = []
    for at, one in enumerate(SEGMENTS):
        values = one.values.copy()
        values[2] = np.random.default_rng(at).integers(6, 9, values.shape[1])
        segments.append(replace(one, values=values))
    held_out = segments[2].values[2]
    held_out[:] = 7.0
    held_out[::70] = np.float32(7.001)  # a tick: the seasonal error is near zero, but not zero
    held_out[300] = 9.0
    _, report = alone(sealed(tmp_path, tuple(segments)), job(anomaly=False))
    rows = {row["method"]: row["mase"] for row in report["scores"]}
    assert rows["seasonal_naive"] < 3  # 150 without a least scale


def test_the_spread_of_a_channel_is_that_of_its_training_steps(run):
    grant = json.loads((run.inputs / "grant.json").read_text())
    with open_dataset(grant) as dataset:
        spreads = channel_spreads(dataset, "mill", Data())
        ones = channel_spreads(dataset, "mill", Data(normalise="channel"))
    values = np.concatenate([one.values[0] for one in SEGMENTS if one.split is Split.train])
    assert spreads[0, "temperature"] == pytest.approx(np.nanstd(values))
    assert spreads[0, "still"] == 0
    assert (ones[0, "temperature"], ones[0, "still"]) == (1, 0)


@pytest.mark.parametrize("change", [{"normalise": "channel"}, {"rate_hz": "1/30"}])
def test_values_read_otherwise_are_judged_in_their_own_units_and_no_anomalies(run, change):
    asked = TrainJob(data=replace(DATA, **change), evaluate=Evaluate(max_windows=4))
    _, report = alone(run, asked)
    assert report["anomaly"] == []
    assert any("No anomaly scores" in note for note in report["notes"])
    assert all(np.isfinite(row["mase"]) for row in report["scores"] if row["method"] == "model")


def test_another_run_is_judged_where_the_job_says_so(run, tmp_path):
    other = RunDir(tmp_path / "runs" / "r2")
    other.inputs.mkdir(parents=True)
    write_json(other.inputs / "grant.json", json.loads((run.inputs / "grant.json").read_text()))
    for source in (str(run.path), run.name):
        asked = EvaluateJob(data=DATA, evaluate=Evaluate(run=source, max_windows=4, anomaly=False))
        _, report = alone(other, asked)
        assert report["model"]["name"] == "tiny"


def test_a_model_that_was_replaced_after_submission_is_refused(run):
    files = {"model.safetensors": "0" * 64}
    write_json(run.inputs / "model.json", {"directory": str(run.output / "model"), "files": files})
    with pytest.raises(
        SealBrokenError, match=r"model\.safetensors is not the file that was sealed"
    ):
        alone(run, job())


def test_a_wish_to_stop_is_met_and_nothing_half_is_left(run):
    request_stop(run, 0)
    with pytest.raises(StoppedError, match="0 of 21 windows"):
        alone(run, job())
    assert not (run.output / "evaluation.json").exists()


def test_splits_that_do_not_exist_or_are_empty_are_the_users_to_mend(run):
    with pytest.raises(InputError, match=r"evaluate\.splits: got 'tomorrow', one of train"):
        alone(run, job(splits=["tomorrow", "held_out_time"]))
    with pytest.raises(InputError, match="no window of"):
        alone(run, job(splits=["held_out_time"]))


def test_without_training_data_there_is_no_linear_baseline_but_a_word_about_it(run):
    grant = json.loads((run.inputs / "grant.json").read_text())
    shards = grant["contributions"][0]["shards"]
    grant["contributions"][0]["shards"] = [one for one in shards if one["split"] != "train"]
    write_json(run.inputs / "grant.json", {**grant, "digest": grant_digest(grant)})
    _, report = alone(run, job())
    assert {row["method"] for row in report["scores"]} == {"model", "seasonal_naive"}
    assert report["anomaly"][0]["baseline_auc"] is None
    assert any("no linear baseline" in note for note in report["notes"])
