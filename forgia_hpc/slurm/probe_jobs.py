"""Questions of `forgia cluster probe` on single jobs. A row submits up to its `yield`, then looks and answers."""

from __future__ import annotations

import re
import time
from datetime import datetime

from forgia_hpc.slurm.control import RENEWED_S
from forgia_hpc.slurm.limits_text import parse_partitions
from forgia_hpc.slurm.probe import Bench, NotSeenError, RefusedError, Row
from forgia_hpc.slurm.profile import Fact

SHORT = "sleep 1"
LONG = "echo started; sleep 90"
SETTLING_S = 15


def requeue(bench: Bench) -> Row:
    """May a user requeue a running job, and for how long is it held then."""
    job = bench.submit("requeued", LONG, "--requeue")
    after = bench.submit("after_requeued", SHORT, f"--dependency=afterok:{job}")
    yield
    # requeued while its script is being started a job may end up held: "launch failed requeued held"
    bench.until(job, lambda _facts: "started" in bench.said("requeued"), "its script")
    question = "May a user requeue a running job?"
    try:
        bench.ask("scontrol", "requeue", job)
    except RefusedError as error:
        return [bench.fact("requeue_allowed", question, False, str(error))]
    held = _settled(bench, job)
    waits = bench.shown(after)
    return [
        bench.fact("requeue_allowed", question, True, f"Restarts={held.get('Restarts', '?')}"),
        bench.fact(
            "requeue_holds",
            "Is a requeued job held for a while?",
            held["Reason"] == "BeginTime",
            f"{held['Reason']}, for {_seconds_until(held['EligibleTime'])} s",
        ),
        bench.fact(
            "dependents_wait_through_requeue",
            "Do dependents wait through a requeue?",
            waits["JobState"] == "PENDING",
            f"{waits['JobState']} {waits['Reason']}",
        ),
        _cleared(bench, job),
    ]


def _settled(bench: Bench, job: str) -> dict[str, str]:
    """Look at a requeued job until its hold is set, which comes seconds after the state (seen on 22.05)."""
    bench.until(job, lambda facts: facts["JobState"] == "PENDING", "the requeue")
    deadline = time.monotonic() + SETTLING_S
    return bench.until(
        job,
        lambda facts: facts["Reason"] == "BeginTime" or time.monotonic() > deadline,
        "the hold of a requeue",
    )


def _seconds_until(moment: str) -> int:
    return max(0, round((datetime.fromisoformat(moment) - datetime.now()).total_seconds()))


def _cleared(bench: Bench, job: str) -> Fact:
    name, question = "requeue_hold_can_be_cleared", "Can the owner clear that hold?"
    try:
        bench.ask("scontrol", "update", f"JobId={job}", f"StartTime=now+{RENEWED_S}")
        state = bench.running(job)
    except (RefusedError, NotSeenError) as error:
        return bench.fact(
            name, question, False if isinstance(error, RefusedError) else None, str(error)
        )
    return bench.fact(name, question, True, f"runs again, Restarts={state['Restarts']}")


def early_signal(bench: Bench) -> Row:
    """How long before the end does the warning signal come."""
    script = "trap 'date +%s; exit 0' USR1\ndate +%s\nwhile :; do sleep 1; done"
    job = bench.submit("signalled", script, "--time=00:02:00", "--signal=B:USR1@60")
    yield
    ended = bench.ended(job)
    times = [int(word) for word in bench.said("signalled").split() if word.isdecimal()]
    question = "Does --signal=B:USR1@60 reach the batch script in time?"
    if len(times) < 2:
        return [bench.fact("warning_signal", question, False, f"none came; {ended['JobState']}")]
    before = 120 - (times[1] - times[0])
    said = f"{before} s before the end of {ended['TimeLimit']} (60 asked for)"
    return [bench.fact("warning_signal", question, before >= 30, said)]


def stored(bench: Bench) -> Row:
    """Does the accounting keep a job's name and comment."""
    job = bench.submit("stored", SHORT, "--comment=forgia probe")
    yield
    bench.ended(job)
    question = "Does sacct keep the job's {}?"
    argv = ("sacct", "-X", "-n", "-P", f"--jobs={job}", "--format=JobName%60,Comment%60")
    try:
        name, _, comment = _patiently(bench, argv).partition("|")
    except RefusedError as error:
        words = f"sacct: {error}"
        return [
            bench.fact(f"{what}_stored", question.format(what), False, words)
            for what in ("name", "comment")
        ]
    return [
        bench.fact("name_stored", question.format("name"), bench.token in name, name or "nothing"),
        bench.fact(
            "comment_stored", question.format("comment"), "forgia" in comment, comment or "nothing"
        ),
    ]


