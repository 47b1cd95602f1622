"""Questions of `forgia cluster probe` on dependencies. A row submits up to its `yield`, then looks and answers."""

from __future__ import annotations

from datetime import datetime

from forgia_hpc.slurm.probe import Bench, RefusedError, Row

FAIL = "exit 1"
SHORT = "sleep 1"
_UNKNOWN_OFFSET = 3_000_000  # far beyond the ids that a cluster gives out in days


def dependents(bench: Bench) -> Row:
    """What becomes of a job whose predecessor failed."""
    failed = bench.submit("failed", FAIL)
    stays = bench.submit(
        "stays", SHORT, f"--dependency=afterok:{failed}", "--kill-on-invalid-dep=no"
    )
    killed = bench.submit(
        "killed", SHORT, f"--dependency=afterok:{failed}", "--kill-on-invalid-dep=yes"
    )
    otherwise = bench.submit("otherwise", SHORT, f"--dependency=afternotok:{failed}")
    yield
    bench.ended(failed)
    never = bench.until(
        stays,
        lambda facts: facts["JobState"] != "PENDING" or "Never" in facts["Reason"],
        "a verdict",
    )
    gone = bench.until(killed, lambda facts: facts["JobState"] != "PENDING", "its end")
    ran = bench.ended(otherwise)
    return [
        bench.fact(
            "failed_dependency_waits_for_ever",
            "Does afterok on a failed job wait for ever?",
            never["JobState"] == "PENDING",
            f"{never['JobState']} {never['Reason']}",
        ),
        bench.fact(
            "kill_on_invalid_dep",
            "Does --kill-on-invalid-dep=yes end such a job?",
            gone["JobState"] == "CANCELLED",
            gone["JobState"],
        ),
        bench.fact(
            "afternotok_runs",
            "Does afternotok run then?",
            ran["JobState"] == "COMPLETED",
            ran["JobState"],
        ),
    ]


def rewire(bench: Bench) -> Row:
    """Can a job that waits for ever be given another predecessor."""
    failed = bench.submit("rewired_from", FAIL)
    again = bench.submit("rewired_to", SHORT)
    waits = bench.submit(
        "rewired", SHORT, f"--dependency=afterok:{failed}", "--kill-on-invalid-dep=no"
    )
    yield
    bench.until(waits, lambda facts: "Never" in facts["Reason"], "a verdict on its predecessor")
    bench.ask("scontrol", "update", f"JobId={waits}", f"Dependency=afterok:{again}")
    state = bench.ended(waits)["JobState"]
    question = "Can a job that waits for ever be given another predecessor?"
    return [bench.fact("dependency_can_be_rewired", question, state == "COMPLETED", state)]


def unknown_predecessor(bench: Bench) -> Row:
    """What becomes of afterok on a job that nobody knows."""
    last = max((int(job) for job in bench.jobs), default=0)
    question = "Is afterok on an unknown job refused?"
    name = "unknown_predecessor_refused"
    try:
        job = bench.submit("unknown", SHORT, f"--dependency=afterok:{last + _UNKNOWN_OFFSET}")
    except RefusedError as error:
        return [bench.fact(name, question, True, str(error))]
    yield
    state = bench.until(
        job, lambda facts: facts["JobState"] != "PENDING" or "Never" in facts["Reason"], "a verdict"
    )
    return [
        bench.fact(name, question, False, f"accepted, then {state['JobState']} {state['Reason']}")
    ]


def cycle(bench: Bench) -> Row:
    """Is a circle of two dependencies refused."""
    first = bench.submit("circle_1", SHORT, "--hold")
    second = bench.submit("circle_2", SHORT, "--hold", f"--dependency=afterok:{first}")
    yield
    question = "Is a circle of two dependencies refused?"
    try:
        bench.ask("scontrol", "update", f"JobId={first}", f"Dependency=afterok:{second}")
    except RefusedError as error:
        return [bench.fact("cycle_refused", question, True, str(error))]
    return [bench.fact("cycle_refused", question, False, "accepted: both would wait for ever")]


def singleton(bench: Bench) -> Row:
    """Does singleton hold the second job of a name back."""
    name = f"--job-name=forgia-probe-{bench.token}-single"
    first = bench.submit("single_1", "sleep 8", name)
    second = bench.submit("single_2", SHORT, name, "--dependency=singleton")
    yield
    began = (
        bench.running(first) if bench.shown(first)["JobState"] == "PENDING" else bench.shown(first)
    )
    waits = bench.shown(second) if began["JobState"] == "RUNNING" else None
    ran = bench.ended(second)
    question = "Does singleton make jobs of one name follow each other?"
    end, start = bench.shown(first)["EndTime"], ran["StartTime"]
    held = waits is None or waits["JobState"] == "PENDING"
    good = held and ran["JobState"] == "COMPLETED" and start >= end
    return [
        bench.fact(
            "singleton_serialises", question, good, f"first ended {end}, second started {start}"
        )
    ]


def after_plus(bench: Bench) -> Row:
    """Does after:JOB+1 count from the predecessor's start."""
    first = bench.submit("counted_from", "sleep 5")
    second = bench.submit("after_plus", SHORT, f"--dependency=after:{first}+1")
    yield
    begun = datetime.fromisoformat(bench.ended(first)["StartTime"])
    ran = datetime.fromisoformat(bench.ended(second)["StartTime"])
    lag = (ran - begun).total_seconds()
    question = "Does after:JOB+1 start a minute after JOB has started?"
    good = lag >= 55 if lag < 600 else None
    return [bench.fact("after_plus_minutes", question, good, f"started {lag:.0f} s after it")]


def aftercorr(bench: Bench) -> Row:
    """Does aftercorr pair the tasks of two arrays."""
    first = bench.submit("paired_from", "exit $SLURM_ARRAY_TASK_ID", "--array=0-1")
    second = bench.submit(
        "paired_to",
        SHORT,
        "--array=0-1",
        f"--dependency=aftercorr:{first}",
        "--kill-on-invalid-dep=no",
    )
    yield
    for task in (0, 1):
        bench.ended(f"{first}_{task}")
    ran = bench.ended(f"{second}_0")
    other = bench.until(f"{second}_1", _decided, "a verdict on the task whose partner failed")
    question = "Does aftercorr let each task wait for its own partner?"
    good = ran["JobState"] == "COMPLETED" and other["JobState"] in ("PENDING", "CANCELLED")
    words = f"partner completed: {ran['JobState']}; partner failed: {other['JobState']} {other['Reason']}"
    return [bench.fact("aftercorr_pairs_tasks", question, good, words)]


def _decided(facts: dict[str, str]) -> bool:
    return facts["JobState"] != "PENDING" or "Never" in facts["Reason"]
