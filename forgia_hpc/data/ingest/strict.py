"""Mapping → dataclass, strictly: unknown keys, missing keys and wrong types, all problems at once."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any, TypeVar

from forgia_hpc.errors import Problem

T = TypeVar("T")


class Reader:
    """Reads one document; what is wrong is gathered in `problems`."""

    def __init__(self, where: str) -> None:
        """Take the name of the document, for the problems."""
        self.where = where
        self.problems: list[Problem] = []

    def read(self, kind: type[T], raw: object, field: str = "") -> T | None:
        """Return `raw` as a `kind`, or None with the problems noted."""
        if not isinstance(raw, dict):
            self._refuse(field or "document", raw, "a mapping is needed")
            return None
        before = len(self.problems)
        hints = typing.get_type_hints(kind)
        known = {item.name: item for item in dataclasses.fields(typing.cast("Any", kind))}
        values: dict[str, Any] = {}
        for key, value in raw.items():
            if key not in known:
                self._refuse(_join(field, key), value, "unknown key", f"one of {', '.join(known)}")
                continue
            values[key] = self._value(hints[key], value, _join(field, key))
        for name, item in known.items():
            if name not in raw and _required(item):
                self._refuse(_join(field, name), None, "the key is needed")
        return kind(**values) if len(self.problems) == before else None

    def _value(self, hint: Any, value: object, field: str) -> Any:
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        # `X | None` is the only union in a recipe; of a Literal it is a typing.Union
        if origin in (types.UnionType, typing.Union):
            (hint,) = (one for one in arguments if one is not type(None))
            return None if value is None else self._value(hint, value, field)
        shapes = {typing.Literal: self._choice, tuple: self._sequence, dict: self._mapping}
        if origin in shapes:
            return shapes[origin](arguments, value, field)
        if dataclasses.is_dataclass(hint):
            return self.read(typing.cast("type[Any]", hint), value, field)
        return self._plain(hint, value, field)

    def _plain(self, hint: type, value: object, field: str) -> Any:
        if hint is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        # bool is an int in Python; `rows: yes` is not a count
        if isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
            return value
        return self._refuse(field, value, f"a value of type {hint.__name__} is needed")

    def _choice(self, choices: tuple[Any, ...], value: object, field: str) -> Any:
        if value in choices:
            return value
        return self._refuse(field, value, f"one of {', '.join(map(str, choices))}")

    def _sequence(self, hints: tuple[Any, ...], value: object, field: str) -> Any:
        if not isinstance(value, list):
            return self._refuse(field, value, "a list is needed")
        return tuple(self._value(hints[0], one, f"{field}[{n}]") for n, one in enumerate(value))

    def _mapping(self, hints: tuple[Any, ...], value: object, field: str) -> Any:
        if not isinstance(value, dict):
            return self._refuse(field, value, "a mapping is needed")
        return {
            str(key): self._value(hints[1], one, _join(field, key)) for key, one in value.items()
        }

    def _refuse(self, field: str, got: object, limit: str, fix: str = "") -> Any:
        """Note a problem; the None returned stands for the value."""
        self.problems.append(Problem(field=field, got=got, limit=limit, where=self.where, fix=fix))


def _join(field: str, key: object) -> str:
    return f"{field}.{key}" if field else str(key)


def _required(item: dataclasses.Field[Any]) -> bool:
    return item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
