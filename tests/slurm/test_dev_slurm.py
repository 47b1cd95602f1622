"""The dev Slurm is what docs/dev_slurm.md says: four Booster nodes, and nothing left behind."""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slurm

DEV = Path(__file__).resolve().parents[2] / "slurm/dev"
BOOST = "--partition=boost_usr_prod"  # nodes that matter are named: n1 may still be COMPLETING

MPI_PROGRAM = """
import socket
from mpi4py import MPI
world = MPI.COMM_WORLD
node = world.Split_type(MPI.COMM_TYPE_SHARED)
print(world.size, node.size, world.allreduce(world.rank), socket.gethostname())
"""


def up(*arguments, **environment):
    return subprocess.run(
        [DEV / "up", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def down(directory):
    return subprocess.run([DEV / "down", directory], capture_output=True, text=True, check=False)


def until(true, what, timeout_s=60):
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s} s"
        time.sleep(0.2)


def processes_that_name(text):
    """Return the command lines of this machine that hold a text; zombies have none."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in command:
            found.append(command)
    return found


def words(slurm, *command):
    return slurm.run(command).stdout.split()


def submit(slurm, *options, wrap="true", check=True):
    command = ["sbatch", "--parsable", "--output=/dev/null", *options, f"--wrap={wrap}"]
    return slurm.run(command, check=check)


def queued(slurm, job, form):
    return slurm.run(["squeue", "--noheader", f"--jobs={job}", f"--format={form}"]).stdout.strip()


@pytest.fixture
def directory():
    """A short path for a dev Slurm of the test's own, taken down at the end."""
    path = Path(tempfile.mkdtemp(prefix="forgia-", dir="/tmp"))
    yield path
    down(path)
    if path.exists():
        path.rmdir()


@pytest.fixture
def cancelled(dev_slurm):
    """The job ids put in this list are cancelled at the end."""
    jobs = []
    yield jobs
    dev_slurm.run(["scancel", *jobs])
    until(lambda: not queued(dev_slurm, ",".join(jobs), "%i"), "end of the cancelled jobs")


def test_nodes_are_shaped_like_booster(dev_slurm):
    sinfo = words(dev_slurm, "sinfo", "--noheader", "--Node", BOOST, "--format=%N/%c/%m/%G")
    assert sinfo == [f"n{i}/32/494000/gpu:a100:4" for i in (1, 2, 3, 4)]


def test_partitions_are_named_and_timed_as_on_booster(dev_slurm):
    sinfo = words(dev_slurm, "sinfo", "--noheader", "--format=%P/%l/%L/%s")
    assert sinfo == [
        "boost_usr_prod/1-00:00:00/30:00/1-64",
        "lrd_all_serial*/4:00:00/30:00/1",
    ]


def test_qos_are_those_of_booster(dev_slurm):
    columns = "format=name,priority,flags,maxwall,maxtres,maxtrespu,mintres,maxjobspu"
    shown = dev_slurm.run(["sacctmgr", "-nP", "show", "qos", columns]).stdout.splitlines()
    assert set(shown) == {
        "normal|40||||||",
        "boost_qos_dbg|80||00:30:00||cpu=256,gres/gpu=32||2",
        "boost_qos_bprod|60|PartitionMaxNodes|1-00:00:00|node=256||node=65|",
        "boost_qos_lprod|40|PartitionTimeLimit|4-00:00:00||gres/gpu=32,node=8||",
        "qos_lowprio|0||||||",
        "qos_lowcancel|0||||||",
        "lrd_all_serial|0|||cpu=4,gres/gpu=0|||",
    }


def test_two_nodes_are_two_hosts_that_know_each_other(dev_slurm):
    command = ["srun", BOOST, "--nodelist=n[1-2]", "--ntasks-per-node=1", "--label", "sh", "-c"]
    shown = dev_slurm.run([*command, "hostname; getent hosts n3 | cut -c-9; ls /dev/shm"]).stdout
    assert sorted(shown.splitlines()) == ["0: 127.0.0.1", "0: n1", "1: 127.0.0.1", "1: n2"]


def test_gpus_are_handed_out(dev_slurm):
    show = "echo $CUDA_VISIBLE_DEVICES"
    assert words(dev_slurm, "srun", BOOST, "--gres=gpu:2", "sh", "-c", show) == ["0,1"]
    assert words(dev_slurm, "srun", BOOST, "--gres=gpu:a100:4", "sh", "-c", show) == ["0,1,2,3"]


def test_a_job_has_the_clients_conf(dev_slurm):
    shown = words(dev_slurm, "srun", BOOST, "sh", "-c", "echo $SLURM_CONF; squeue -h -o %P")
    assert shown[0] == str(dev_slurm.conf)
    assert "boost_usr_prod" in shown[1:]


def test_mpi_spans_two_nodes(dev_slurm, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(MPI_PROGRAM)
    ranks = ["--nodelist=n[1-2]", "--ntasks-per-node=2", "--mpi=pmix"]
    shown = dev_slurm.run(["srun", BOOST, *ranks, sys.executable, program]).stdout
    assert sorted(shown.splitlines()) == ["4 2 6 n1", "4 2 6 n1", "4 2 6 n2", "4 2 6 n2"]


def test_a_finished_job_is_in_the_accounts_and_billed_like_booster(dev_slurm):
    quarter = ["--gres=gpu:1", "--ntasks=8", "--mem=123000M", "--account=forgia_ferrari"]
    job = submit(dev_slurm, BOOST, "--wait", *quarter, wrap="exit 3", check=False).stdout.strip()
    form = "--format=state,exitcode,account,qos,alloctres%120"

    def row():
        return dev_slurm.run(["sacct", "-nXPj", job, form]).stdout.strip()

    # For its first two seconds the record of a short job says QOS "Unknown" (seen on Slurm 22.05).
    until(lambda: row().startswith("FAILED|3:0|forgia_ferrari|normal|"), "sacct's record")
    assert "billing=8," in row()


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        (["--account=nobody"], "Invalid account"),
        (["--qos=boost_usr_prod"], "Invalid qos"),  # a partition; guides that say so are wrong
    ],
)
def test_unknown_names_are_refused(dev_slurm, options, refusal):
    done = submit(dev_slurm, BOOST, *options, check=False)
    assert done.returncode == 1
    assert refusal in done.stderr


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([BOOST, "--time=25:00:00"], "PartitionTimeLimit"),
        ([BOOST, "--qos=boost_qos_dbg", "--time=31"], "QOSMaxWallDurationPerJobLimit"),
        ([BOOST, "--qos=boost_qos_bprod", "--nodes=2"], "QOSMinNode"),
        (["--gres=gpu:1"], "QOSMaxGRESPerJob"),
        (["--mem=40G"], "MaxMemPerLimit"),
    ],
)
def test_over_the_limit_pends_for_ever_as_stock_slurm_does(dev_slurm, cancelled, options, reason):
    cancelled.append(submit(dev_slurm, *options).stdout.strip())
    until(lambda: queued(dev_slurm, cancelled[0], "%T %r") == f"PENDING {reason}", reason)


