"""Programs inside a container image: apptainer or singularity, checked by digest, never by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from forgia_hpc.digest import sha256_file
from forgia_hpc.errors import SealBrokenError

# What the inside must see as we set it: an image's own environment would win over the inherited one.
PASSED = ("PYTHONPATH", "PYTHONSAFEPATH", "PYTHONNOUSERSITE", "PYTHONUNBUFFERED")
PREFIXES = ("APPTAINERENV_", "SINGULARITYENV_")  # each runtime reads its own


@dataclass(frozen=True, kw_only=True)
class Container:
    """A sealed image and how this cluster starts programs in it."""

    image: str
    sha256: str
    runtime: str  # apptainer | singularity
    python: str
    program_only: bool = (
        False  # of a command job: the rank itself stays outside, so any image will do
    )
    flags: tuple[str, ...] = ()  # --nv, --rocm; none without GPUs
    binds: tuple[str, ...] = ()

    def wrap(self, argv: Sequence[str], *, cwd: Path) -> list[str]:
        """Return the command that runs `argv` inside, in `cwd`, with every bind at its own path."""
        shown = dict.fromkeys(self.binds)
        if not any(cwd.is_relative_to(place) for place in shown):
            shown[str(cwd)] = None
        return [
            self.runtime,
            "exec",
            *self.flags,
            *(word for place in shown for word in ("--bind", place)),
            *("--pwd", str(cwd)),
            self.image,
            *argv,
        ]

    def passed(self, environment: Mapping[str, str], names: Iterable[str] = ()) -> dict[str, str]:
        """Return `environment` with what must hold inside, named as the runtimes read it."""
        wanted = [name for name in (*PASSED, *names) if name in environment]
        inside = {f"{prefix}{name}": environment[name] for prefix in PREFIXES for name in wanted}
        return {**environment, **inside}

    def check(self) -> None:
        """Compare the image with the sealed digest.

        Raises:
            SealBrokenError: it is gone, or another one.
        """
        try:
            found = sha256_file(Path(self.image))
        except OSError as error:
            raise SealBrokenError(
                f"container image {self.image}: cannot be read ({error.strerror})"
            ) from error
        if found != self.sha256:
            raise SealBrokenError(
                f"container image {self.image}: content differs from the seal "
                f"(sealed {self.sha256[:12]}, here {found[:12]})"
            )


def sealed_container(start: Mapping[str, object]) -> Container | None:
    """Return the container of a sealed start, if it has one."""
    facts = start.get("container")
    if not isinstance(facts, dict):
        return None
    return Container(**{**facts, "flags": tuple(facts["flags"]), "binds": tuple(facts["binds"])})
