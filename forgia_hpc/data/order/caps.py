"""Caps of `data.shares`: contributions that together get at most a share. No NumPy: `submit` asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from forgia_hpc.errors import InputError, Problem, nearest

Cap = tuple[tuple[int, ...], float]  # contributions that together get at most this share
ROUNDING = 1e-9  # three caps of 0.1 + 0.2 + 0.7 may add up to a hair less than 1


def caps_of(shares: Mapping[str, float], names: Sequence[str], owners: Sequence[str]) -> list[Cap]:
    """Return the caps of `data.shares`: by contribution, or by contributor for all that is theirs.

    Raises:
        InputError: a word is unknown, two cap the same, or the caps leave a part of the mix to nobody.
    """
    caps: list[Cap] = []
    problems: list[Problem] = []
    taken: dict[int, str] = {}
    for word, share in shares.items():
        mine = [at for at, both in enumerate(zip(names, owners, strict=True)) if word in both]
        twice = next((taken[at] for at in mine if at in taken), None)
        if not mine:
            fix = nearest(word, {*names, *owners}, f"{', '.join(names)} take part")
            limit = "the name of a contribution or contributor of the mix"
            problems.append(Problem(field="data.shares", got=word, limit=limit, fix=fix))
        elif twice is not None:
            limit = f"{twice} caps {names[mine[0]]} already"
            fix = "cap a contribution or its contributor, not both"
            problems.append(Problem(field="data.shares", got=word, limit=limit, fix=fix))
        taken |= dict.fromkeys(mine, word)
        caps.append((tuple(mine), share))
    if problems:
        raise InputError(problems)
    check_whole(caps, range(len(names)))
    return caps


def check_whole(caps: Sequence[Cap], there: Sequence[int]) -> None:
    """Refuse caps under which the contributions that are there can't make a whole mix."""
    capped = [(members, share) for members, share in caps if set(members) & set(there)]
    free = set(there) - {one for members, _ in capped for one in members}
    total = sum(share for _, share in capped)
    if there and not free and total < 1 - ROUNDING:
        limit = "at least 1 together, or a contribution without a cap"
        fix = "raise a cap, or let others take part"
        raise InputError(
            Problem(field="data.shares", got=f"caps of {total:.4g} together", limit=limit, fix=fix)
        )
