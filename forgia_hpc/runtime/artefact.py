"""The trained model as others use it: `model/{model.safetensors,model.json}`. No pickle, nothing to execute."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from forgia_hpc.digest import sha256_file
from forgia_hpc.errors import SealBrokenError
from forgia_hpc.models.table import build
from forgia_hpc.rundir import read_json, sync_directory, write_json, write_text

FORMAT = "forgia.model/1"
WEIGHTS, FACTS = "model.safetensors", "model.json"


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What one must know to build the module again, and where it comes from."""

    name: str
    family: str
    options: dict[str, Any]
    context: int
    horizon: int
    quantiles: tuple[float, ...]
    dataset: str  # name@<first 12 hex of its version>
    step: int
    seed: int
    parameters: int = 0  # filled in by save
    sha256: str = ""  # of model.safetensors; filled in by save
    extra: dict[str, Any] = field(default_factory=dict)


def save(
    directory: Path,
    weights: nn.Module | Mapping[str, torch.Tensor],
    facts: ModelFacts,
    beside: Mapping[str, str] | None = None,
) -> ModelFacts:
    """Write a model to `directory`, which appears whole; one that is there is replaced. Return the full facts.

    `weights` may be a state dict: under ZeRO-3 no rank's module holds all of them. `beside`: texts of files
    that go with it, by name.
    """
    state = weights.state_dict() if isinstance(weights, nn.Module) else weights
    tensors = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    part = directory.with_name(f".{directory.name}.{secrets.token_hex(4)}.part")
    part.mkdir(parents=True)
    try:
        save_file(tensors, part / WEIGHTS)
        with (part / WEIGHTS).open("rb") as written:
            os.fsync(written.fileno())
        full = {
            **asdict(facts),
            "format": FORMAT,
            "parameters": sum(value.numel() for value in tensors.values()),
            "sha256": sha256_file(part / WEIGHTS),
        }
        write_json(part / FACTS, full)
        for name, text in (beside or {}).items():
            write_text(part / name, text)
        _put_in_place(part, directory)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return _facts(full)


def _put_in_place(part: Path, directory: Path) -> None:
    old = directory.with_name(f".{directory.name}.{secrets.token_hex(4)}.old")
    if directory.exists():  # rename(2) refuses a directory that is not empty
        directory.rename(old)
    part.rename(directory)
    sync_directory(directory.parent)
    shutil.rmtree(old, ignore_errors=True)


def read_facts(directory: Path) -> ModelFacts:
    """Return what model.json says.

    Raises:
        InputError: there is none, or it is no JSON.
        SealBrokenError: it is of another format or lacks a fact.
    """
    content = read_json(directory / FACTS)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise SealBrokenError(f"{directory / FACTS} is not of format {FORMAT}")
    return _facts(content)


def _facts(content: dict[str, Any]) -> ModelFacts:
    names = {entry.name for entry in fields(ModelFacts)}
    lacking = sorted(names - content.keys())
    if lacking:
        raise SealBrokenError(f"{FACTS} lacks {', '.join(lacking)}")
    known = {name: content[name] for name in names}
    return ModelFacts(**{**known, "quantiles": tuple(content["quantiles"])})


def load(directory: Path, device: str | torch.device = "cpu") -> nn.Module:
    """Return the module of a saved model in float32, in evaluation mode.

    Raises:
        SealBrokenError: the weights are not those that were saved, or do not fit the family's class.
    """
    facts = read_facts(directory)
    path = directory / WEIGHTS
    if not path.is_file() or sha256_file(path) != facts.sha256:
        raise SealBrokenError(f"{path} is missing or differs from what was saved (SHA-256)")
    module = build(
        facts.family,
        facts.options,
        context=facts.context,
        horizon=facts.horizon,
        extra=facts.extra,
    )
    try:
        module.load_state_dict(load_file(path))
    except (RuntimeError, SafetensorError) as error:
        raise SealBrokenError(f"{path} does not fit family {facts.family!r}: {error}") from error
    loaded: nn.Module = module.float().to(device).eval()
    return loaded
