"""Read a sealed config.yaml back into its typed job: OmegaConf alone, no Hydra."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from forgia_hpc.errors import SealBrokenError
from forgia_hpc.schema.job import JOBS, Job, Kind


def load_job(config: Path) -> Job:
    """Return the job of a run's config.yaml.

    Raises:
        SealBrokenError: the file is gone, or is not what was sealed.
    """
    try:
        content = OmegaConf.load(config)
        kind = Kind[str(content.kind)]
        return cast(
            "Job", OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(JOBS[kind]), content))
        )
    except (OSError, YAMLError, OmegaConfBaseException, KeyError, AttributeError) as error:
        raise SealBrokenError(f"{config}: not a sealed config ({error})") from error
