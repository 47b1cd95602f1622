"""What must hold between the inputs of a member: `thickness < 2 * radius`. Parsed, never evaluated as code."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgia_hpc.errors import InputError, Problem, nearest

Values = NDArray[np.float64]

_BINARY: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_COMPARED: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_SIGNS: dict[type[ast.AST], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {  # and how many arguments at least
    "abs": (np.abs, 1),
    "min": (lambda *values: _folded(np.minimum, values), 2),
    "max": (lambda *values: _folded(np.maximum, values), 2),
}
_GRAMMAR = "a comparison (< <= > >=) of inputs and numbers with + - * / **, abs, min and max"
_LARGEST = 1e300
_LONGEST = 500  # characters; a deep enough text would overrun the parser


def _folded(pick: Callable[[Any, Any], Any], values: Sequence[Any]) -> Any:
    found = values[0]
    for one in values[1:]:
        found = pick(found, one)
    return found


@dataclass(frozen=True)
class Constraint:
    """A comparison of inputs, in the units that the solver declares."""

    text: str
    tree: ast.Compare

    def holds(self, inputs: Mapping[str, Values]) -> NDArray[np.bool_]:
        """Return for each member whether it holds; what has no value (0/0) does not. inputs: name → (member,)."""
        with np.errstate(all="ignore"):
            sides = [_value(one, inputs) for one in (self.tree.left, *self.tree.comparators)]
        held = np.ones(np.broadcast(*sides).shape, np.bool_)
        for compare, left, right in zip(self.tree.ops, sides, sides[1:], strict=False):
            held &= _COMPARED[type(compare)](left, right)
        return held


def parse(text: str, names: Collection[str], field: str) -> Constraint:
    """Return a constraint over these inputs.

    Raises:
        InputError: no comparison, an unknown input, or anything else that is not in the grammar.
    """
    try:
        tree = ast.parse(text[:_LONGEST].strip(), mode="eval").body if _fits(text) else None
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        tree = None
    if not isinstance(tree, ast.Compare):
        raise InputError(Problem(field=field, got=text, limit=_GRAMMAR + " is needed"))
    problems = [
        Problem(field=field, got=text, limit=limit, fix=fix) for limit, fix in _faults(tree, names)
    ]
    if problems:
        raise InputError(problems)
    return Constraint(text, tree)


def _fits(text: str) -> bool:
    return len(text) <= _LONGEST and "\0" not in text


def _faults(tree: ast.Compare, names: Collection[str]) -> list[tuple[str, str]]:
    """Return what is not in the grammar: the limit, and what to do."""
    functions = {id(one.func) for one in ast.walk(tree) if isinstance(one, ast.Call)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and id(node) not in functions and node.id not in names:
            limit = f"no input {node.id}; there are {', '.join(sorted(names))}"
            found.append((limit, nearest(node.id, names, "")))
        elif not _is_known(node, top=node is tree):
            shown = ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__
            found.append((f"{_GRAMMAR}; {shown!r} is none of these", ""))
            break
    return found


def _is_known(node: ast.AST, *, top: bool) -> bool:
    if isinstance(node, ast.Compare):
        return top and all(type(one) in _COMPARED for one in node.ops)
    if isinstance(node, ast.Call):
        return _is_call(node)
    if isinstance(node, ast.Constant):
        number = isinstance(node.value, int | float) and not isinstance(node.value, bool)
        return number and -_LARGEST <= node.value <= _LARGEST  # type: ignore[operator]
    if isinstance(node, ast.BinOp):
        return type(node.op) in _BINARY
    if isinstance(node, ast.UnaryOp):
        return type(node.op) in _SIGNS
    known = (*_BINARY, *_COMPARED, *_SIGNS, ast.Name, ast.Load)
    return isinstance(node, known)


def _is_call(node: ast.Call) -> bool:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    starred = any(isinstance(one, ast.Starred) for one in node.args)
    return (
        name in _FUNCTIONS
        and not node.keywords
        and not starred
        and len(node.args) >= _FUNCTIONS[name][1]
        and not (name == "abs" and len(node.args) > 1)
    )


def _value(node: ast.expr, inputs: Mapping[str, Values]) -> Any:
    """Return the value of an expression of the grammar, for all members at once."""
    if isinstance(node, ast.Name):
        return inputs[node.id]
    if isinstance(node, ast.Constant):
        return np.float64(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.BinOp):
        return _BINARY[type(node.op)](_value(node.left, inputs), _value(node.right, inputs))
    if isinstance(node, ast.UnaryOp):
        return _SIGNS[type(node.op)](_value(node.operand, inputs))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        function, _ = _FUNCTIONS[node.func.id]
        return function(*(_value(one, inputs) for one in node.args))
    raise TypeError(f"{ast.dump(node)} is not in the grammar")  # parse() has refused it
