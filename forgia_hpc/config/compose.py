"""From the configs/ folder and the user's overrides to one complete, typed job. Hydra lives here only."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from forgia_hpc import sources
from forgia_hpc.config.groups import groups
from forgia_hpc.errors import InputError, Problem
from forgia_hpc.schema.job import JOBS, Job, Kind

FREE = ("model.options.", "model.options=", "command.env.", "command.env=")


class UserRoots(SearchPathPlugin):
    """Adds the configs/ folder of every root in $FORGIA_PATH to Hydra's search path."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append the user's folders after ours."""
        for folder in sources.roots("configs")[1:]:
            search_path.append("forgia_path", f"file://{folder}")


def _register() -> None:
    Plugins.instance().register(UserRoots)
    store = ConfigStore.instance()
    for kind, job in JOBS.items():
        store.store(name=f"job_{kind.value}", node=job)


def user_defaults() -> dict[str, Any]:
    """Return ~/.config/forgia/config.yaml: cluster, account and the roots of this person.

    Raises:
        InputError: the file can't be read, or every key that is unknown or no text.
    """
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111 - Path's raises without a home
    path = Path(home) / "forgia" / "config.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise InputError(_settings_problem("config.yaml", reason, "readable YAML", path)) from error
    if not isinstance(content, dict):
        raise InputError(_settings_problem("config.yaml", content, "a mapping is needed", path))
    known = ("cluster", "account", "runs", "data", "mail")
    problems = [
        _settings_problem(str(key), value, f"known are {', '.join(known)}", path)
        for key, value in content.items()
        if key not in known
    ]
    problems += [
        _settings_problem(key, content[key], "a text is needed", path)
        for key in known
        if not isinstance(content.get(key, ""), str)
    ]
    if problems:
        raise InputError(problems)
    return content


def _settings_problem(field: str, got: object, limit: str, path: Path) -> Problem:
    return Problem(field=field, got=got, limit=limit, where=str(path), fix="mend this file")


def compose_job(kind: Kind, overrides: Sequence[str]) -> Job:
    """Return the typed job of `configs/<kind>.yaml` with Hydra's overrides applied.

    Raises:
        InputError: every override and value that does not fit, all at once.
    """
    _register()
    defaults = user_defaults()
    own = [f"cluster={_quoted(defaults['cluster'])}"] if "cluster" in defaults else []
    own += [f"resources.account={_quoted(defaults['account'])}"] if "account" in defaults else []
    config = _composed(kind, [*own, *overrides])
    problems = _invalid(config, "")
    if problems:
        raise InputError(problems)
    return cast("Job", OmegaConf.to_object(config))


def _quoted(text: str) -> str:
    """Quote a text in Hydra's grammar: whatever stands in the person's file is a value, never syntax."""
    quoted: str = QuotedString(text, Quote.single).with_quotes()
    return quoted


def _composed(kind: Kind, overrides: Sequence[str]) -> DictConfig:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(sources.shipped("configs")), version_base="1.3"):
        try:
            return compose(kind.value, [_free(text) for text in overrides])
        except (HydraException, OmegaConfBaseException, InputError, ValueError) as error:
            raise InputError(_each(kind, overrides, error)) from error


def _each(kind: Kind, overrides: Sequence[str], error: Exception) -> list[Problem]:
    """Find every override that fails on its own; Hydra itself stops at the first."""
    options = groups(kind)
    chosen = [text for text in overrides if _chosen(text) in options.get(_key(text), [])]
    problems: list[Problem] = []
    for text in overrides:
        rest = [] if text in chosen else chosen
        try:
            compose(kind.value, [_free(each) for each in (*rest, text)])
        except InputError as found:
            problems += found.problems
        except (HydraException, OmegaConfBaseException, ValueError) as found:
            problems.append(_explained(text, found, kind))
    return problems or [_explained(" ".join(overrides), error, kind)]


def _free(text: str) -> str:
    """Let the keys of a free mapping be new: Hydra would ask for a `+` that the schema has no reason for."""
    return f"++{text}" if text.startswith(FREE) else text


def _key(text: str) -> str:
    return text.partition("=")[0].lstrip("+~")


def _chosen(text: str) -> str:
    return text.partition("=")[2]


def _explained(text: str, error: Exception, kind: Kind) -> Problem:
    """Turn Hydra's error into field, value, limit, place and mend."""
    field, value = _key(text), _chosen(text)
    options = groups(kind).get(field)
    said = str(error.__cause__ or error).strip().splitlines()[0]
    if options and value not in options:
        limit, fix = (
            f"one of {', '.join(options)}",
            f"add configs/{field}/{value}.yaml to a root of $FORGIA_PATH",
        )
    elif "=" not in text:
        limit, fix = "an override is key=value", "see forgia config show"
    elif "Lexer" in said or "mismatched input" in said or "no viable alternative" in said:
        limit = f"not in Hydra's grammar ({said})"
        fix = f"""put quotes around the value: '{field}="…"'"""
    elif "not in" in said or ("Could not override" in str(error) and "Key" in str(error)):
        limit, fix = "no such key", f"forgia config show {kind.value}"
    else:
        limit, fix = said, f"forgia config show {kind.value}"
    return Problem(
        field=field, got=value or text, limit=limit, where=f"configs/{kind.value}.yaml", fix=fix
    )


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
    return OmegaConf.to_yaml(OmegaConf.structured(job), resolve=True)
