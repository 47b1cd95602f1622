"""The families by name. Nothing is imported here: the login wing asks too, and has no torch."""

from __future__ import annotations

from forgia_hpc.errors import InputError, Problem

MODELS = {"telemetry": "forgia_hpc.models.telemetry:TelemetryModel"}


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
