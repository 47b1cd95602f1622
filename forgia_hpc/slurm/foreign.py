"""Reads an sbatch script that somebody wrote by hand: its header, and what the header says without meaning it."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from forgia_hpc.errors import Problem
from forgia_hpc.slurm.asked import Asked
from forgia_hpc.slurm.sbatch_options import meant

_DIRECTIVE = re.compile(r"#SBATCH\s*(.*)")
_SPACED = re.compile(r"#\s+SBATCH\s")
_VARIABLE = re.compile(r"\$[\w{(]|`")
_SHORT = {
    "A": "account",
    "C": "constraint",
    "G": "gpus",
    "J": "job-name",
    "N": "nodes",
    "c": "cpus-per-task",
    "e": "error",
    "n": "ntasks",
    "o": "output",
    "p": "partition",
    "q": "qos",
    "t": "time",
    "x": "exclude",
}
FLAGS = frozenset({"exclusive", "requeue", "no-requeue", "contiguous", "wait", "hold", "parsable"})
GPU_FORMS = ("gres", "gpus", "gpus-per-node", "gpus-per-task")
_LAUNCHERS = re.compile(r"\b(srun|mpirun|mpiexec)\b")
_TORCHRUN = re.compile(r"\btorchrun\b|torch\.distributed\.run\b|\baccelerate\s+launch\b")
_PYTHON = re.compile(r"^\s*(?:exec\s+)?python3?\b")
_PER_NODE = re.compile(r"--nproc[-_]per[-_]node[= ](\d+)")
_UNITS = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2}


@dataclass(frozen=True)
class Line:
    """One line of a script, counted from 1."""

    number: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """A script: its options (a flag is empty), the lines they stand in, and its commands."""

    path: Path
    options: Mapping[str, str]
    lines: Mapping[str, int]
    commands: tuple[Line, ...]
    problems: tuple[Problem, ...]

    def at(self, option: str) -> str:
        """Return where an option stands."""
        return f"{self.path.name}:{self.lines[option]}" if option in self.lines else self.path.name

    @property
    def body(self) -> str:
        """The commands as one text."""
        return "\n".join(line.text for line in self.commands)


def read_script(path: Path) -> Foreign:
    """Return a script with everything in its header that Slurm will not do."""
    options: dict[str, str] = {}
    lines: dict[str, int] = {}
    commands: list[Line] = []
    problems: list[Problem] = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = _DIRECTIVE.match(text)
        here = f"{path.name}:{number}"
        if _SPACED.match(text):
            problems.append(
                _wrong(text, "a space after # makes it a comment", here, "write #SBATCH")
            )
        elif found and commands:
            limit = f"sbatch reads no header after the first command (line {commands[0].number})"
            problems.append(_wrong(text, limit, here, "put it above the first command"))
        elif found:
            for name, value in _options(found[1]):
                options[name], lines[name] = value, number
                if _VARIABLE.search(value):
                    limit, fix = "sbatch expands no variables", "write it out, or pass it to sbatch"
                    problems.append(_wrong(f"--{name}={value}", limit, here, fix))
        elif text.strip() and not text.lstrip().startswith("#"):
            commands.append(Line(number, text))
    return Foreign(
        path=path, options=options, lines=lines, commands=tuple(commands), problems=tuple(problems)
    )


def _wrong(got: str, limit: str, where: str, fix: str = "", field: str = "#SBATCH") -> Problem:
    return Problem(field=field, got=got.strip(), limit=limit, where=where, fix=fix)


def _options(text: str) -> Iterator[tuple[str, str]]:
    """Yield (long name, value) of one #SBATCH line."""
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        words = text.split()  # an unbalanced quote: sbatch will say so itself
    while words:
        word = words.pop(0)
        name, _, value = word.lstrip("-").partition("=")
        if not word.startswith("--"):
            name, value = _SHORT.get(word[1:2], word[1:2]), word[2:].lstrip("=")
        if not value and words and name not in FLAGS and not words[0].startswith("-"):
            value = words.pop(0)
        yield name, value


def header_problems(script: Foreign) -> list[Problem]:
    """Return what the header lacks or says twice."""
    options, found = script.options, list(script.problems)
    if "time" not in options:
        limit = "no walltime: the partition's default ends the job, often after 30 minutes"
        found.append(_wrong("no --time", limit, script.path.name, "#SBATCH --time=01:00:00"))
    found += [
        _wrong(f"--{name}", "sbatch has no such option", script.at(name), f"did you mean --{near}")
        for name in options
        if (near := meant(name))
    ]
    forms = [name for name in GPU_FORMS if name in options]
    if len(forms) > 1:
        got = " and ".join(f"--{name}" for name in forms)
        found.append(
            _wrong(got, "GPUs are asked for twice", script.at(forms[1]), f"keep --{forms[0]}")
        )
    for name in ("output", "error"):
        folder = Path(options.get(name, "")).parent
        if (
            name in options
            and not {"%", "$"} & set(str(folder))
            and not (script.path.parent / folder).is_dir()
        ):
            limit = f"there is no directory {folder}: the job would die without a word"
            found.append(
                _wrong(f"--{name}={options[name]}", limit, script.at(name), f"mkdir -p {folder}")
            )
    return found


