"""The scores of each method: which is best of its contribution and split, and the table."""

from __future__ import annotations

from forgia_hpc.report.evaluation import Score
from forgia_hpc.report.figures import count, percent, significant, words
from forgia_hpc.report.markup import Safe, join, table, tag


def best_scores(scores: list[Score]) -> set[int]:
    """Return the indices of the scores with the least SQL (else MASE) of their contribution and split."""
    groups: dict[tuple[str, str], list[int]] = {}
    for index, one in enumerate(scores):
        groups.setdefault((one.contribution, one.split), []).append(index)
    best = set()
    for members in groups.values():
        for metric in ("sql", "mase"):
            known = {
                index: value
                for index in members
                if (value := getattr(scores[index], metric)) is not None
            }
            if known:
                best.add(min(known, key=lambda index: known[index]))
                break
    return best


def levels(scores: list[Score]) -> list[float]:
    """Return the coverage levels of all the scores."""
    return sorted({level for one in scores for level in one.coverage})


def score_cells(one: Score, covered: list[float]) -> list[str]:
    """Return the cells of one score after its names: windows, series, errors, coverage."""
    return [
        *("–" if value is None else count(value) for value in (one.windows, one.series)),
        *("–" if value is None else significant(value) for value in (one.sql, one.mase)),
        *(percent(one.coverage[level]) if level in one.coverage else "–" for level in covered),
    ]


def score_head(covered: list[float]) -> list[str]:
    """Return the heads of `score_cells`."""
    return ["Windows", "Series", "SQL", "MASE", *(f"in {percent(level)}" for level in covered)]


def score_table(scores: list[Score]) -> Safe:
    """Return the scores as a table; the best method of each group is marked."""
    covered, best = levels(scores), best_scores(scores)
    rows: list[list[object]] = []
    for index, one in enumerate(scores):
        method: object = words(one.method)
        if index in best:
            method = join(tag("b", method), tag("span", " best", class_="best"))
        before = scores[index - 1] if index else None
        names = [words(one.contribution), words(one.split)]
        if before and (before.contribution, before.split) == (one.contribution, one.split):
            names = [
                tag("span", name, class_="unseen") for name in names
            ]  # read aloud, not repeated
        rows.append([*names, method, *score_cells(one, covered)])
    head = ["Contribution", "Split", "Method", *score_head(covered)]
    return table("Scores of each method", head, rows, text_columns=3)
