"""From one line of sweep overrides to many typed jobs: Hydra once a family of points, values under its schema.

Composing costs a tenth of a second. Points that choose the same groups and set the same keys are a *family*: its
first point is composed by Hydra, the others differ from it in values, and each distinct value is put through the
same typed config once.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, cast

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from forgia_hpc.config.compose import (
    LITERAL,
    compose_config,
    compose_job,
    explained,
)
from forgia_hpc.config.expand import Asked, Words
from forgia_hpc.config.groups import groups
from forgia_hpc.config.spelling import freed, key_of, plain_variable
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.job import Job, Kind

PATIENCE = 10  # failures of one family, one compose each, before the rest is left unchecked


@dataclass
class Family:
    """Points that differ from one composed job in plain values only."""

    kind: Kind
    words: Words
    job: Job
    config: DictConfig  # the typed config of `words`; each new value passes through it once
    values: dict[str, Any] = field(default_factory=dict)
    # made once: Hydra inspects all its functions each time, which took a third of the whole
    parser: OverridesParser = field(default_factory=OverridesParser.create)

    def member(self, asked: Asked) -> Job:
        """Return the job of a point of this family.

        Raises:
            InputError: every value that does not fit.
        """
        problems: list[Problem] = []
        changes: dict[str, Any] = {}
        pairs = zip(asked.words, self.words, strict=True)
        for word in (word for word, own in pairs if word != own):
            try:
                _put(changes, key_of(word).split("."), self._value(word, asked.numbers.get(word)))
            except InputError as error:
                problems += error.problems
        if problems:
            raise InputError(problems)
        return cast("Job", _replaced(_copied(self.job), changes, problems))

    def _value(self, word: str, number: float | None) -> Any:
        """Return a value as the schema types it; `number`: as Hydra's grammar has read it already."""
        if (text := plain_variable(word)) is not None:
            return text
        if word not in self.values:
            key = key_of(word)
            try:
                if number is None or freed(word) != word:
                    parsed = self.parser.parse_override(freed(word))
                    ConfigLoaderImpl._apply_overrides_to_config([parsed], self.config)
                else:
                    OmegaConf.update(self.config, key, number, merge=True)
                found = OmegaConf.select(self.config, key)
            except (HydraException, OmegaConfBaseException, ValueError) as error:
                raise InputError(explained(word, error, self.kind)) from error
            container = isinstance(found, DictConfig | ListConfig)
            self.values[word] = OmegaConf.to_object(found) if container else found
        return self.values[word]


def _copied(job: Job) -> Job:
    """Return the job with sections of its own: what is completed in one must not show in another."""
    sections: dict[str, Any] = {each.name: getattr(job, each.name) for each in fields(job)}
    own: dict[str, Any] = {name: copy(one) for name, one in sections.items() if is_dataclass(one)}
    return replace(job, **own)


def _put(changes: dict[str, Any], path: list[str], value: Any) -> None:
    for name in path[:-1]:
        changes = changes.setdefault(name, _Changes())
    changes[path[-1]] = value


class _Changes(dict[str, Any]):
    """What changes inside a section, told apart from a mapping that is a value."""


def _replaced(node: Any, changes: dict[str, Any], problems: list[Problem]) -> Any:
    """Return a config node with values replaced; every section checks itself again, all problems at once."""
    new: dict[str, Any] = {}
    for name, value in changes.items():
        inner = node[name] if isinstance(node, dict) else getattr(node, name)
        if not isinstance(value, _Changes):
            new[name] = value
            continue
        try:
            new[name] = _replaced(inner, value, problems)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(tuple(dict.fromkeys(problems)))
    return replace(node, **new) if is_dataclass(node) else {**node, **new}  # type: ignore[type-var]


def compose_points(kind: Kind, asked: Iterable[Asked]) -> list[Job | InputError]:
    """Return the typed job of each point, or everything that is wrong with it."""
    options = groups(kind)
    families: dict[Words, Family] = {}
    failed: dict[Words, int] = {}
    found: list[Job | InputError] = []
    for one in asked:
        key = _family(one.words, options)
        if failed.get(key, 0) >= PATIENCE:
            found.append(_unchecked(one))
            continue
        try:
            found.append(_composed(kind, one, key, families))
        except InputError as error:
            failed[key] = failed.get(key, 0) + (key not in families)
            found.append(error)
    return found


def _composed(kind: Kind, asked: Asked, key: Words, families: dict[Words, Family]) -> Job:
    words = asked.words
    if key in families and _near(words, families[key].words):
        return families[key].member(asked)
    job = compose_job(kind, words)
    config = compose_config(kind, words)
    if not _follows(kind, config):
        families[key] = Family(kind, words, job, config)
    return job


def _follows(kind: Kind, config: DictConfig) -> bool:
    """Whether a value names another one, and would follow it; what programs are told names none."""
    content = OmegaConf.create(OmegaConf.to_container(config, enum_to_str=True))
    for path in LITERAL.get(kind, ()):
        OmegaConf.update(content, path, None, merge=False)
    return "${" in OmegaConf.to_yaml(content)


def _unchecked(one: Asked) -> InputError:
    limit = f"not checked: {PATIENCE} points of its kind failed before it"
    return InputError(Problem(field="sweep", got=" ".join(one.own), limit=limit, fix="mend those"))


def _family(words: Words, options: dict[str, list[str]]) -> Words:
    """Return what points of one family have in common: the chosen groups, and the names of the values set."""
    return tuple(
        word
        if key_of(word).partition("@")[0] in options and "." not in key_of(word)
        else key_of(word)
        for word in words
    )


def _near(words: Words, others: Words) -> bool:
    """Whether two points of a family differ in plain values only."""
    return all(_plain(word) for word, other in zip(words, others, strict=True) if word != other)


def _plain(word: str) -> bool:
    """Whether an override sets one value: no key added or deleted, no mapping, no interpolation."""
    value = word.partition("=")[2]
    return word[:1] not in "+~" and "=" in word and not value.startswith("{") and "${" not in value
