"""The card: the facts of a dataset that people wrote, read without HDF5.

`datasets/<name>/card.yaml` is the original; a sealed dataset carries a copy, under its version.

    format: forgia.card/1
    name: refinery                     # the folder's name
    title: Refinery process, 5 min
    contributor: petrobras             # pseudonym of the company; "consortium" for a consortium
    description: One paragraph.
    licence: CC-BY-4.0                 # SPDX where there is one
    source: https://github.com/…       # where the data come from, in words or as a URL
    citation: Who asks to be cited how # optional
    language: en                       # optional, of the names and texts
    tags: [refinery, process]          # optional
    season_steps: {process: 288}       # optional, group → steps of a season (1: none)
    members: [refinery, …]             # a consortium only: names of contributions
    policy:                            # optional
      purposes: [train, evaluate]      # KINDs of jobs that may read; empty: every kind
      expires: 2030-12-31              # last day of use, UTC; absent: no end
      release: consortium              # who may have a model made of it: none | consortium | open
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import yaml

from forgia_hpc import sources
from forgia_hpc.errors import InputError, Problem

FORMAT = "forgia.card/1"
RELEASES = ("none", "consortium", "open")
PURPOSES = ("prepare", "simulate", "train", "evaluate", "microbench", "command")


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What may be done with the data; no purpose named: every kind of job."""

    purposes: tuple[str, ...] = ()
    expires: str = ""  # ISO date, UTC, that day included
    release: str = "consortium"

    @property
    def ends(self) -> datetime.datetime | None:
        """The first moment at which the data may no longer be read, or None."""
        if not self.expires:
            return None
        day = datetime.date.fromisoformat(self.expires) + datetime.timedelta(days=1)
        return datetime.datetime.combine(day, datetime.time(), datetime.UTC)


@dataclass(frozen=True, kw_only=True)
class Card:
    """The facts of one contribution, or of a consortium (`members` names its contributions)."""

    name: str
    title: str
    contributor: str
    description: str
    licence: str
    source: str
    format: str = FORMAT
    citation: str = ""
    language: str = "en"
    tags: tuple[str, ...] = ()
    season_steps: dict[str, int] = field(default_factory=dict)
    members: tuple[str, ...] = ()
    policy: Policy = field(default_factory=Policy)

    def as_dict(self) -> dict[str, object]:
        """Return the card as plain data, complete, as `card_from` takes it."""
        return {
            **asdict(self),
            "tags": list(self.tags),
            "members": list(self.members),
            "policy": {**asdict(self.policy), "purposes": list(self.policy.purposes)},
        }


def shipped_cards() -> dict[str, Path]:
    """Return every `datasets/<name>/card.yaml` by name (login wing)."""
    return sources.named("datasets", "*/card.yaml")


def load_card(path: Path) -> Card:
    """Load a card.yaml, or the card of a dataset's directory.

    Raises:
        InputError: no such file, broken YAML; every unknown, missing and wrong key at once.

    """
    path = path / "card.yaml" if path.is_dir() else path
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            Problem(field="card.yaml", got=reason, limit="a readable YAML file", where=str(path))
        ) from error
    return card_from(content, where=str(path))


def dump_card(card: Card) -> str:
    """Return the card as YAML text; the same card gives the same text."""
    return yaml.safe_dump(card.as_dict(), sort_keys=True, allow_unicode=True, width=100)


def card_from(content: object, *, where: str) -> Card:
    """Check plain data (a dict as in the YAML) and return the card; all problems at once."""
    problems: list[Problem] = []
    top = _fields(content, _CARD, _REQUIRED, "card", where, problems)
    policy = _fields(top.pop("policy", {}), _POLICY, (), "card.policy", where, problems)
    if problems:
        raise InputError(problems)
    return Card(**top, policy=Policy(**policy))  # type: ignore[arg-type]  # _fields checked each


def _fields(
    content: object,
    known: dict[str, tuple[str, Callable[[object], object]]],
    required: tuple[str, ...],
    prefix: str,
    where: str,
    problems: list[Problem],
) -> dict[str, object]:
    """Convert each known key by its rule; collect problems of unknown, missing and wrong ones."""
    if not isinstance(content, dict):
        problems.append(Problem(field=prefix, got=content, limit="a mapping", where=where))
        return {}
    for key in sorted(set(content) - set(known), key=str):
        known_keys = ", ".join(known)
        problems.append(
            Problem(field=f"{prefix}.{key}", got=key, limit=f"known: {known_keys}", where=where)
        )
    for key in sorted(set(required) - set(content)):
        problems.append(
            Problem(field=f"{prefix}.{key}", got="nothing", limit="the key is needed", where=where)
        )
    found: dict[str, object] = {}
    for key in known.keys() & content.keys():
        limit, convert = known[key]
        try:
            found[key] = convert(content[key])
        except ValueError:
            problems.append(
                Problem(field=f"{prefix}.{key}", got=content[key], limit=limit, where=where)
            )
    return found


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value


def _line(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004  # one kind of refusal; _fields names the field
    return value


def _one_of(*words: str) -> Callable[[object], str]:
    def convert(value: object) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return convert


def _name(value: object) -> str:
    text = _text(value)
    if not text.replace("_", "").replace("-", "").isalnum() or not text.isascii():
        raise ValueError
    return text


def _texts(convert: Callable[[object], str]) -> Callable[[object], tuple[str, ...]]:
    def convert_all(value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple) or len(set(map(str, value))) != len(value):
            raise ValueError
        return tuple(convert(one) for one in value)

    return convert_all


def _seasons(value: object) -> dict[str, int]:
    if not isinstance(value, dict):
        raise ValueError  # noqa: TRY004
    for group, steps in value.items():
        if type(steps) is not int or steps < 1 or not isinstance(group, str):
            raise ValueError
    return dict(value)


def _day(value: object) -> str:
    if value == "":
        return ""
    return datetime.date.fromisoformat(str(value)).isoformat()


_REQUIRED = ("format", "name", "title", "contributor", "description", "licence", "source")
_NAME_LIMIT = "letters, digits, - and _"
_CARD: dict[str, tuple[str, Callable[[object], object]]] = {
    "format": (f"must be {FORMAT}", _one_of(FORMAT)),
    "name": (_NAME_LIMIT, _name),
    "title": ("a text", _text),
    "contributor": (_NAME_LIMIT, _name),
    "description": ("a text", _text),
    "licence": ("a text, SPDX where there is one", _text),
    "source": ("a text or URL", _text),
    "citation": ("a text", _line),
    "language": ("a language code such as en", _text),
    "tags": ("a list of different texts", _texts(_text)),
    "season_steps": ("group: whole number of steps, at least 1", _seasons),
    "members": ("a list of different names of contributions", _texts(_name)),
    "policy": ("a mapping", lambda value: value),
}
_POLICY: dict[str, tuple[str, Callable[[object], object]]] = {
    "purposes": (f"a list from {', '.join(PURPOSES)}", _texts(_one_of(*PURPOSES))),
    "expires": ("a date such as 2030-12-31", _day),
    "release": (f"one of {', '.join(RELEASES)}", _one_of(*RELEASES)),
}
