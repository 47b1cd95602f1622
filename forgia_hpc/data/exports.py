"""Other forms of a dataset, made from it and never kept by hand: a table form → function."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from forgia_hpc.data.access.leaving import require_leave
from forgia_hpc.data.manifest import load_manifest
from forgia_hpc.data.writing.appear import appearing
from forgia_hpc.errors import InputError, Problem

# form → (module:function, one line). A function takes (sealed directory, empty directory to fill, told)
EXPORTS = {
    "well": ("forgia_hpc.data.fields.wellwrite:write_well", "fields as The Well's files, float32"),
    "croissant": (
        "forgia_hpc.data.catalogue.croissant:write_croissant",
        "Croissant 1.1: files, channels, terms, provenance",
    ),
    "dcat": ("forgia_hpc.data.catalogue.dcat:write_dcat", "a DCAT-AP 3 record for data portals"),
    "ai-act": (
        "forgia_hpc.data.catalogue.ai_act:write_summary",
        "the AI Act's summary of training content; with --run, of what a run has seen",
    ),
    "parquet": ("forgia_hpc.data.parquet:write_parquet", "telemetry as Parquet, exact values"),
}

Told = Callable[[str, int, int], None]  # what, done, of how many
Export = Callable[..., None]  # of these three, and the usage of a run where the form takes it
OF_USE = ("ai-act",)
OF_VALUES = ("well", "parquet")  # hold the data themselves


def export(
    directory: Path,
    form: str,
    into: Path,
    told: Told,
    usage: dict[str, Any] | None = None,
    owner: str = "",
) -> list[Path]:
    """Write a dataset in another form as the directory `into`; return its files.

    `owner` is the contributor for whom this is done, and whose own terms do not bind it.

    Raises:
        InputError: an unknown form, a dataset that this form can't hold, `into` is there already, or a
            policy forbids that its values leave.

    """
    if form not in EXPORTS:
        limit = f"one of {', '.join(EXPORTS)}"
        raise InputError(Problem(field="--to", got=form, limit=limit))
    if usage is not None and form not in OF_USE:
        limit = f"only {', '.join(OF_USE)} tells what a run has seen"
        raise InputError(Problem(field="--run", got=form, limit=limit))
    if form in OF_VALUES:
        require_leave(load_manifest(directory), owner)
    more = {} if usage is None else {"usage": usage}
    module, _, name = EXPORTS[form][0].partition(":")
    write: Export = getattr(import_module(module), name)
    with appearing(into, overwrite=False) as temporary:
        write(directory, temporary, told, **more)
    return sorted(path for path in into.rglob("*") if path.is_file())
