"""From the configs/ folder and the user's overrides to one complete, typed job. Hydra lives here only."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterator, Sequence
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, ListConfig, Node, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from forgia_hpc import sources
from forgia_hpc.config.defaults import user_defaults
from forgia_hpc.config.groups import groups, keys
from forgia_hpc.config.spelling import key_of, spelled
from forgia_hpc.errors import InputError, Problem, nearest
from forgia_hpc.schema.job import JOBS, Job, Kind
from forgia_hpc.schema.load import config_text, plain

# what programs are told: `${HOME}` in it is theirs, and names no key of ours
LITERAL = {
    Kind.command: ("command.argv", "command.env"),
    Kind.chain: ("chain.members",),
    Kind.simulate: ("solver.program.commands", "solver.program.env", "solver.program.failed"),
}
_NAMED = re.compile(r"(\\*)\$\{")


class UserRoots(SearchPathPlugin):
    """Adds the configs/ folder of every root in $FORGIA_PATH to Hydra's search path."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append the user's folders after ours."""
        for folder in sources.roots("configs")[1:]:
            search_path.append("forgia_path", f"file://{folder}")


@functools.cache
def _register(kind: Kind | None) -> None:
    """Tell Hydra of our schema, once: all of them cost 0.1 s, and a job has one."""
    Plugins.instance().register(UserRoots)
    store = ConfigStore.instance()
    if kind is not None:
        store.store(name=f"job_{kind.value}", node=JOBS[kind])


def compose_job(kind: Kind, overrides: Sequence[str]) -> Job:
    """Return the typed job of `configs/<kind>.yaml` with Hydra's overrides applied.

    Raises:
        InputError: every override and value that does not fit, all at once.
    """
    config = compose_config(kind, overrides)
    try:
        problems = _invalid(config, "")
        if problems:
            raise InputError(problems)
        return cast("Job", OmegaConf.to_object(config))
    except OmegaConfBaseException as error:  # an interpolation that gives another type, or nothing
        # what it gave is not told: it may be a token out of the environment
        limit = str(error).partition("\n")[0].partition(": Value ")[0]
        raise InputError(
            Problem(field=str(error.full_key), got="${…}", limit=limit, fix="forgia config show")
        ) from error


def compose_config(kind: Kind, overrides: Sequence[str]) -> DictConfig:
    """Return the typed config before its sections check themselves.

    Raises:
        InputError: every override that does not fit its type or has no key.
    """
    defaults = user_defaults()
    own = [f"cluster={_quoted(defaults['cluster'])}"] if "cluster" in defaults else []
    own += [f"resources.account={_quoted(defaults['account'])}"] if "account" in defaults else []
    if leaks := [_leak(key_of(text)) for text in overrides if _reads_shell(text)]:
        raise InputError(leaks)
    config = _composed(kind, [*own, *overrides])
    for path in LITERAL.get(kind, ()):
        _literally(OmegaConf.select(config, path, throw_on_resolution_failure=False))
    return config


def _reads_shell(text: str) -> bool:
    """Whether an override would take a variable of the shell into the config, and so into the seal."""
    return "${oc.env:" in text and not key_of(text).startswith("command.")


def _leak(key: str) -> Problem:
    limit = "a variable of the shell would be sealed with the job, whatever it holds"
    return Problem(field=key, got="${oc.env:…}", limit=limit, fix="write the value itself")


def _literally(node: Any) -> None:
    """Escape every `${` below a node in place: OmegaConf then reads the very text that was written."""
    if isinstance(node, DictConfig):
        for key in node:
            _literally(node._get_node(key))
    elif isinstance(node, ListConfig):
        for number in range(len(node)):
            _literally(node._get_node(number))
    elif isinstance(node, Node) and isinstance(text := node._value(), str):
        node._set_value(_NAMED.sub(r"\1\1\\${", text))


def _quoted(text: str) -> str:
    """Quote a text in Hydra's grammar: whatever stands in the person's file is a value, never syntax."""
    quoted: str = QuotedString(text, Quote.single).with_quotes()
    return quoted


@contextlib.contextmanager
def hydra_here(kind: Kind | None = None) -> Iterator[ConfigLoader]:
    """Let Hydra read our configs/ and those of $FORGIA_PATH for as long as the block runs."""
    _register(kind)
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(sources.shipped("configs")), version_base="1.3"):
        yield GlobalHydra.instance().config_loader()


def _composed(kind: Kind, overrides: Sequence[str]) -> DictConfig:
    with hydra_here(kind):
        try:
            return compose(kind.value, spelled(overrides))
        except (HydraException, OmegaConfBaseException, InputError, ValueError) as error:
            raise InputError(_each(kind, overrides, error)) from error


def _each(kind: Kind, overrides: Sequence[str], error: Exception) -> list[Problem]:
    """Find every override that fails on its own; Hydra itself stops at the first."""
    options = groups(kind)
    chosen = [text for text in overrides if _chosen(text) in options.get(key_of(text), [])]
    problems: list[Problem] = []
    for text in overrides:
        rest = [] if text in chosen else chosen
        try:
            compose(kind.value, spelled([*rest, text]))
        except InputError as found:
            problems += found.problems
        except (HydraException, OmegaConfBaseException, ValueError) as found:
            problems.append(explained(text, found, kind))
    return problems or [explained(" ".join(overrides), error, kind)]


def _chosen(text: str) -> str:
    return text.partition("=")[2]


def explained(text: str, error: Exception, kind: Kind | None) -> Problem:
    """Turn Hydra's error into field, value, limit, place and mend; `kind` is None before one is known."""
    field, value = key_of(text), _chosen(text)
    options = groups(kind).get(field) if kind else None
    config = f"configs/{kind.value}.yaml" if kind else ""
    shown = f"forgia config show {kind.value}" if kind else "forgia config show"
    said = str(error.__cause__ or error).strip().splitlines()[0]
    if options and value not in options:
        own = f"or add configs/{field}/{value}.yaml to a root of $FORGIA_PATH"
        limit, fix = f"one of {', '.join(options)}", nearest(value, options, own)
    elif "=" not in text:
        limit, fix = "an override is key=value", "see forgia config show"
    elif "Lexer" in said or "mismatched input" in said or "no viable alternative" in said:
        limit = f"not in Hydra's grammar ({said})"
        inner = '["…"]' if value.startswith(("[", "{")) else '"…"'
        fix = f"put quotes around each text, and others around the whole: '{field}={inner}'"
    elif "not in" in said or ("Could not override" in str(error) and "Key" in str(error)):
        limit, fix = "no such key", nearest(field, keys(kind) if kind else (), shown)
    else:
        limit, fix = said, shown
    return Problem(field=field, got=value or text, limit=limit, where=config, fix=fix)


