"""What a person writes on the command line, as Hydra's grammar spells it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from hydra.core.override_parser.overrides_parser import OverridesParser

from forgia_hpc.errors import InputError, Problem

_WORD = re.compile(r"(command\.env\.\w+)=([\w.+-]+)")
FREE = tuple(
    f"{name}{sign}"
    for name in (
        "model.options",
        "command.env",
        "data.shares",
        "solver.options",
        "solver.program.env",
        "ensemble.inputs",
    )
    for sign in ".="
)
# mappings whose values have a type: OmegaConf makes it in a merge, but not of a value at a new key
_TYPED = re.compile(r"(solver\.program\.(?:inputs|grid|fields|boundaries))\.(.+)")
# one input, one side: half of the old words beside half of the new ones are neither
_WHOLE = re.compile(r"ensemble\.inputs\.[^.]+|solver\.options\.boundaries\.[^.]+")
_EMPTY = "''"
_MEASURED = ("ensemble.inputs", "solver.options", "solver.program.inputs")
_PLAIN = re.compile(r"[A-Za-z_$][\w$-]*|\d+")  # a segment of a key in Hydra's grammar
_SEGMENT = re.compile(r"[\w$+-]+")
_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""


def _quantity(begins: str) -> re.Pattern[str]:
    """Return what finds a number with its unit that is a whole element: `AISI 304 L` has none."""
    return re.compile(
        rf"{_QUOTED}"  # what is quoted stays
        rf"|(?P<before>(?:{begins})\s*)"
        r"(?P<quantity>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"  # a number,
        r" +(?:[^\W\d]|[°%])(?:[^\s,\[\]{}()'\"]|\([^,\[\]{}()'\"]*\))*)"  # and its unit
        r"(?=\s*(?:$|[,\]})]))"
    )


_ALONE = _quantity(r"^|[,(]")  # or one of several to be swept over
_WITHIN = _quantity(r"^|[\[{(,]|:(?=\s)|(?<=[^\d\s]):")  # of braces: `10:00 h` is a clock's


def spelled(words: Sequence[str]) -> list[str]:
    """Return overrides in Hydra's grammar; one that sets an input or a side anew is two."""
    return [each for word in words for each in (*_emptied(word), freed(word))]


def freed(text: str) -> str:
    """Let the keys of a free mapping be new: Hydra would ask for a `+` that the schema has no reason for.

    A program's variable is a text: Hydra would read `1e-3` and `true` and write 0.001 and True. A unit may have
    parentheses and a side a `+` at its end, neither of which the grammar takes.

    Raises:
        InputError, HydraException: the value of such a key is none, or several.
    """
    text = _WORD.sub(r"\1='\2'", text) if _WORD.fullmatch(text) else text
    text = with_plain_value(text)
    key, value = _parted(text)
    if not text.startswith("~") and (found := _TYPED.fullmatch(key)):
        return f"++{_nested(found[1], found[2].split('.'), _single(key, value or _EMPTY))}"
    if awkward(text):
        path = key.split(".")
        at = next(number for number, each in enumerate(path) if not _PLAIN.fullmatch(each))
        return f"++{_nested('.'.join(path[:at]), path[at:], _single(key, value))}"
    return f"++{text}" if text.startswith(FREE) else text


def with_plain_value(text: str) -> str:
    """Quote the numbers with a unit in an override's value, where one may stand."""
    key, equals, value = text.partition("=")
    if not key.lstrip("+").startswith(_MEASURED):
        return text
    quantity = _WITHIN if value.lstrip().startswith(("{", "[")) else _ALONE
    return f"{key}{equals}{quantity.sub(_with_quotes, value)}"


def _with_quotes(found: re.Match[str]) -> str:
    quantity = found["quantity"]
    return f"{found['before']}'{quantity}'" if quantity else found[0]


def awkward(text: str) -> bool:
    """Whether an override sets a key of a free mapping that Hydra can't spell: `x+`, or a quoted one."""
    key, value = _parted(text)
    path = key.split(".")
    good = bool(value) and key.startswith(FREE) and all(map(_SEGMENT.fullmatch, path))
    return good and not all(map(_PLAIN.fullmatch, path))


def key_of(word: str) -> str:
    """Return which key an override sets."""
    return re.sub("['\"]", "", word.partition("=")[0].lstrip("+~"))


def plain_variable(word: str) -> str | None:
    """Return the text of `command.env.NAME=text` where no grammar is needed to read it."""
    found = _WORD.fullmatch(word)
    return found[2] if found else None


def _emptied(word: str) -> Iterator[str]:
    """Yield what takes an input's or a side's old words away, where a mapping comes in their place."""
    key, value = _parted(word)
    if value.startswith(("{", "[")) and _WHOLE.fullmatch(key):
        yield freed(f"{key}=null")


def _parted(text: str) -> tuple[str, str]:
    """Return key and value of an override; of one that deletes, no value."""
    return key_of(text), "" if text.startswith("~") else text.partition("=")[2].strip()


def _single(key: str, value: str) -> str:
    """Return a value that is one by itself: put into braces, `1, y: 2` would set y too.

    Raises:
        InputError, HydraException: it is several, or none in Hydra's grammar.
    """
    if _parser().parse_override(f"side={value}").is_sweep_override():
        limit, fix = "one value is needed here", "quotes round a text with commas"
        raise InputError(Problem(field=key, got=value, limit=limit, fix=fix))
    return value


@cache
def _parser() -> OverridesParser:
    return OverridesParser.create()


def _nested(head: str, tail: Sequence[str], value: str) -> str:
    """Return an override of the mapping at `head`: what the key can't spell, its value can."""
    for name in reversed(tail):
        value = f"{{{name}: {value}}}"
    return f"{head}={value}"
