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
      places: [IT]                     # countries of the cluster (ISO 3166-1), or EU
      min_contributors: 3              # companies in the mix that it is used in
      federated_only: false            # true: it may not be read on a cluster at all
      signed_grant: required           # who reads it has a key, and has signed for it
      duties: [attribute]              # of who uses it: attribute, inform, delete
      odrl: {…}                        # or an ODRL document instead of all of these
    policies: {name: {…}, …}           # or several, which the recipe names for tables, machines, splits
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from forgia_hpc import sources
from forgia_hpc.data import checked
from forgia_hpc.data.access.terms import Policy, policy_from
from forgia_hpc.errors import InputError, Problem

FORMAT = "forgia.card/1"
# ten times as fast where PyYAML was built with libyaml: a thousand cards in a tenth of a second
_FASTEST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_FASTEST):  # type: ignore[misc]  # it is one or the other
    """Refuses a key that stands twice: YAML takes the last, and a term would be lost without a word."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(set(keys)) < len(keys):
            said = f"{max(keys, key=keys.count)} stands there twice"
            raise yaml.constructor.ConstructorError(None, None, said, node.start_mark)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


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
    policies: dict[str, Policy] = field(default_factory=dict)  # by the names that a recipe uses

    def as_dict(self) -> dict[str, object]:
        """Return the card as plain data, complete, as `card_from` takes it."""
        words = {**vars(self), "tags": list(self.tags), "members": list(self.members)}
        policies = {name: one.as_dict() for name, one in words.pop("policies").items()}
        words["policy"] = self.policy.as_dict()
        if policies:
            del words["policy"]
            words["policies"] = policies
        return words

    @property
    def terms(self) -> dict[str, Policy]:
        """The policies by name; one that has no name by an empty one."""
        return self.policies or {"": self.policy}

    def policy_named(self, name: str) -> str | None:
        """Return which of `terms` holds for data that name this one; none named: the only one. None: no such."""
        if not name and len(self.terms) == 1:
            return next(iter(self.terms))
        return name if name in self.terms else None


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
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
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
    top: dict[str, Any] = checked.checked_fields(content, _CARD, _REQUIRED, "card", where, problems)
    if "policy" in top and "policies" in top:
        limit = "either `policy` or `policies`: a stretch of data has one"
        problems.append(Problem(field="card.policies", got="both", limit=limit, where=where))
    if "policies" in top:
        top["policies"] = _policies(top["policies"], where, problems)
    policy = policy_from(top.pop("policy", {}), "card.policy", where, problems)
    if problems:
        raise InputError(problems)
    return Card(**top, policy=policy)


def _policies(content: object, where: str, problems: list[Problem]) -> dict[str, Policy]:
    """Return the named policies, each checked."""
    if not isinstance(content, dict) or not content:
        limit = "a mapping of names and policies"
        problems.append(Problem(field="card.policies", got=content, limit=limit, where=where))
        return {}
    found = {}
    for name, one in content.items():
        try:
            checked.name(name)
        except ValueError:
            problems.append(
                Problem(field="card.policies", got=name, limit=_NAME_LIMIT, where=where)
            )
        found[str(name)] = policy_from(one, f"card.policies.{name}", where, problems)
    return found


def _seasons(value: object) -> dict[str, int]:
    if not isinstance(value, dict):
        raise ValueError  # noqa: TRY004
    for group, steps in value.items():
        if type(steps) is not int or steps < 1 or not isinstance(group, str):
            raise ValueError
    return dict(value)


_REQUIRED = ("format", "name", "title", "contributor", "description", "licence", "source")
_NAME_LIMIT = "letters, digits, - and _"
_CARD: checked.Known = {
    "format": (f"must be {FORMAT}", checked.one_of(FORMAT)),
    "name": (_NAME_LIMIT, checked.name),
    "title": ("a text", checked.text),
    "contributor": (_NAME_LIMIT, checked.name),
    "description": ("a text", checked.text),
    "licence": ("a text, SPDX where there is one", checked.text),
    "source": ("a text or URL", checked.text),
    "citation": ("a text", checked.line),
    "language": ("a language code such as en", checked.text),
    "tags": ("a list of different texts", checked.texts(checked.text)),
    "season_steps": ("group: whole number of steps, at least 1", _seasons),
    "members": ("a list of different names of contributions", checked.texts(checked.name)),
    "policy": ("a mapping", lambda value: value),
    "policies": ("a mapping of names and policies", lambda value: value),
}
