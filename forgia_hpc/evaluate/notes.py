"""What a reader of the figures must know: what was left out, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from forgia_hpc.data.layout import Split
from forgia_hpc.data.reading.windows import WindowIndex
from forgia_hpc.evaluate.skill import Judged


def notes_on(
    indexes: Mapping[Split, WindowIndex], judged: Sequence[Judged], coverage: Sequence[float]
) -> list[str]:
    """Return plain sentences; none where nothing was left out."""
    return [*_empty(indexes), *_unscored(judged), *_uncovered(judged, coverage)]


def _empty(indexes: Mapping[Split, WindowIndex]) -> Iterator[str]:
    for split, index in indexes.items():
        for name, count in zip(index.names, index.counts, strict=True):
            if not count:
                yield f"{name}: no window in {split.value}."


def _unscored(judged: Sequence[Judged]) -> Iterator[str]:
    counts: dict[tuple[str, str], tuple[int, int]] = {}
    for window in judged:
        key = (window.contribution, window.split)
        whole, left = counts.get(key, (0, 0))
        series = len(window.series)
        counts[key] = (whole + series, left + series - window.figures["model"].scored)
    for (name, split), (whole, left) in sorted(counts.items()):
        if left:
            yield (
                f"{name}, {split}: {left} of {whole} series were not scored, because their context repeats "
                "itself exactly (no scale) or context or target hold no reading."
            )


def _uncovered(judged: Sequence[Judged], coverage: Sequence[float]) -> Iterator[str]:
    known = {level for window in judged for level in window.figures["model"].inside}
    for level in coverage:
        if judged and f"{level:g}" not in known:
            yield f"Coverage at {level:g} is not given: the model has no quantiles that far out."
