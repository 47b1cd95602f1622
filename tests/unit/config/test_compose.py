from __future__ import annotations

from pathlib import Path

import pytest
from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import OmegaConf

from forgia_hpc import sources
from forgia_hpc.config.compose import as_yaml, compose_job
from forgia_hpc.config.groups import groups, keys
from forgia_hpc.errors import InputError, SealBrokenError
from forgia_hpc.schema.job import JOBS, CommandJob, Kind, TrainJob
from forgia_hpc.schema.load import load_job

EVERY_OPTION = [
    (kind, name, option)
    for kind in Kind
    for name, options in groups(kind).items()
    for option in options
]


def problems_of(kind: Kind, *overrides: str) -> dict[str, str]:
    with pytest.raises(InputError) as caught:
        compose_job(kind, overrides)
    return {problem.field: problem.limit for problem in caught.value.problems}


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_composes_and_comes_back_from_its_yaml(kind: Kind, tmp_path: Path) -> None:
    job = compose_job(kind, ["resources.walltime=01:02:03"])
    (tmp_path / "config.yaml").write_text(as_yaml(job))
    # YAML 1.1 reads 01:02:03 as a number of base 60
    assert load_job(tmp_path / "config.yaml") == job
    assert job.resources.walltime_seconds == 3723


@pytest.mark.parametrize(("kind", "name", "option"), EVERY_OPTION)
def test_every_option_of_every_group_composes(kind: Kind, name: str, option: str) -> None:
    assert isinstance(compose_job(kind, [f"{name}={option}"]), JOBS[kind])


def test_every_file_in_configs_is_reached() -> None:
    root = sources.shipped("configs")
    reached = {root / f"{kind.value}.yaml" for kind in Kind}
    reached |= {root / name / f"{option}.yaml" for _, name, option in EVERY_OPTION}
    assert set(root.rglob("*.yaml")) == reached


def test_all_wrong_overrides_are_told_at_once() -> None:
    found = problems_of(
        Kind.train, "resources.nodez=2", "train.steps=many", "data=foo", "parallel=zero3", "bla"
    )
    assert set(found) == {"resources.nodez", "train.steps", "data", "bla"}
    assert found["resources.nodez"] == "no such key"
    assert found["data"].startswith("one of consortium, demo")


def test_all_values_out_of_range_are_told_at_once() -> None:
    found = problems_of(
        Kind.train,
        "resources.nodes=0",
        "resources.walltime=2h",
        "train.steps=0",
        "parallel.zero_stage=4",
        "evaluate.coverage=[0.5,1.5]",
    )
    assert set(found) == {
        "resources.nodes",
        "resources.walltime",
        "train.steps",
        "parallel.zero_stage",
        "evaluate.coverage",
    }


def test_a_user_root_adds_options_and_never_shadows_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "mine" / "configs" / "model"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text("name: mine\nfamily: mymodel:Model\n")
    monkeypatch.setenv("FORGIA_PATH", str(tmp_path / "mine"))
    job = compose_job(Kind.train, ["model=mine"])
    assert isinstance(job, TrainJob)
    assert job.model.family == "mymodel:Model"
    (own / "telemetry_nano.yaml").write_text("name: stolen\n")
    with pytest.raises(InputError, match="stands already in"):
        groups(Kind.train)


def test_user_defaults_lose_against_overrides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "forgia").mkdir()
    (tmp_path / "forgia" / "config.yaml").write_text("cluster: dev\naccount: forgia_a\n")
    assert compose_job(Kind.command, []).cluster == "dev"
    job = compose_job(Kind.command, ["cluster=local"])
    assert (job.cluster, job.resources.account) == ("local", "forgia_a")
    (tmp_path / "forgia" / "config.yaml").write_text("clutser: dev\n")
    with pytest.raises(InputError, match="clutser"):
        compose_job(Kind.command, [])


