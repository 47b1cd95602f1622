"""Values in the header of somebody's script that sbatch refuses, or takes for something else than was meant.

What sbatch makes of each was seen on Slurm 22.05.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from forgia_hpc.errors import Problem
from forgia_hpc.slurm.foreign import FLAGS, GPU_FORMS, Foreign, seconds
from forgia_hpc.slurm.sbatch_options import is_known, meant

_NODES = re.compile(r"(\d+)(?:-(\d+))?")
_ARRAY = re.compile(r"\d+(?:-\d+(?::[1-9]\d*)?)?(?:,\d+(?:-\d+(?::[1-9]\d*)?)?)*(?:%\d+)?")
_MEMORY = re.compile(r"\d+[KMGT]?B?", re.IGNORECASE)
_WHOLE = ("ntasks", "ntasks-per-node", "cpus-per-task")
_MEMORIES = ("mem", "mem-per-cpu", "mem-per-gpu")

Fault = tuple[str, str]  # what is wrong, what to do


def value_problems(script: Foreign) -> list[Problem]:
    """Return every option whose value is none, or means what nobody wants."""
    return [
        _problem(script, name, *fault)
        for name, value in script.options.items()
        if "$" not in value and (fault := _fault(name, value))
    ]


def value_warnings(script: Foreign) -> list[Problem]:
    """Return the options that do as they say, which is not always what was meant."""
    found = []
    for name, value in script.options.items():
        if name in _MEMORIES and re.fullmatch(r"0+[KMGT]?B?", value, re.IGNORECASE):
            limit = "0 asks for all memory of each node, and all of it is billed where memory is"
            found.append(_problem(script, name, limit, "name an amount"))
        elif name in GPU_FORMS and _no_gpu(name, value):
            found.append(
                _problem(script, name, "no GPU is asked for so", "leave it out, or at least 1")
            )
        elif not is_known(name) and not meant(name):
            limit = "sbatch itself has no such option; unless a plugin of the site adds it, the script is refused"
            found.append(_problem(script, name, limit, "sbatch --help"))
    return found


def _problem(script: Foreign, name: str, limit: str, fix: str) -> Problem:
    value = script.options[name]
    got = f"--{name}={value}" if value else f"--{name}"
    return Problem(field="#SBATCH", got=got, limit=limit, where=script.at(name), fix=fix)


def _fault(name: str, value: str) -> Fault | None:
    """Return what is wrong with a value, if its option is one of those we know."""
    if not value:
        needs = name in _CHECKS and name not in FLAGS
        return ("it needs a value", f"--{name}=…") if needs else None
    check = _CHECKS.get(name)
    return check(value) if check else None


def _time(value: str) -> Fault | None:
    length = seconds(value)
    if value.startswith("-") or length == 0:
        return "it asks for no limit at all, which is beyond every partition's", "--time=01:00:00"
    return ("no time", "M, M:S, H:M:S, D-H, D-H:M or D-H:M:S") if length is None else None


def _nodes(value: str) -> Fault | None:
    found = _NODES.fullmatch(value)
    if found is None:
        return "no number of nodes", "--nodes=N or --nodes=LEAST-MOST"
    if int(found[1]) == 0:
        return "sbatch takes it for 1", "--nodes=1"
    if found[2] and int(found[2]) < int(found[1]):
        return f"at most {found[2]} is less than at least {found[1]}", "the smaller number first"
    return None


def _count(value: str) -> Fault | None:
    return None if value.isdecimal() and int(value) else ("at least 1 is needed", "a whole number")


def _memory(value: str) -> Fault | None:
    return None if _MEMORY.fullmatch(value) else ("no amount of memory", "such as 480G")


def _gpus(value: str) -> Fault | None:
    """Refuse less than none; none itself is a warning, as sbatch takes it."""
    bad = any(re.fullmatch(r"-\d+", count) for count in _counts(value))
    return ("no number of GPUs", "at least 1") if bad else None


def _gres(value: str) -> Fault | None:
    return _gpus(_gpus_of(value))


def _no_gpu(name: str, value: str) -> bool:
    counts = _counts(_gpus_of(value) if name == "gres" else value)
    return any(re.fullmatch(r"0+", count) for count in counts)


def _gpus_of(gres: str) -> str:
    """Return a list of resources without those that are no GPUs."""
    return ",".join(one for one in gres.split(",") if one.startswith("gpu") or ":" not in one)


def _counts(value: str) -> list[str]:
    """Return the counts of a list of `[name:][type:]count`."""
    return [one.rpartition(":")[2].partition("(")[0] for one in value.split(",")]


def _array(value: str) -> Fault | None:
    if not _ARRAY.fullmatch(value):
        return "no list of tasks", "such as 0-9, 1,5,7 or 0-99%8"
    tasks, _, most = value.partition("%")
    for first, last in (span.split(":")[0].split("-") for span in tasks.split(",") if "-" in span):
        if int(last) < int(first):
            return f"{last} comes before {first}", "the smaller number first"
    if most and int(most) == 0:
        return "%0 is no limit: all tasks may run at once", "%1 or more, or leave it out"
    return None


_CHECKS: dict[str, Callable[[str], Fault | None]] = {
    "time": _time,
    "nodes": _nodes,
    "array": _array,
    **dict.fromkeys(_WHOLE, _count),
    **dict.fromkeys(_MEMORIES, _memory),
    **dict.fromkeys(GPU_FORMS, _gpus),
    "gres": _gres,
}


def line_problems(name: str, text: str) -> Iterator[Problem]:
    """Yield what keeps sbatch from reading a script, or a line of it, at all; `text` with its own line ends."""

    def wrong(number: int, got: str, limit: str, fix: str) -> Problem:
        where = f"{name}:{number}"
        return Problem(field="#SBATCH", got=got.strip(), limit=limit, where=where, fix=fix)

    lines = text.split("\n")
    if "\r\n" in text:
        number = next(number for number, line in enumerate(lines, 1) if line.endswith("\r"))
        limit = "line ends of DOS (CR LF): sbatch refuses the script"
        yield wrong(number, "\\r\\n", limit, f"sed -i 's/\\r$//' {name}")
    if not text.startswith("#!"):
        limit = "sbatch refuses a script without an interpreter in its first line"
        yield wrong(1, lines[0], limit, "#!/bin/bash")
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            return  # the header ends at the first command; what follows may be a script that this one writes
        if re.match(r"\s+#SBATCH\s", line):
            limit = "a space before # makes it a comment"
            yield wrong(number, line, limit, "begin the line with #SBATCH")
        elif line[:7] != "#SBATCH" and re.match(r"#sbatch\s", line, re.IGNORECASE):
            yield wrong(number, line, "sbatch reads capital letters only", "write #SBATCH")
