"""One sentence: what was done with what, where it stands, and what came out."""

from __future__ import annotations

from collections.abc import Sequence

from forgia_hpc.report.campaign import Campaign, MemberFacts
from forgia_hpc.report.facts import RunFacts, deep
from forgia_hpc.report.figures import count, number, percent, words
from forgia_hpc.report.progress import Progress
from forgia_hpc.report.skill import between, metric_words
from forgia_hpc.report.standing import Standing, error_of


def model_name(facts: RunFacts) -> str:
    """Return the model's name: as judged, else as asked."""
    judged = facts.evaluation.model if facts.evaluation else {}
    return str(judged.get("name") or facts.asked("model.name") or "a model")


def parameters(facts: RunFacts) -> float | None:
    """Return how many parameters the model has."""
    judged = facts.evaluation.model if facts.evaluation else {}
    for value in (judged.get("parameters"), deep(facts.result, "parameters")):
        if (known := number(value)) is not None:
            return known
    return None


def dataset_name(facts: RunFacts) -> str:
    """Return the dataset with its version where one is known."""
    judged = facts.evaluation.dataset if facts.evaluation else ""
    if "+" in judged:  # contributions with a version each: too long for a sentence
        asked = str(facts.asked("data.dataset") or "a dataset")
        return f"{asked} ({judged.count('+') + 1} contributions)"
    if judged:
        return judged
    name, version = facts.dataset.get("name"), facts.dataset.get("version")
    if isinstance(name, str) and isinstance(version, str):
        return f"{name}@{version[:12]}"
    return str(facts.asked("data.dataset") or "a dataset")


def kind(facts: RunFacts) -> str:
    """Return the KIND of the job: from the config, else from the run's name."""
    parts = facts.name.split("-")
    guess = parts[2] if len(parts) == 4 else "unknown"
    return str(facts.config.get("kind") or guess)


def verdict(facts: RunFacts, figures: Progress, state: Standing) -> str:
    """Return the sentence."""
    if kind(facts) == "train":
        return _training(facts, figures, state)
    if kind(facts) == "evaluate" and facts.evaluation:
        return f"{model_name(facts)} was judged on {dataset_name(facts)}: {skill_words(facts)}."
    if facts.campaign is not None:
        return _campaign(facts, facts.campaign, state)
    job = "This job" if kind(facts) == "unknown" else f"The {kind(facts)} job"
    return f"{job} {_ending(facts, state)}."


def _training(facts: RunFacts, figures: Progress, state: Standing) -> str:
    model, dataset = model_name(facts), dataset_name(facts)
    if state.word == "finished":
        steps = f" for {count(figures.steps)} steps" if figures.steps is not None else ""
        return f"{model} was trained on {dataset}{steps}: {skill_words(facts)}."
    if state.word in ("started", "running"):
        tail = "and no ending is recorded" if state.word == "started" else "still running"
        judging = figures.judged and (
            f"judging, {figures.judged[0]:.0f} of {figures.judged[1]:.0f} windows"
        )
        return f"{model} on {dataset}: {judging or _place(figures)}, {tail}."
    return f"The training of {model} on {dataset} {_ending(facts, state, _place(figures))}."


def _campaign(facts: RunFacts, campaign: Campaign, state: Standing) -> str:
    """Return what a campaign has made; or how far it came, and what ended it."""
    solver = str(facts.asked("solver.name") or "a solver")
    planned, admitted = len(campaign.planned()), len(campaign.ended("admitted"))
    left = [
        f"{count(len(found))} {'were ' * (word == 'rejected')}{said}{_first(found, word)}"
        for word, said in (("rejected", "rejected"), ("poison", "given up as poison"))
        if (found := campaign.ended(word))
    ]
    if state.word == "finished":
        tail = f"; {' and '.join(left)}" if left else ""
        return f"{count(admitted)} of {count(planned)} simulations by {solver} are in {campaign.named()}{tail}."
    told = ", ".join([f"{count(admitted)} of {count(planned)} members admitted", *left])
    return f"The campaign of {solver} {_ending(facts, state)}: {told}."


def _first(found: Sequence[MemberFacts], word: str) -> str:
    """Return why the first member was given up; rejected ones have a table of checks."""
    return f" (the first: {found[0].why[:160]})" if word == "poison" and found[0].why else ""


def _place(figures: Progress) -> str:
    if figures.steps is None:
        return "no step is recorded"
    planned = f" of {count(figures.planned)}" if figures.planned is not None else ""
    return f"step {figures.steps:.0f}{planned}"


def _ending(facts: RunFacts, state: Standing, place: str = "") -> str:
    at_place = f" at {place}" if place.startswith("step") else ""
    error = error_of(facts).strip().splitlines()
    why = f": {error[-1][:240].rstrip('.')}" if error else ""
    endings = {
        "finished": "finished",
        "failed": f"failed{at_place}{why}",
        "stopped": f"stopped{at_place} and can go on",
        "cancelled": f"was cancelled{at_place}",
        "submitted": "is submitted; nothing of it has started",
        "sealed": "is sealed; no submission is recorded",
        "submitting": "was being submitted; the answer is not recorded",
        "pending": "waits in the queue",
        "held": "is held by Slurm",
        "running": "is running",
        "timeout": f"ran out of its walltime{at_place}",
        "vanished": f"vanished{at_place}: Slurm no longer knows it, and it left no last word",
        "started": "has started, and no ending is recorded",
    }
    return endings.get(state.word, "left no event, no metrics and no result here")


def skill_words(facts: RunFacts) -> str:
    """Return how the model compares with the baseline, in words that its interval allows."""
    best = facts.evaluation.headline() if facts.evaluation else None
    if best is None:
        return "it was not judged against a baseline over all its data"
    baseline = words(best.against)
    metric = metric_words(best.metric)
    spread = f" ({between(best)})" if between(best) else ""
    skill = f"skill {percent(best.skill, sign=True)}{spread}"
    if best.low is not None and best.high is not None and best.low <= 0 <= best.high:
        return f"its {metric} cannot be told apart from the {baseline}, {skill}"
    word = "lower" if best.skill >= 0 else "higher"
    return f"its {metric} is {percent(abs(best.skill))} {word} than the {baseline}, {skill}"
