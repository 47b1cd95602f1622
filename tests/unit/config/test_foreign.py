"""Scripts that people wrote by hand, with the mistakes that people make."""

from __future__ import annotations

from pathlib import Path

import pytest

from forgia_hpc.config.foreign import check_script
from forgia_hpc.slurm.cluster import load_cluster
from forgia_hpc.slurm.foreign import asked_by, megabytes, read_script, seconds

GOOD = """#!/bin/bash
#SBATCH --job-name=good
#SBATCH -A AIFAC_L01 -p boost_usr_prod
#SBATCH --nodes=2 --ntasks-per-node=1 --cpus-per-task=32
#SBATCH --gres=gpu:a100:4 --mem=480G
#SBATCH --time=1-00:00:00   # a day
#SBATCH --exclusive
module purge
export MASTER_PORT=$((20000 + SLURM_JOB_ID % 20000))
srun python -m torch.distributed.run --nproc-per-node=4 train.py
"""


def checked(tmp_path: Path, text: str, cluster: str | None = "leonardo_booster") -> tuple[str, str]:
    path = tmp_path / "job.sbatch"
    path.write_text(text)
    wrong, unwise = check_script(path, load_cluster(cluster) if cluster else None)
    return "\n".join(map(str, wrong)), "\n".join(map(str, unwise))


def test_a_good_script_passes(tmp_path: Path) -> None:
    assert checked(tmp_path, GOOD) == ("", "")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("#SBATCH --time", "# SBATCH --time", "makes it a comment"),
        ("#SBATCH --time=1-00:00:00   # a day\n", "", "no walltime"),
        ("--time=1-00:00:00", "--time=2-00:00:00", "boost_usr_prod allows 1-00:00:00"),
        ("module purge", "module purge\n#SBATCH --mem=1G", "no header after the first command"),
        ("--job-name=good", "--output=$LOGS/x.out", "expands no variables"),
        ("--job-name=good", "--output=nowhere/x.out", "no directory nowhere"),
        ("--job-name=good", '--job-name="a b;c"', "one word without quotes"),
        ("--exclusive", "--gpus-per-node=4", "asked for twice"),
        ("--exclusive", "--exlusive", "did you mean --exclusive"),
        ("gpu:a100:4", "gpu:8", "a node has 4 GPUs"),
        ("1-00:00:00", "2-00:00:00", "--time: got"),
        ("srun python", "python", "without srun it starts on the first of 2 nodes"),
        ("--nproc-per-node=4", "--nproc-per-node=2", "4 GPUs a node are asked for"),
        ("--mem=480G", "--mem=483G", "a node has 494000 MB"),
        ("--cpus-per-task=32", "--cpus-per-task=33", "33 cores"),
        ("--nodes=2", "--nodes=65", "allows 64"),
        ("-A AIFAC_L01", "", "an account is charged"),
        ("--gres=gpu:a100:4 ", "", "they would idle"),
        ("-p boost_usr_prod", "-p booster", "one of boost_usr_prod"),
        ("--exclusive", "--qos=boost_usr_prod", "allows"),
        ("module purge", "pip install torch", "reach no internet"),
        ("module purge", "cp x /scratch_local/y", "no compute node sees it"),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, before: str, after: str, said: str) -> None:
    assert before in GOOD
    wrong, _ = checked(tmp_path, GOOD.replace(before, after))
    assert said in wrong


def test_a_secret_in_a_script_is_not_repeated(tmp_path: Path) -> None:
    for line in ("export WANDB_API_KEY=0123456789abcdef", "login hf_" + "a" * 30):
        wrong, _ = checked(tmp_path, GOOD + line, None)
        assert "for others to read" in wrong
        assert "0123456789abcdef" not in wrong
        assert "aaaa" not in wrong
    assert checked(tmp_path, GOOD + "export WANDB_API_KEY=$(cat ~/.key)", None)[0] == ""


def test_what_only_wastes_is_a_warning(tmp_path: Path) -> None:
    _, unwise = checked(
        tmp_path, GOOD + "export NCCL_DEBUG=TRACE\nexport MASTER_PORT=29500\n", None
    )
    assert "debug logging" in unwise
    assert "fixed port" in unwise


def test_the_request_is_read_in_all_its_forms(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("#SBATCH -N4 -n 16 -c8 -G 8 -t90\n#SBATCH --mem=2000\n")
    asked = asked_by(read_script(path))
    assert (asked.nodes, asked.cpus, asked.gpus, asked.seconds, asked.mem_mb) == (
        4,
        32,
        2,
        5400,
        2000,
    )


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("30", 1800),
        ("1:30", 90),
        ("2:00:00", 7200),
        ("1-12", 129600),
        ("1-00:30", 88200),
        ("x", None),
    ],
)
def test_times(text: str, number: int | None) -> None:
    assert seconds(text) == number


def test_memory() -> None:
    assert [megabytes(text) for text in ("1G", "1T", "1500", "0", "1.5G")] == [
        1024,
        1048576,
        1500,
        None,
        None,
    ]
