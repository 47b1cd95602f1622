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


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--time=0", "no limit at all"),
        ("--time=-1", "no limit at all"),
        ("--time=soon", "no time"),
        ("--time", "needs a value"),
        ("--nodes=0", "sbatch takes it for 1"),
        ("--nodes=-1", "no number of nodes"),
        ("--nodes=4-2", "at most 2 is less than at least 4"),
        ("--nodes=2k", "no number of nodes"),
        ("--mem=-5", "no amount of memory"),
        ("--mem=5X", "no amount of memory"),
        ("--ntasks=0", "at least 1"),
        ("--cpus-per-task=none", "at least 1"),
        ("--gres=gpu:a100:-1", "no number of GPUs"),
        ("--array=5-1", "1 comes before 5"),
        ("--array=0-10%0", "no limit"),
        ("--array=a", "no list of tasks"),
        ("--array=0-10:0", "no list of tasks"),
        ("--output=log-$(date).txt", "expands no variables"),
        ("--output=log-`date`.txt", "expands no variables"),
    ],
)
def test_a_value_that_is_none_is_named(tmp_path: Path, line: str, said: str) -> None:
    option = line.partition("=")[0]
    text = f"#!/bin/bash\n#SBATCH {line}\n" + ("" if option == "--time" else "#SBATCH -t 5\n")
    assert said in checked(tmp_path, text + "true\n", None)[0]


@pytest.mark.parametrize(
    "line",
    [
        "--array=0-9",
        "--array=1,5,7-9:2%4",
        "--nodes=2-4",
        "-N 2",
        "--gres=gpu",
        "--gres=gpu:a100:2,shard:3",
        "--gres=gpu:2,craynetwork:0",
        '--job-name="my job; of two"',
        "--mem=4000",
        "--mem-per-cpu=2G",
    ],
)
def test_a_value_that_is_one_passes(tmp_path: Path, line: str) -> None:
    assert checked(tmp_path, f"#!/bin/bash\n#SBATCH {line} -t 5\ntrue\n", None) == ("", "")


def test_lines_that_sbatch_does_not_read(tmp_path: Path) -> None:
    head = "#!/bin/bash\n#SBATCH -t 5\n"
    assert "a space before #" in checked(tmp_path, head + " #SBATCH --mem=1G\n", None)[0]
    assert "capital letters" in checked(tmp_path, head + "#sbatch --mem=1G\n", None)[0]
    assert checked(tmp_path, head + "cat > x <<EOF\n #SBATCH -n 1\n#sbatch\nEOF\n", None)[0] == ""
    assert "without an interpreter" in checked(tmp_path, "#SBATCH -t 5\ntrue\n", None)[0]
    (tmp_path / "dos.sbatch").write_bytes(head.replace("\n", "\r\n").encode())
    wrong, _ = check_script(tmp_path / "dos.sbatch", None)
    assert ["DOS" in str(one) for one in wrong] == [True]


def test_all_memory_and_an_option_of_a_plugin_are_told(tmp_path: Path) -> None:
    text = "#!/bin/bash\n#SBATCH -t 5 --mem=0 --frobnicate=3\n"
    wrong, unwise = checked(tmp_path, text, None)
    assert wrong == ""
    assert "all memory of each node" in unwise
    assert "sbatch itself has no such option" in unwise


@pytest.mark.parametrize("form", ["--gpus=0", "--gres=gpu:0", "--gpus-per-node=a100:0"])
def test_no_gpu_is_a_warning_as_sbatch_takes_it(tmp_path: Path, form: str) -> None:
    wrong, unwise = checked(tmp_path, GOOD.replace("--gres=gpu:a100:4", form).replace("=4 t", " t"))
    assert "GPU" not in wrong
    assert "no GPU is asked for" in unwise


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("mysql -u me -phunter two", True),
        ("/usr/bin/mysqldump -p'hunter' runs > x.sql", True),
        ("mysql -u me -p runs", False),
        ('mysql -u me -p"$PW" runs', False),
        ("mysql runs < x.sql && mkdir -pv out", False),
        ("sshpass -p hunter ssh host", True),
        ("sshpass -v -phunter ssh host", True),
        ('sshpass -p "$PW" ssh host', False),
        ("sshpass -f pw.txt ssh -p 2222 host", False),
        ("sshpass -e ssh -p 2222 host", False),
    ],
)
def test_a_password_behind_a_short_option(tmp_path: Path, line: str, secret: bool) -> None:
    wrong, _ = checked(tmp_path, GOOD + line, None)
    assert ("for others to read" in wrong) is secret
    assert "hunter" not in wrong


def test_a_secret_in_a_script_is_not_repeated(tmp_path: Path) -> None:
    key = "0123456789abcdef"
    for line in (
        f"export WANDB_API_KEY={key}",
        "login hf_" + "a" * 30,
        f"srun python x.py --key {key}",
        f"# GITHUB_PAT={key}",
    ):
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