def _patiently(bench: Bench, argv: tuple[str, ...]) -> str:
    """Ask until there is an answer: slurmctld sends its records to slurmdbd some seconds late."""
    lines: list[str] = []

    def told(_facts: dict[str, str]) -> bool:
        lines[:] = bench.ask(*argv).splitlines()
        return bool(lines)

    bench.until(bench.jobs[-1], told, "a record in sacct")
    return lines[-1]


def over_limit(bench: Bench) -> Row:
    """Is a job beyond the partition's walltime refused at once."""
    answers = {}
    for word in ("--hold", "--test-only"):
        try:
            answers[word] = (False, bench.submit("beyond", SHORT, word, "--time=300-00:00:00"))
        except RefusedError as error:
            answers[word] = (True, str(error))
    yield
    facts = []
    unlimited = not answers["--hold"][0] and _unlimited(bench, answers["--hold"][1])
    for word, name, question in (
        ("--hold", "over_limit_refused", "Does sbatch refuse a walltime beyond the limit?"),
        ("--test-only", "test_only_refuses_over_limit", "Does sbatch --test-only refuse it?"),
    ):
        refused, said = answers[word]
        words = said if refused else "accepted: it would wait for ever"
        if unlimited:
            facts.append(bench.fact(name, question, None, "this partition has no limit"))
        else:
            facts.append(bench.fact(name, question, refused, words))
    return facts


def _unlimited(bench: Bench, job: str) -> bool:
    """Whether the partition of a job has no longest walltime, so that nothing can be beyond it."""
    partition = bench.shown(job)["Partition"]
    told = parse_partitions(bench.ask("scontrol", "show", "partition", "--oneliner", partition))
    return all(one.max_time_s is None for one in told.values())


def memory(bench: Bench) -> Row:
    """How much memory a job gets that asks for none."""
    job = bench.submit("memory", SHORT, "--hold", memory=False)
    yield
    shown = bench.shown(job)
    found = {key: shown[key] for key in ("MinMemoryCPU", "MinMemoryNode") if key in shown}
    said = ", ".join(f"{key}={value}" for key, value in found.items()) or "Slurm does not say"
    question = "Does a job that asks for no memory get less than the node?"
    given = [value for value in found.values() if value not in ("0", "")]
    return [bench.fact("memory_has_a_default", question, bool(given), said)]


def inherited_cpus(bench: Bench) -> Row:
    """Does srun take over --cpus-per-task of the job."""
    look = "grep Cpus_allowed_list /proc/self/status"
    script = f"getconf _NPROCESSORS_ONLN\n{look}\nunset SRUN_CPUS_PER_TASK\nsrun --ntasks=1 {look}"
    job = bench.submit("cpus", script, "--cpus-per-task=2")
    yield
    bench.ended(job)
    said = bench.said("cpus")
    lists = [_cpus_in(each) for each in re.findall(r"Cpus_allowed_list:\s*(\S+)", said)]
    question = "Does a step of srun get the job's --cpus-per-task by itself?"
    name = "srun_inherits_cpus"
    if len(lists) < 2:
        return [bench.fact(name, question, None, said or "the job said nothing")]
    batch, step = lists[:2]
    words = f"{batch} CPUs in the batch script, {step} under srun"
    if batch == int(said.split()[0]):  # all of the machine: nothing is bound, so nothing is shown
        return [bench.fact(name, question, None, f"{words}: nothing is bound here")]
    return [bench.fact(name, question, step >= batch, words)]


def _cpus_in(text: str) -> int:
    """Return how many CPUs a list such as `0-3,8` names."""
    spans = (part.partition("-") for part in text.split(","))
    return sum(int(last or first) - int(first) + 1 for first, _, last in spans)


def from_the_node(bench: Bench) -> Row:
    """May a job ask Slurm about itself."""
    job = bench.submit("asks", "scontrol --oneliner show job $SLURM_JOB_ID")
    yield
    bench.ended(job)
    end = re.search(r"EndTime=(\S+)", bench.said("asks"))
    question = "Can a job ask scontrol for its own EndTime?"
    return [
        bench.fact(
            "job_sees_its_end",
            question,
            end is not None,
            end[0] if end else bench.said("asks")[:100],
        )
    ]