def _invalid(config: DictConfig, at: str) -> list[Problem]:
    """Return what the dataclasses' own checks say, of every section, deepest first."""
    known = getattr(config._metadata.object_type, "__dataclass_fields__", {})
    problems = [  # Hydra's `+key=value` walks past the schema
        Problem(field=f"{at}{key}", got=config[key], limit="no such key", fix="leave it out")
        for key in map(str, config)
        if key not in known
    ]
    for key in map(str, config):
        node = config._get_node(key)
        if (
            isinstance(node, DictConfig)
            and isinstance(node._metadata.object_type, type)
            and node._metadata.object_type is not dict
        ):
            problems += _invalid(node, f"{at}{key}.")
    if problems:
        return problems
    missing = sorted(str(key) for key in OmegaConf.missing_keys(config))
    if missing:
        return [
            Problem(field=f"{at}{key}", got=None, limit="a value is needed", fix=f"{at}{key}=…")
            for key in missing
        ]
    try:
        OmegaConf.to_object(config)
    except InputError as error:
        return list(error.problems)
    except OmegaConfBaseException as error:
        return [Problem(field=at.rstrip(".") or "config", got="", limit=str(error).splitlines()[0])]
    return []


def as_yaml(job: Job) -> str:
    """Return the complete config as the run directory keeps it."""
    return config_text(plain(job))
