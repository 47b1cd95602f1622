"""Films of fields on the page: one picture that holds all frames, moved by the style sheet alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from forgia_hpc.report.campaign import Input, MemberFacts
from forgia_hpc.report.figures import significant, unit
from forgia_hpc.report.markup import Safe, join, tag
from forgia_hpc.report.pictures import EMBER, Colour, beside, data_url, gradient

STILLS = 5  # frames of a strip


@dataclass(frozen=True)
class Film:
    """One field of one member: frames of equal size, each a line of shades (1 to 255, 0: nothing) a row."""

    member: int
    field: str
    ucum: str
    times: list[float]
    time_ucum: str
    low: float
    high: float
    frames: list[list[bytes]]
    planes: str  # which are shown
    admitted: bool = True


def film_block(
    films: Sequence[Film], members: dict[int, MemberFacts], inputs: Sequence[Input]
) -> Safe:
    """Return the films of one field, with their common scale above."""
    one = films[0]
    title = join(one.field, " ", tag("span", f"in {unit(one.ucum) or 'no unit'}", class_="unit"))
    drawn = [_figure(film, members[film.member], inputs) for film in films]
    bar = scale_bar(one.low, one.high, unit(one.ucum), EMBER)
    return tag("div", tag("h3", title), bar, tag("div", *drawn, class_="films"))


def _figure(film: Film, member: MemberFacts, inputs: Sequence[Input]) -> Safe:
    """Return a film that plays by itself, with some of its frames below; still on paper or where asked."""
    words = ", ".join(
        f"{one.name} {significant(one.values[member.number])} {unit(one.ucum)}".rstrip()
        for one in inputs
        if one.varies
    )
    state = "" if film.admitted else ", rejected"
    says = f"{film.field} of member {film.member}{state}, {len(film.frames)} frames."
    count, first = len(film.frames), film.frames[0]
    style = (
        f"--film:url({data_url(beside(film.frames), EMBER)});--frames:{count};"
        f"--shape:{len(first[0])}/{len(first)};--rest:{place_of(count // 3, count)}"
    )
    return tag(
        "figure",
        tag("div", class_="frame play" if count > 1 else "frame", role="img", aria_label=says),
        _strip(film) if count > 1 else None,
        tag("figcaption", tag("p", tag("b", f"Member {film.member}{state}"), f" {words}")),
        class_="film" if film.admitted else "film refused",
        style=style,
    )


def place_of(at: int, frames: int) -> str:
    """Return where a frame lies in the picture that holds all, 0 to 1."""
    return f"{at / max(frames - 1, 1):.4f}"


def _strip(film: Film) -> Safe:
    last = len(film.frames) - 1
    kept = sorted({round(at * last / (STILLS - 1)) for at in range(STILLS)})
    stills = [
        tag(
            "li",
            tag("div", class_="frame", style=f"--at:{place_of(at, last + 1)}"),
            f"{film.times[at]:.4g} {unit(film.time_ucum)}",
        )
        for at in kept
    ]
    return tag("ol", *stills, class_="strip")


def scale_bar(low: float, high: float, ucum: str, colours: Sequence[Colour]) -> Safe:
    """Return what the colours of a picture mean."""
    return tag(
        "div",
        tag("span", significant(low)),
        tag("span", class_="ramp", style=f"background:{gradient(colours)}"),
        tag("span", f"{significant(high)} {ucum}".rstrip()),
        class_="ramp-row",
    )