def body_problems(script: Foreign) -> list[Problem]:
    """Return what the commands do other than the header promises."""
    found = []
    tasks = integer(script.options.get("ntasks-per-node")) or 1
    nodes = integer(script.options.get("nodes")) or 1
    gpus = gpus_per_node(script.options)
    for line in script.commands:
        here = f"{script.path.name}:{line.number}"
        launched = _LAUNCHERS.search(line.text)
        alone = _TORCHRUN.search(line.text) or _PYTHON.search(line.text)
        if alone and not launched and nodes > 1 and not _continued(script, line):
            limit = f"without srun it starts on the first of {nodes} nodes only"
            found.append(_wrong(line.text, limit, here, "put srun before it", "command"))
        elif alone and not launched and tasks > 1 and not _TORCHRUN.search(line.text):
            limit = f"without srun one process starts, and {tasks} tasks are asked for"
            found.append(_wrong(line.text, limit, here, "put srun before it", "command"))
        per_node = _PER_NODE.search(line.text)
        if per_node and gpus and int(per_node[1]) != gpus:
            limit = f"{gpus} GPUs a node are asked for and billed"
            found.append(_wrong(per_node[0], limit, here, f"--nproc-per-node={gpus}", "command"))
    return found


def _continued(script: Foreign, line: Line) -> bool:
    """Whether the line before goes on in this one, with srun in it."""
    before = [one.text for one in script.commands if one.number < line.number][-6:]
    joined = "".join(text for text in before if text.rstrip().endswith("\\"))
    return bool(_LAUNCHERS.search(joined))


def asked_by(script: Foreign) -> Asked:
    """Return the request of a script, as far as its header tells."""
    options = script.options
    nodes = integer(options.get("nodes", "").partition("-")[0]) or 1
    tasks = integer(options.get("ntasks-per-node")) or -(
        -(integer(options.get("ntasks")) or 1) // nodes
    )
    return Asked(
        partition=options.get("partition"),
        qos=options.get("qos"),
        account=options.get("account"),
        nodes=nodes,
        seconds=seconds(options.get("time", "")) or 60,
        cpus=tasks * (integer(options.get("cpus-per-task")) or 1),
        gpus=gpus_per_node(options),
        mem_mb=megabytes(options.get("mem", "")),
        exclusive="exclusive" in options,
    )


def names_gpus(options: Mapping[str, str]) -> bool:
    """Whether a header says how many GPUs it wants; none is a number too."""
    return any(name in options and "gpu" in f"{name}:{options[name]}" for name in GPU_FORMS)


def gpus_per_node(options: Mapping[str, str]) -> int:
    """Return the GPUs a node that a header asks for, in whichever form."""
    nodes = integer(options.get("nodes", "").partition("-")[0]) or 1
    if found := re.search(r"gpu(?::[\w.-]+?)?:(\d+)", options.get("gres", "")):
        return int(found[1])
    if "gres" in options and "gpu" in options["gres"]:
        return 1
    for name, share in (("gpus-per-node", 1), ("gpus", nodes)):
        if name in options:
            return math.ceil((integer(options[name].rpartition(":")[2]) or 0) / share)
    each = integer(options.get("gpus-per-task", "").rpartition(":")[2]) or 0
    return each * (integer(options.get("ntasks-per-node")) or 1)


def seconds(text: str) -> int | None:
    """Return the seconds of sbatch's --time: M, M:S, H:M:S, D-H, D-H:M, D-H:M:S."""
    days, dash, rest = text.rpartition("-")
    parts = rest.split(":")
    if not all(part.isdecimal() for part in parts) or (dash and not days.isdecimal()):
        return None
    numbers = [int(part) for part in parts]
    if dash:
        hours, minutes, left = (*numbers, 0, 0)[:3]
    elif len(numbers) == 3:
        hours, minutes, left = numbers
    else:
        hours, (minutes, left) = 0, (*numbers, 0)[:2]
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + left


def megabytes(text: str) -> int | None:
    """Return sbatch's --mem in MB; 0 asks for the whole node, which is told by none."""
    found = re.fullmatch(r"(\d+)([KMGT]?)B?", text, re.IGNORECASE)
    if not found or int(found[1]) == 0:
        return None
    return math.ceil(int(found[1]) * _UNITS[(found[2] or "M").upper()])


def integer(text: str | None) -> int | None:
    """Return a plain number, or None where it is none (a variable, a range)."""
    return int(text) if text and text.isdecimal() else None