def test_an_edited_config_that_does_not_load_is_a_broken_seal(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(as_yaml(compose_job(Kind.train, [])).replace("steps:", "stepz:"))
    with pytest.raises(SealBrokenError, match="stepz"):
        load_job(path)


def test_the_keys_offered_to_the_shell_are_the_schema() -> None:
    offered = set(keys(Kind.train))
    assert {"train.steps", "resources.walltime", "parallel.zero_stage"} <= offered
    config = OmegaConf.to_container(OmegaConf.structured(JOBS[Kind.train]))
    assert {key.split(".")[0] for key in offered} == set(config)


def test_the_keys_of_free_mappings_may_be_new() -> None:
    job = compose_job(Kind.train, ["model.options={width: 32}", "model.options.seen=64"])
    assert isinstance(job, TrainJob)
    assert (job.model.options["width"], job.model.options["seen"]) == (32, 64)
    command = compose_job(Kind.command, ["command.env.LOG_LEVEL=debug"])
    assert command.command.env == {"LOG_LEVEL": "debug"}  # type: ignore[attr-defined]


FOREIGN = [
    "${HOME}",
    "$HOME",
    r"\${x}",
    r"\\${x}",
    "${a:b}",
    "${",
    "$${seed}",
    "a ${x} and \\${y}\\",
    "größe-数-🎈",
    'it\'s "quoted"',
    "two\nlines\n",
    "tab\there",
    " ",
    "",
    "???",
    "1e-3",
    "010",
    "true",
    "null",
    "01:02:03",
    "2026-11-22",
    "a\u2028b\x85c",
]


@pytest.mark.parametrize("text", FOREIGN)
def test_the_words_of_a_program_travel_byte_for_byte(text: str, tmp_path: Path) -> None:
    job = compose_job(Kind.command, [])
    assert isinstance(job, CommandJob)
    job.command.argv, job.command.env = ["sh", "-c", text], {"SAID": text}
    (tmp_path / "config.yaml").write_text(as_yaml(job), encoding="utf-8")
    assert load_job(tmp_path / "config.yaml") == job


@pytest.mark.parametrize("text", [each for each in FOREIGN if each not in ("???", "${")])
def test_no_key_of_ours_is_read_in_what_a_program_is_told(text: str) -> None:
    word = QuotedString(text, Quote.single).with_quotes()
    overrides = [f"command.env.SAID={word}", f"command.argv=[echo,{word}]"]
    job = compose_job(Kind.command, overrides)
    assert isinstance(job, CommandJob)
    assert job.command.env == {"SAID": text}
    assert job.command.argv == ["echo", text]


@pytest.mark.parametrize("text", ["${HOME}/bin", "$HOME", "1e-3", "true", "null", "010", "1_000"])
def test_a_variable_needs_no_quotes(text: str) -> None:
    job = compose_job(Kind.command, [f"command.env.SAID={text}"])
    assert isinstance(job, CommandJob)
    assert job.command.env == {"SAID": text}


def test_elsewhere_a_value_may_still_name_another() -> None:
    assert compose_job(Kind.train, ["seed=7", "train.steps=${seed}"]).train.steps == 7  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("steps: 200", "steps: many"),
        ("kind: train", "kind: dance"),
        ("bf16", "fp8"),
        ("seed: 0", "seed: []"),
        ("kind: train", "- kind"),
    ],
)
def test_a_sealed_config_of_other_types_is_no_config(old: str, new: str, tmp_path: Path) -> None:
    text = as_yaml(compose_job(Kind.train, []))
    assert old in text
    (tmp_path / "config.yaml").write_text(text.replace(old, new))
    with pytest.raises(SealBrokenError, match="not a sealed config"):
        load_job(tmp_path / "config.yaml")


@pytest.mark.parametrize(
    "word", ["label=${oc.env:WANDB_API_KEY}", "+resources.qos=x${oc.env:HOME,y}"]
)
def test_a_variable_of_the_shell_is_not_read_into_a_config(
    word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "hunter2hunter2")
    with pytest.raises(InputError, match="would be sealed") as caught:
        compose_job(Kind.train, [word])
    assert "hunter2" not in str(caught.value)


def test_the_same_words_reach_a_program_as_they_are() -> None:
    job = compose_job(Kind.command, ["command.argv=['${oc.env:HOME}']"])
    assert isinstance(job, CommandJob)
    assert job.command.argv == ["${oc.env:HOME}"]
