"""What `up`, `down` and `inside` share: where a dev Slurm lives, and which processes are its own."""

import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable
from ctypes.util import find_library
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
SYSTEM_PATH = ":/usr/sbin:/usr/bin:/sbin:/bin"  # root's PATH after `su` has no sbin
MARKER = ".forgia_dev_slurm"  # only a directory that holds it is ever removed

# Debian's package of each program we start (its library, for PMIx). mariadb-server-core is enough:
# mariadb-server adds a daemon that starts at installation.
PACKAGES = {
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "slurmdbd": "slurmdbd",
    "srun": "slurm-client",
    "munged": "munge",
    "mariadbd": "mariadb-server-core",
    "libpmix.so.2": "libpmix2",
    "mpiexec": "openmpi-bin",
    "mpicc": "libopenmpi-dev",
}

# A Unix socket path ends at 107 characters; PMIx's is the longest: /n1/stepd.slurm.pmix.<job>.<step>.
LONGEST_DIRECTORY = 73


class DevSlurmError(Exception):
    """Expected: printed as one line; `exit_code` 2 is for what the user can mend."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def run_main(main: Callable[[list[str]], int]) -> None:
    """Run a script's main; expected errors become one line on stderr and an exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main(sys.argv[1:]))
    except DevSlurmError as error:
        sys.stderr.write(f"slurm/dev/{Path(sys.argv[0]).name}: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


def check_root() -> None:
    """Namespaces and device nodes are for root only."""
    if os.geteuid() != 0:
        raise DevSlurmError("needs root, for namespaces and device nodes", exit_code=2)


def missing_packages() -> list[str]:
    """Return the packages of those programs that are not on this machine."""
    path = os.environ["PATH"] + SYSTEM_PATH
    return [
        package
        for program, package in PACKAGES.items()
        if not (find_library("pmix") if ".so" in program else shutil.which(program, path=path))
    ]


def is_bed(directory: Path) -> bool:
    """Tell whether `up` made this directory."""
    return (directory / MARKER).is_file()


def check_new_directory(directory: Path) -> None:
    """Refuse a directory that Slurm could not work in, or that holds something else."""
    problem = None
    if len(str(directory)) > LONGEST_DIRECTORY:
        problem = (
            f"has {len(str(directory))} characters, and Unix socket paths below it leave room for "
            f"{LONGEST_DIRECTORY}: choose a shorter one"
        )
    elif not re.fullmatch(r"[\w./+-]+", str(directory), re.ASCII):
        problem = "has characters that slurm.conf cannot quote: use letters, digits and ._+-"
    elif is_bed(directory):
        problem = f"already holds a dev Slurm: slurm/dev/down {directory}"
    elif directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        problem = "is not an empty directory"
    if problem:
        raise DevSlurmError(f"{directory} {problem}", exit_code=2)


def bed_processes(directory: Path) -> dict[int, str]:
    """Return process 1 of the bed and its parent: PID as seen from outside → program."""
    arguments = [str(HERE / "init"), str(directory)]
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
            except OSError:  # it ended while we looked
                continue
            if command[-2:] == arguments:
                found[int(entry.name)] = Path(command[0]).name
    return found


def init_pid(directory: Path) -> int | None:
    """Return the PID, as seen from outside, of the bed's process 1; None when the bed is down."""
    return next((p for p, name in bed_processes(directory).items() if name == "bash"), None)


def has_ended(pid: int) -> bool:
    """Tell whether a process is gone; a zombie nobody reaps counts as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def inside(directory: Path, *command: str) -> list[str]:
    """Return the argument list that runs a command among the bed's processes."""
    pid = init_pid(directory)
    if pid is None:
        raise DevSlurmError(f"no dev Slurm runs in {directory}")
    return ["nsenter", f"--target={pid}", "--pid", "--mount", "--uts", "--", *command]


def wait_until(true: Callable[[], bool], what: str, timeout_s: float = 30) -> None:
    """Poll; after timeout_s say what did not come."""
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            raise DevSlurmError(f"{what}: not within {timeout_s:.0f} s")
        time.sleep(0.05)


def remove(directory: Path) -> None:
    """Kill every process of the bed and remove its directory, whatever state it is in."""
    processes = bed_processes(directory)
    pid = init_pid(directory)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
    for process in processes:  # process 1 lasts until the kernel has reaped all the others
        wait_until(partial(has_ended, process), f"end of process {process}")
    if is_bed(directory):
        shutil.rmtree(directory)
