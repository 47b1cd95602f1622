"""The families by name. Nothing is imported here: the login wing asks too, and has no torch."""

from __future__ import annotations

from forgia_hpc.errors import InputError, Problem

MODELS = {
    "field": "forgia_hpc.models.field:FieldModel",
    "physicsnemo": "forgia_hpc.models.physicsnemo:PhysicsNemoModel",
    "telemetry": "forgia_hpc.models.telemetry:TelemetryModel",
}

LAYOUTS = {  # what each reads
    "field": "forgia.fields/1",
    "physicsnemo": "forgia.fields/1",
    "telemetry": "forgia.telemetry/1",
}


def layout_problems(family: str, layouts: set[str], dataset: str) -> list[Problem]:
    """Return why a dataset of these layouts has nothing for a family of ours; a user's own says it on the node."""
    wanted = LAYOUTS.get(family)
    if wanted is None or wanted in layouts:
        return []
    limit = f"{dataset} has {', '.join(sorted(layouts))}, and {family} reads {wanted}"
    able = [name for name, layout in LAYOUTS.items() if layout in layouts]
    fix = f"choose a model of family {able[0]}, or another dataset" if able else "another dataset"
    where = "models/names.py"
    return [Problem(field="model.family", got=family, limit=limit, where=where, fix=fix)]


def check_name(family: str) -> tuple[str, str]:
    """Return module and class of a family's name; nothing is imported.

    Raises:
        InputError: neither a key of MODELS nor `module:Class`.
    """
    module, _, name = MODELS.get(family, family).partition(":")
    if not module or not name:
        raise refused(family, f"one of {', '.join(sorted(MODELS))}, or 'module:Class'")
    return module, name


def refused(family: str, limit: str, missing: list[str] | None = None) -> InputError:
    """Return the error of a family that can't be used."""
    fix = (
        f"add {', '.join(missing)}"
        if missing
        else "put its folder on $FORGIA_PATH, or mend the name"
    )
    return InputError(
        Problem(field="model.family", got=family, limit=limit, where="models/names.py", fix=fix)
    )
