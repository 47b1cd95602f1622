"""The one place where a family's name becomes a class."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, cast

from forgia_hpc.models.field_shape import KEY, FieldShape
from forgia_hpc.models.forecaster import FamilyClass
from forgia_hpc.models.names import check_name, refused

_METHODS = ("forward", "forecast")


def resolve(family: str) -> FamilyClass:
    """Return the class of a family: a key of MODELS, or `module:Class` found on sys.path.

    Raises:
        InputError: no such key, module or class, or a class without the forecaster's methods.
    """
    module_name, class_name = check_name(family)
    found = getattr(_module(family, module_name), class_name, None)
    if not isinstance(found, type):
        raise refused(family, f"module {module_name} has no class {class_name}")
    missing = [name for name in _METHODS if not callable(getattr(found, name, None))]
    if missing:
        raise refused(family, f"{class_name} needs the methods {', '.join(_METHODS)}", missing)
    return cast(FamilyClass, found)


def build(
    family: str,
    options: Mapping[str, Any],
    *,
    context: int,
    horizon: int,
    extra: Mapping[str, Any],
) -> Any:
    """Return a fresh module of a family; where `extra` holds a shape of fields, it is built for them."""
    more = {"shape": FieldShape.from_json(extra[KEY])} if KEY in extra else {}
    return resolve(family)(dict(options), context=context, horizon=horizon, **more)


def _module(family: str, name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # A module that exists and imports something missing is a defect of its own: keep the traceback.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise refused(family, f"there is no module {name} on the Python path") from error