def test_lprod_may_exceed_the_partitions_time(dev_slurm, cancelled):
    long = ["--qos=boost_qos_lprod", "--time=3-00:00:00"]
    cancelled.append(submit(dev_slurm, BOOST, *long, wrap="sleep 600").stdout.strip())
    until(lambda: queued(dev_slurm, cancelled[0], "%T") == "RUNNING", "start of the long job")


def test_lowprio_is_preempted_and_requeued(dev_slurm, cancelled):
    nodes = ["--nodes=4", "--exclusive"]
    cancelled.append(
        submit(dev_slurm, BOOST, *nodes, "--qos=qos_lowprio", wrap="sleep 600").stdout.strip()
    )
    until(lambda: queued(dev_slurm, cancelled[0], "%T") == "RUNNING", "start of the low one")
    cancelled.append(submit(dev_slurm, BOOST, *nodes, wrap="sleep 600").stdout.strip())
    until(lambda: queued(dev_slurm, cancelled[1], "%T") == "RUNNING", "start of the normal one")
    assert queued(dev_slurm, cancelled[0], "%T") == "PENDING"


def test_without_accounting_jobs_run_and_sacct_fails(dev_slurm_without_accounting):
    slurm = dev_slurm_without_accounting
    assert sorted(words(slurm, "srun", BOOST, "--nodes=4", "hostname")) == ["n1", "n2", "n3", "n4"]
    sacct = slurm.run(["sacct"], check=False)
    assert sacct.returncode == 1
    assert "accounting storage is disabled" in sacct.stderr


