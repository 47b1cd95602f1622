"""How a surrogate of simulations did: errors by steps ahead, worst trajectories, its time and the solver's."""

from __future__ import annotations

from typing import Any

from forgia_hpc.report.evaluation import Evaluation, Rollout
from forgia_hpc.report.figures import count, number, significant, words
from forgia_hpc.report.markup import Safe, table, tag

HINT = (
    "VRMSE: the error over the truth's own deviation in space; 1 is as good as its mean, less is better. "
    "Spectrum: error over truth at long, middle and short waves. Drift: of the mean over the body, in deviations."
)


def rollouts_block(judged: Evaluation) -> list[Safe | str]:
    """Return what stands in the section of scores: table, cost, worst trajectories, notes."""
    said = [*cost_words(judged.cost), *judged.notes]
    parts: list[Safe | str] = [HINT, rollout_table(judged.rollouts)]
    if judged.worst:
        parts.append(worst_table(judged.worst))
    return [*parts, *(tag("p", line, class_="hint") for line in said)]


def rollout_table(rollouts: list[Rollout]) -> Safe:
    """Return a row a contribution, split and method."""
    steps = sorted({at for one in rollouts for at in one.vrmse})
    middle = steps[len(steps) // 2] if steps else 0
    rows: list[list[object]] = [
        [
            words(one.contribution),
            words(one.split),
            words(one.method),
            "–" if one.windows is None else count(one.windows),
            *(_figure(one.vrmse.get(at)) for at in steps),
            " / ".join(_figure(value) for value in one.bands.get(middle, [])),
            _figure(one.drift.get(middle)),
        ]
        for one in rollouts
    ]
    head = ["Contribution", "Split", "Method", "Windows"]
    head += [f"VRMSE, {at} {'step' if at == 1 else 'steps'}" for at in steps]
    head += [f"Spectrum, {middle}", f"Drift, {middle}"]
    return table("Errors of each method by steps ahead", head, rows, text_columns=3)


def worst_table(worst: list[dict[str, Any]]) -> Safe:
    """Return the trajectories that the model does worst on."""
    metrics = [name for name in worst[0] if name.startswith("vrmse_")]
    rows: list[list[object]] = [
        [
            words(str(row.get("contribution"))),
            str(row.get("member")),
            *(_figure(number(row.get(name))) for name in metrics),
        ]
        for row in worst
    ]
    head = ["Contribution", "Worst trajectories"]
    head += [f"VRMSE, {name.removeprefix('vrmse_')}" for name in metrics]
    return table("Worst trajectories", head, rows, text_columns=2)


def cost_words(cost: dict[str, Any]) -> list[str]:
    """Return what a step takes, of model and solver; as it is."""
    model, solver = number(cost.get("model_s")), number(cost.get("solver_s"))
    if model is None:
        return []
    if solver is None:
        return [f"A step of the model takes {_time(model)}; nobody noted what the solver took."]
    said = [
        f"A step of the model takes {_time(model)}, of the solver {_time(solver)}: {_pace(solver / model)}."
    ]
    equal = cost.get("equal")
    if isinstance(equal, dict) and (coarse := number(equal.get("solver_s"))) is not None:
        ratio = number(equal.get("error_ratio")) or 0.0
        mesh = "a mesh with that error"
        if equal.get("coarsest"):
            mesh = "the coarsest mesh there is, of two cells an axis, errs less and"
        said.append(
            f"Its error is {significant(ratio)} times the solver's own; {mesh} would take "
            f"about {_time(coarse)} a step (second order, explicit): {_pace(coarse / model)}."
        )
    return said


def _pace(ratio: float) -> str:
    if ratio >= 1:
        return f"the model is {significant(ratio)} times as fast"
    return f"the model takes {significant(1 / ratio)} times as long"


def _time(seconds: float) -> str:
    return f"{significant(seconds * 1e3)} ms" if seconds < 1 else f"{significant(seconds)} s"


def _figure(value: float | None) -> str:
    return "–" if value is None else significant(value)
