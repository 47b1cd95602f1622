"""Start the daemons of a dev Slurm, in the one order that works."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from bed import HERE, SYSTEM_PATH, DevSlurmError, inside, wait_until

NODES = ("n1", "n2", "n3", "n4")


def start_all(directory: Path, *, accounting: bool) -> None:
    """Start everything; return when the four nodes are idle."""
    start_init(directory)
    start_munge(directory)
    if accounting:
        start_mariadb(directory)
        start(directory, "slurmdbd", "slurmdbd")
        wait_for(
            directory,
            "slurmdbd",
            lambda: bool(ask(directory, "slurmdbd", "sacctmgr", "list", "qos")),
        )
        apply(directory, "qos.sacctmgr")
    start(directory, "slurmctld", "slurmctld")
    for node in NODES:
        start(directory, f"slurmd.{node}", str(HERE / "node"), str(directory), node)
    wait_for(directory, "slurmctld", lambda: nodes_are_idle(directory))
    if accounting:
        apply(directory, "limits.sacctmgr")


def start_init(directory: Path) -> None:
    """Make the namespaces that every other process of the bed lives in."""
    unshare = ("unshare", "--pid", "--fork", "--mount", "--mount-proc", "--uts")
    with (directory / "log/init.out").open("w") as log:
        subprocess.Popen(
            [*unshare, str(HERE / "init"), str(directory)],
            env=environment(directory),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C in the shell that raised it is not meant for it
        )
    wait_for(directory, "init", (directory / "init.ready").exists)


def start_munge(directory: Path) -> None:
    """Start a munged that shares nothing with the machine's own."""
    files = ("socket", "key-file", "pid-file", "log-file", "seed-file")
    options = [f"--{name}={directory}/munge/{name.removesuffix('-file')}" for name in files]
    start(directory, "munged", "munged", "--force", *options)


def start_mariadb(directory: Path) -> None:
    """Make the system tables and start the server; it has no daemon mode."""
    defaults = f"--defaults-file={directory}/mariadb.cnf"
    start(directory, "mariadb-install-db", "mariadb-install-db", defaults, "--skip-test-db")
    start(directory, "mariadbd", "setsid", "--fork", "mariadbd", defaults)
    wait_for(directory, "mariadbd", (directory / "mariadb/socket").exists)


def apply(directory: Path, name: str) -> None:
    """Feed a file to one sacctmgr session: a call of its own for each line costs 0.3 s."""
    session = 'grep -v "^#" "$0" | sacctmgr --immediate'
    start(directory, "sacctmgr", "sh", "-c", session, f"{directory}/{name}")


def nodes_are_idle(directory: Path) -> bool:
    """Tell whether slurmctld has heard from every slurmd."""
    query = ("sinfo", "--noheader", "--Node", "--format=%T", "--partition=boost_usr_prod")
    states = ask(directory, "slurmctld", *query)
    return states.split() == ["idle"] * len(NODES)


def environment(directory: Path) -> dict[str, str]:
    """Return what the daemons see: nothing of the shell that raised them but its PATH."""
    return {
        "PATH": os.environ["PATH"] + SYSTEM_PATH,
        "LANG": "C.UTF-8",
        "SLURM_CONF": f"{directory}/slurm.conf",
        "MYSQL_UNIX_PORT": f"{directory}/mariadb/socket",  # slurmdbd.conf has no word for a socket
    }


def start(directory: Path, name: str, *command: str) -> None:
    """Run a command that ends, or that leaves a daemon behind; its output goes to log/<name>.out."""
    # Into a file: a daemon that keeps the end of a pipe open would be waited for for ever.
    with (directory / f"log/{name}.out").open("a") as log:
        log.write(f"$ {' '.join(command)}\n")
        log.flush()
        done = subprocess.run(
            inside(directory, *command),
            env=environment(directory),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=False,
        )
    if done.returncode != 0:
        raise DevSlurmError(f"{name} failed: exit {done.returncode}{log_tail(directory, name)}")


def ask(directory: Path, name: str, *command: str) -> str:
    """Return what a client prints, nothing when it fails; its complaint goes to log/<name>.out."""
    with (directory / f"log/{name}.out").open("a") as log:
        done = subprocess.run(
            command, env=environment(directory), stdout=subprocess.PIPE, stderr=log, check=False
        )
    return done.stdout.decode() if done.returncode == 0 else ""


def wait_for(directory: Path, name: str, ready: Callable[[], bool]) -> None:
    """Wait for a daemon's sign of life; in its absence quote its log."""
    try:
        wait_until(ready, f"{name} is not ready")
    except DevSlurmError as error:
        raise DevSlurmError(f"{error}{log_tail(directory, name)}") from error


def log_tail(directory: Path, name: str) -> str:
    """Return the last lines that a daemon wrote, indented."""
    lines: list[str] = []
    for log in (directory / f"log/{name}.out", directory / f"log/{name}.log"):
        if log.exists():
            lines += log.read_text(errors="replace").splitlines()[-10:]
    return "".join(f"\n    {line}" for line in lines)