def test_two_stand_side_by_side(dev_slurm, dev_slurm_without_accounting):
    names = set()
    for slurm in (dev_slurm, dev_slurm_without_accounting):
        assert words(slurm, "srun", BOOST, "--nodelist=n1", "hostname") == ["n1"]
        config = slurm.run(["scontrol", "show", "config"]).stdout
        names |= set(re.findall(r"ClusterName += (\S+)", config))
    assert len(names) == 2


def test_down_leaves_no_process_and_no_file(directory):
    raised = up("--no-accounting", directory)
    assert raised.returncode == 0, raised.stderr
    assert raised.stdout == f"export FORGIA_DEV_SLURM={directory}\n"

    # A process without the job's session, environment or parent, as a daemon of a user's program is.
    second = f"4242.{os.getpid()}"
    escape = f"setsid env -i /bin/sleep {second} & sleep 600"
    subprocess.run(
        ["sbatch", BOOST, "--output=/dev/null", "--chdir=/", f"--wrap={escape}"],
        env=os.environ | {"SLURM_CONF": f"{directory}/slurm.conf"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    until(lambda: processes_that_name(f"/bin/sleep {second}"), "the escaped process")

    assert down(directory).returncode == 0
    assert not directory.exists()
    assert processes_that_name(str(directory)) == []
    assert processes_that_name(second) == []


def test_down_cleans_what_is_left_of_a_killed_one(directory):
    assert up("--no-accounting", directory).returncode == 0
    inside = [DEV / "inside", "pkill", "-KILL", "-x", "slurmctld|munged"]
    subprocess.run(inside, env=os.environ | {"FORGIA_DEV_SLURM": str(directory)}, check=True)
    assert down(directory).returncode == 0
    assert not directory.exists()
    assert processes_that_name(str(directory)) == []
    assert down(directory).returncode == 0  # nothing to do is no error


def test_down_spares_what_it_did_not_make(tmp_path):
    (tmp_path / "thesis.tex").touch()
    done = down(tmp_path)
    assert done.returncode == 2
    assert "not a dev Slurm" in done.stderr
    assert (tmp_path / "thesis.tex").exists()


def test_up_that_fails_midway_cleans_up_and_quotes_the_log(directory, tmp_path):
    broken = tmp_path / "slurmctld"
    broken.write_text("#!/bin/sh\necho fatal: the disk is on fire\nexit 1\n")
    broken.chmod(0o755)
    done = up("--no-accounting", directory, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("slurm/dev/up: slurmctld failed: exit 1")
    assert "the disk is on fire" in done.stderr
    assert not directory.exists()
    assert processes_that_name(str(directory)) == []


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        ("/tmp/" + "x" * 80, "has 85 characters"),
        ("/tmp/two words", "cannot quote"),
        (str(DEV), "is not an empty directory"),
    ],
)
def test_up_refuses_a_directory_it_cannot_use(wanted, complaint):
    done = up(wanted)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


def test_up_refuses_an_unknown_word_for_the_limits():
    done = up("/tmp/forgia-limits", FORGIA_DEV_ENFORCE_PART_LIMITS="SOME")
    assert done.returncode == 2
    assert "use NO, ANY or ALL" in done.stderr


def test_up_names_the_missing_packages(directory):
    hide = 'mount --bind /dev/null "$(command -v slurmctld)"; exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", hide, "sh", DEV / "up", directory],
        env=os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.endswith("apt-get install --no-install-recommends slurmctld\n")


def test_up_is_for_root_only(directory):
    done = subprocess.run(
        ["unshare", "--user", DEV / "up", directory], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "needs root" in done.stderr


def test_part_limits_can_be_enforced(directory):
    assert up("--no-accounting", directory, FORGIA_DEV_ENFORCE_PART_LIMITS="ALL").returncode == 0
    done = subprocess.run(
        ["sbatch", BOOST, "--time=25:00:00", "--wrap=true"],
        env=os.environ | {"SLURM_CONF": f"{directory}/slurm.conf"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Requested time limit is invalid" in done.stderr


def test_packages_are_listed_one_a_line():
    shown = subprocess.run([DEV / "packages"], capture_output=True, text=True, check=True).stdout
    assert {"slurmctld", "slurmd", "slurmdbd", "munge"} < set(shown.splitlines())
