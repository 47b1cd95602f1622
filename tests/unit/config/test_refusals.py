"""Each check that refuses a job before it is submitted, on its own."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from forgia_hpc.config import shape
from forgia_hpc.config.check import check, check_asked, check_batch, complete
from forgia_hpc.config.compose import compose_job
from forgia_hpc.config.places import area_of, place_problems, places_of
from forgia_hpc.config.secret_words import in_text
from forgia_hpc.config.secrets import find_secrets, looks_secret, untold
from forgia_hpc.config.shape import architecture_problems
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.jobs.chain_file import members_asked
from forgia_hpc.schema.job import CommandJob, Job, Kind
from forgia_hpc.schema.resources import Resources, parse_walltime
from forgia_hpc.slurm.cluster import load_cluster
from forgia_hpc.slurm.profile import Cluster

LEONARDO = ("resources.account=AIFAC_L01", "resources.walltime=00:20:00")


def command(
    argv: list[str],
    *overrides: str,
    cluster: str = "leonardo_booster",
    env: dict[str, str] | None = None,
) -> tuple[Job, Cluster]:
    profile = load_cluster(cluster)
    job = compose_job(Kind.command, [f"cluster={cluster}", *LEONARDO, *overrides])
    assert isinstance(job, CommandJob)
    job.command.argv, job.command.env = argv, env or {}
    job.resources = complete(job.resources, profile)
    return job, profile


def refused(*arguments: Any, **words: Any) -> list[Problem]:
    return check(*command(*arguments, **words))


def fields(*arguments: Any, **words: Any) -> list[str]:
    return [problem.field for problem in refused(*arguments, **words)]


def asked(cluster: str, **resources: Any) -> list[Problem]:
    job = compose_job(Kind.command, [f"cluster={cluster}"])
    return check_asked(
        dataclasses.replace(job, resources=Resources(**resources)), load_cluster(cluster)
    )


def test_a_sane_command_passes() -> None:
    assert fields(["python", "train.py"]) == []


def test_no_time_is_refused_where_hours_are_charged_and_half_an_hour_elsewhere() -> None:
    assert [p.field for p in asked("leonardo_booster")] == ["resources.walltime"]
    assert asked("leonardo_booster", walltime="00:10:00") == []
    for free in ("dev", "local"):
        assert asked(free) == []
    assert complete(Resources(), load_cluster("dev")).walltime == "00:30:00"


def test_the_debug_qos_at_31_minutes() -> None:
    (problem,) = refused(["x"], "resources.qos=boost_qos_dbg", "resources.walltime=00:31:00")
    assert problem.field == "resources.walltime"
    assert problem.limit == "boost_qos_dbg allows 00:30:00"
    assert "00:30:00" in problem.fix
    assert fields(["x"], "resources.qos=boost_qos_dbg", "resources.walltime=00:30:00") == []


def test_482_gb_fit_and_483_do_not() -> None:
    assert fields(["x"], "resources.mem_gb=482") == []
    assert fields(["x"], "resources.mem_gb=483") == ["resources.mem_gb"]


def frontier(*overrides: str) -> list[Problem]:
    profile = load_cluster("frontier")
    job = compose_job(Kind.command, ["cluster=frontier", "resources.account=abc123", *overrides])
    job.resources = complete(job.resources, profile)
    return [p for p in check(job, profile) if p.field == "resources.walltime"]


def test_on_frontier_the_longest_walltime_grows_with_the_nodes() -> None:
    partition = "resources.partition=batch"
    (problem,) = frontier(partition, "resources.nodes=100", "resources.walltime=08:00:00")
    assert problem.limit == "batch allows 06:00:00"
    assert frontier(partition, "resources.nodes=100", "resources.walltime=06:00:00") == []
    assert frontier(partition, "resources.nodes=184", "resources.walltime=08:00:00") == []
    assert frontier(partition, "resources.nodes=91", "resources.walltime=02:00:01") != []


@pytest.mark.parametrize("nodes", [257, 1000])
def test_more_nodes_than_any_qos_has(nodes: int) -> None:
    assert fields(["x"], f"resources.nodes={nodes}") == ["resources.nodes"]


def test_a_qos_that_the_partition_does_not_take() -> None:
    (problem,) = refused(["x"], "resources.qos=boost_usr_prod")
    assert (problem.field, problem.got) == ("resources.qos", "boost_usr_prod")
    assert "normal" in problem.limit


def test_a_partition_that_no_longer_exists() -> None:
    job, profile = command(["x"], "resources.partition=boost_usr_prod")
    gone = tuple(
        dataclasses.replace(p, gone=p.name == "boost_usr_prod") for p in profile.partitions
    )
    found = check(job, dataclasses.replace(profile, partitions=gone, limits_as_of="2026-11-01"))
    assert any("no longer has it" in problem.limit for problem in found)


def test_more_cores_than_a_node_has_and_the_reserved_ones_do_not_count() -> None:
    assert fields(["x"], "resources.cpus_per_rank=9") == ["resources.cpus_per_rank"]
    lumi = load_cluster("lumi_g")
    job = compose_job(
        Kind.command, ["cluster=lumi_g", "resources.account=project_1", "resources.cpus_per_rank=8"]
    )
    job.resources = complete(job.resources, lumi)
    assert "resources.cpus_per_rank" in [
        p.field for p in check(job, lumi)
    ]  # 56 of 64 cores are ours


def test_memory_where_the_site_forbids_to_ask() -> None:
    wanted = {"walltime": "00:10:00", "mem_gb": 100}
    assert [p.field for p in asked("marenostrum5_acc", **wanted)] == ["resources.mem_gb"]
    assert asked("marenostrum5_acc", walltime="00:10:00") == []


def test_a_gpu_partition_without_a_gpu_needs_force() -> None:
    job, profile = command(["x"], "resources.gpus_per_node=0", "resources.ranks_per_node=1")
    (problem,) = check(job, profile)
    assert problem.field == "resources.gpus_per_node"
    assert "lrd_all_serial" in problem.fix
    assert check(job, profile, force=True) == []


def test_an_account_where_hours_are_charged() -> None:
    assert fields(["x"], "resources.account=null") == ["resources.account"]


def on_leonardo(places: dict[str, str]) -> list[str]:
    return [p.field for p in place_problems(places, load_cluster("leonardo_booster"), "")]


def test_paths_that_compute_nodes_do_not_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRES", "/leonardo_dres/me")
    monkeypatch.delenv("TMPDIR", raising=False)
    places = {
        "a": "/scratch_local/x",
        "b": "/tmp/x",
        "c": "$DRES/x",
        "d": "/leonardo_work/p/x",
        "e": "/opt",
    }
    assert on_leonardo(places) == ["a", "b", "c"]


def test_the_paths_of_a_job_are_those_that_its_nodes_open() -> None:
    job, profile = command(
        ["python", "x.py", "--data=/tmp/d"], env={"OUT": "/scratch_local/o", "N": "3"}
    )
    places = places_of(job, (Path("/leonardo_work/p/runs"), Path("/leonardo_work/p/data")))
    assert set(places) == {"FORGIA_RUNS", "FORGIA_DATA", "command.env.OUT", "command.argv /tmp/d"}
    assert area_of("/leonardo_work/p/runs", profile) is not None


@pytest.mark.parametrize(
    "line",
    [
        "pip install torch",
        "python -m pip install .",
        "git clone https://x",
        "wget http://x",
        "hf download m",
    ],
)
def test_the_network_on_an_offline_site(line: str) -> None:
    assert fields(line.split()) == ["command.argv"]
    assert (
        fields(line.split(), "resources.partition=lrd_all_serial", "resources.ranks_per_node=1")
        == []
    )
    assert fields(line.split(), cluster="dev") == []


def test_an_online_switch_on_an_offline_site() -> None:
    assert fields(["x"], env={"WANDB_MODE": "online"}) == ["command.env.WANDB_MODE"]
    assert fields(["x"], env={"HF_HUB_OFFLINE": "0"}) == ["command.env.HF_HUB_OFFLINE"]
    assert fields(["x"], env={"WANDB_MODE": "offline"}) == []


def test_an_interpreter_of_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shape.platform, "machine", lambda: "x86_64")
    assert architecture_problems(load_cluster("leonardo_booster"), "") == []
    assert (
        architecture_problems(load_cluster("jupiter_booster"), "")[0].limit
        == "the nodes are aarch64"
    )


def test_ranks_and_gpus_of_a_training_are_as_many() -> None:
    profile = load_cluster("leonardo_booster")
    words = [*LEONARDO, "resources.ranks_per_node=2", "resources.gpus_per_node=4"]
    job = compose_job(Kind.train, ["cluster=leonardo_booster", *words])
    job.resources = complete(job.resources, profile)
    assert "resources.ranks_per_node" in [p.field for p in check(job, profile)]
    assert check_batch(job) == []


@pytest.mark.parametrize(
    "name",
    [
        "HF_TOKEN",
        "password",
        "db_password",
        "api_key",
        "WANDB_API_KEY",
        "client-secret",
        "aws.access_key",
    ],
)
def test_a_name_that_tells_of_a_secret(name: str) -> None:
    assert looks_secret(name, "3f8a9c0d1e2b")
    for harmless in (
        "",
        "null",
        "$TOKEN",
        "${oc.env:X}"[:2] + "X}",
        "/run/secrets/x",
        "<eos>",
        "4096",
    ):
        assert looks_secret(name, harmless) is None, harmless


@pytest.mark.parametrize(
    "value",
    [
        "hf_" + "a" * 30,
        "ghp_" + "A1" * 18,
        "AKIA" + "ABCDEFGHIJKLMNOP",
        "-----BEGIN RSA PRIVATE KEY-----\nMII",
        "https://me:pw@proxy:3128",
        "Authorization: Bearer " + "x" * 20,
        "sk-" + "x" * 40,
    ],
)
def test_a_secret_is_refused_wherever_it_stands_and_never_echoed(value: str) -> None:
    for job in (command(["python", "x.py", value]), command(["x"], env={"PLAIN": value})):
        (problem,) = check(*job)
        assert problem.got == "hidden"
        assert value not in str(problem)


def test_a_secret_behind_an_option() -> None:
    for argv in (["x", "--api-key", "q9w8e7r6t5"], ["x", "--password=q9w8e7r6t5"]):
        (problem,) = refused(argv)
        assert problem.field == "command.argv"
        assert "q9w8e7" not in str(problem)
    assert list(find_secrets({"command": {"argv": ["x", "--max-tokens", "512000000"]}})) == []


@pytest.mark.parametrize(
    "word",
    [
        "HF_TOKEN=q9w8e7r6t5",
        "+wandb.api_key=q9w8e7r6t5",
        "export PGPASSWORD='q9w8e7r6t5'; python x",
    ],
)
def test_a_secret_set_in_a_word(word: str) -> None:
    (problem,) = refused(["bash", "-c", word])
    assert problem.field == "command.argv"
    assert "q9w8e7" not in str(problem)


@pytest.mark.parametrize(
    "word", ["HF_TOKEN=$HF_TOKEN x", 'HF_TOKEN="$(cat ~/key)" x', "tokenizer=bpe", "max_token=512"]
)
def test_a_secret_that_is_read_on_the_node_is_none(word: str) -> None:
    assert list(find_secrets({"command": {"argv": ["bash", "-c", word]}})) == []


OPAQUE = "q9w8e7r6t5"
SECRETS = [
    f"--key {OPAQUE}",
    f"--key={OPAQUE}",
    f"--token {OPAQUE}",
    f"--hf-token={OPAQUE}",
    f"-token {OPAQUE}",
    f"WANDB_KEY={OPAQUE}",
    f"GITHUB_PAT={OPAQUE}",
    f"MY_OWN_PAT={OPAQUE}",
    f"AUTH={OPAQUE}",
    f"AUTH_TOKEN={OPAQUE}",
    f"X_AUTHORIZATION={OPAQUE}",
    f"BASIC_AUTH={OPAQUE}",
    f"accessToken={OPAQUE}",
    f"curl -H 'X-Api-Key: {OPAQUE}'",
    "curl -H 'Authorization: Basic dXNlcjpwdw=='",
    f"curl -s -u me:{OPAQUE} https://x",
    "Bearer 8f14e45fceea167a",
    "hf_" + "a1" * 15,
    "gho_" + "A1" * 18,
    "github_pat_" + "A1" * 20,
    "ASIA" + "ABCDEFGHIJKLMNOP",
    "AIza" + "x" * 35,
    "sk-proj-" + "x" * 30,
    "xoxe-1234567890-abc",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc",
    "-----BEGIN OPENSSH PRIVATE KEY-----",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----",
    "postgres://me:p4ss:w0rd@db/x",
    "redis://:hunter2@cache:6379",
]
PLAIN = [
    "tokenizer=bpe-32k1",
    "--tokenizer gpt2-medium",
    "key_metric=val_loss_2",
    "--key-metric val_loss_2",
    "authors=Rossi2026",
    "--author q9w8e7r6t5",
    "monkey=q9w8e7r6t5",
    "--key temperature",
    "--sort-key x9y8z7w6",
    "--key sensor_12",
    "group_key=q9w8e7r6t5",
    "--max-tokens 512000000",
    "pattern=*.csv",
    "FILE_PAT=run[0-9]*.csv",
    "AUTH=kerberos",
    "--key $KEY",
    "WANDB_KEY=$(cat /home/me/key)",
    "https://user:$PASSWORD@host/x",
    "curl -u me https://x:8080/y",
    "curl -u me:$PASSWORD https://x",
    "cp x ~/.tokens --token-file ~/.tokens/hf",
    "https://example.org/a@b",
    "-----BEGIN RSA PUBLIC KEY-----",
    "sorted(x, key=operator.itemgetter(1))",
    "def f(token: str) -> None: ...",
    "the bearer of news",
    "authorization: none",
    "pathos=q9w8e7r6t5",
]


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_found_in_every_place_and_told_in_none(text: str, tmp_path: Path) -> None:
    for argv in (["x", *text.split()], ["bash", "-c", text]):
        assert list(find_secrets({"command": {"argv": argv}})), argv
    name, equals, value = text.partition("=")
    if equals and name.isidentifier():
        assert list(find_secrets({"command": {"env": {name: value}}}))
    told = str(untold(Problem(field="seed", got=text, limit=f"Value '{text}' is no number")))
    assert OPAQUE not in told
    assert text not in told
    chain = tmp_path / "chain.yaml"
    chain.write_text(yaml.safe_dump({"one": {"kind": "command", "arg": [text], "argv": text}}))
    for content in (chain.read_text(), f"one: {{kind: command, argv: [{text!r}"):
        chain.write_text(content)
        with pytest.raises(InputError) as caught:
            members_asked([f"chain={chain}"])
        assert text not in str(caught.value)
        assert OPAQUE not in str(caught.value)


@pytest.mark.parametrize("text", PLAIN)
def test_what_only_sounds_like_a_secret_is_none(text: str) -> None:
    for argv in (["x", *text.split()], ["bash", "-c", text]):
        assert not list(find_secrets({"command": {"argv": argv}})), argv
    assert in_text(text) is None


def test_an_error_does_not_repeat_a_secret() -> None:
    for field, got in (("hf_token", "q9w8e7r6t5"), ("seed", "hf_" + "a" * 30)):
        told = untold(Problem(field=field, got=got, limit=f"Value '{got}' is no number"))
        assert got not in str(told)
    plain = Problem(field="seed", got="x", limit="Value 'x' is no number")
    assert untold(plain) is plain


def test_every_shipped_job_is_without_a_secret() -> None:
    for kind in Kind:
        if kind.value in ("prepare", "train", "evaluate", "command"):
            assert list(find_secrets(dataclasses.asdict(compose_job(kind, [])))) == []


def test_more_ranks_than_cpus_are_told_as_ranks() -> None:
    (problem,) = check(*command(["x"], "resources.ranks_per_node=999999"))
    assert problem.field == "resources.ranks_per_node"
    assert "32 CPUs a node, so at most 32 ranks" in problem.limit


def test_what_is_missing_is_nothing() -> None:
    assert "got nothing, a name" in str(Problem(field="x", got=None, limit="a name is needed"))


def test_a_launcher_inside_every_rank() -> None:
    torchrun = ["torchrun", "--nproc-per-node=4", "train.py"]
    assert fields(torchrun, "resources.ranks_per_node=4") == ["command.argv"]
    assert fields(torchrun, "launch=torchrun", "resources.ranks_per_node=1") == ["command.argv"] * 2
    one = ["resources.ranks_per_node=1", "resources.gpus_per_node=4", "resources.cpus_per_rank=32"]
    assert fields(torchrun, *one) == []


def test_a_program_that_would_be_asked_to_stop_at_once() -> None:
    assert fields(["x"], "command.save_s=1169") == []
    assert fields(["x"], "command.save_s=1170") == ["command.save_s"]
    assert fields(["x"], "resources.walltime=00:00:40") == []  # Slurm makes a minute of it


def test_half_of_the_gpus_started() -> None:
    one = ["resources.ranks_per_node=1", "resources.gpus_per_node=4"]
    (problem,) = refused(
        ["python", "-m", "torch.distributed.run", "--nproc_per_node=2", "t.py"], *one
    )
    assert "4 GPUs a node are asked for" in problem.limit


def test_plain_processes_over_two_nodes() -> None:
    assert "launch" in fields(["x"], "launch=processes", "resources.nodes=2")


def test_a_walltime_has_digits_that_slurm_reads() -> None:
    assert parse_walltime("00:30:00") == 1800
    assert parse_walltime("0\u0663:00:00") is None


def test_an_unnamed_partition_of_gpus_has_a_name_in_the_refusal() -> None:
    job, profile = command(["x"], "resources.gpus_per_node=0", cluster="jean_zay_h100")
    told = [problem.limit for problem in check(job, profile)]
    assert any(limit.startswith("the default is a partition of GPUs") for limit in told)


@pytest.mark.parametrize("text", ["$ACCOUNT", "a b", "a;b", "a\nb", 'a"b', "a'b", "${X}"])
def test_directives_take_no_variables_quotes_or_breaks(text: str) -> None:
    for name in ("account", "partition", "qos"):
        with pytest.raises(InputError, match=f"resources.{name}"):
            Resources(**{name: text})


@pytest.mark.parametrize("text", ["a b", "a;b", "a\nb", 'a"b', "a'b", "$x", "-x"])
def test_labels_are_one_word(text: str) -> None:
    with pytest.raises(InputError, match="label"):
        CommandJob(label=text)
    assert CommandJob(label="night.run_2-b").label == "night.run_2-b"
